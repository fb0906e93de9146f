// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {vm} from "../Vm.sol";
import {Draft, PaymentsFixture} from "./PaymentsFixture.sol";

/// @notice Two ways to do a thing from the same start, which must end in the same.
contract PaymentsEquivalenceTest is PaymentsFixture {
    function setUp() external {
        _open();
        for (uint256 p; p < PAYERS; ++p) {
            _deposit(_payer(p), 30e6);
            (address key, address owner) = (_key(p, true), _payer(p));
            for (uint256 g; g < GATEWAYS; ++g) {
                vm.prank(owner);
                payments.authorise(key, _gateway(g), 20e6, block.timestamp + 1 days);
            }
        }
    }

    /// @dev Property 6.
    function test_collect__any_order__ends_in_the_same(uint256[3] calldata amounts, bool[3] calldata hot)
        external
    {
        Draft[] memory drafts = new Draft[](3);
        Draft[] memory turned = new Draft[](3);
        for (uint256 i; i < 3; ++i) {
            drafts[i] = turned[2 - i] = _whole(0, hot[i], _bound(amounts[i], 0, 10e6));
        }
        uint256 start = vm.snapshotState();
        _collect(_gateway(0), drafts);
        bytes32 end = _state();
        vm.revertToState(start);
        _collect(_gateway(0), turned);
        require(_state() == end, "the order decides");
    }

    /// @dev Property 10.
    function test_collect__bad_voucher_among_good__changes_nothing(
        uint256 amount,
        uint256 other,
        uint256 bad,
        uint256 stranger
    ) external {
        Draft[] memory good = new Draft[](2);
        good[0] = _whole(0, true, _bound(amount, 0, 40e6));
        good[1] = _whole(1, false, _bound(other, 0, 40e6));
        Draft[] memory mixed = new Draft[](3);
        (mixed[0], mixed[2]) = (good[0], good[1]);
        mixed[1] = _whole(1, false, _bound(bad, 0, type(uint56).max));
        mixed[1].signer = _bound(stranger, 1_000, 2_000);
        uint256 start = vm.snapshotState();
        _collect(_gateway(0), good);
        bytes32 end = _state();
        vm.revertToState(start);
        _collect(_gateway(0), mixed);
        require(_state() == end, "a bad voucher changed something");
    }

    /// @dev Property 13.
    function test_collect__whole_and_in_one_part__are_the_same(
        uint256 first,
        uint256 second,
        bool hot,
        uint256 locked
    ) external {
        locked = _bound(locked, 0, 20e6);
        if (locked != 0) _lock(0, hot, _gateway(0), locked, block.timestamp + 1 hours);
        uint256 start = vm.snapshotState();
        Draft[] memory drafts = new Draft[](2);
        drafts[0] = _whole(0, hot, _bound(first, 0, 50e6));
        drafts[1] = _whole(0, hot, _bound(second, 0, 50e6));
        _collect(_gateway(0), drafts);
        bytes32 end = _state();
        vm.revertToState(start);
        Draft[] memory one = new Draft[](1);
        for (uint256 i; i < 2; ++i) {
            one[0] = drafts[i];
            one[0].before = payments.channel(_payer(0), _key(0, hot), _gateway(0)).collectedUsd6;
            one[0].parts = new uint56[](1);
            one[0].parts[0] = type(uint56).max;
            _collect(_gateway(0), one);
        }
        require(_state() == end, "the short way is another");
    }

    /// @dev Property 14.
    function test_collect__at_once_and_step_by_step__are_the_same(uint256 step, uint256 last, bool hot)
        external
    {
        last = _bound(last, 1, 50e6);
        step = _bound(step, 0, last);
        Draft[] memory drafts = new Draft[](1);
        uint256 start = vm.snapshotState();
        drafts[0] = _whole(0, hot, last);
        _collect(_gateway(0), drafts);
        bytes32 end = _state();
        vm.revertToState(start);
        drafts[0] = _whole(0, hot, step);
        _collect(_gateway(0), drafts);
        drafts[0] = _whole(0, hot, last);
        _collect(_gateway(0), drafts);
        require(_state() == end, "steps decide");
    }

    /// @dev Properties 7 and 8.
    function test_collect__by_another_gateway__reaches_no_lock_and_no_channel(uint256 locked, uint256 amount)
        external
    {
        locked = _bound(locked, 1, 30e6);
        amount = _bound(amount, 1, 60e6);
        _lock(0, false, _gateway(0), locked, block.timestamp + 1 hours);
        Draft[] memory drafts = new Draft[](1);
        drafts[0] = _whole(0, false, amount);
        uint256 free = 30e6 - locked;
        require(_collect(_gateway(1), drafts) == (amount < free ? amount : free), "it took from a lock");
        require(payments.channel(_payer(0), _payer(0), _gateway(0)).collectedUsd6 == 0, "a channel moved");
        drafts[0] = _whole(0, false, locked);
        require(_collect(_gateway(0), drafts) == locked, "what was locked was not there");
    }

    function _whole(uint256 payer, bool hot, uint256 cumulative) private pure returns (Draft memory draft) {
        (draft.payer, draft.signer, draft.cumulative) = (_payer(payer), _secret(payer, hot), cumulative);
    }

    /// @dev All that anybody has.
    function _state() private view returns (bytes32 digest) {
        digest = keccak256(abi.encode(sink.received(clusters[0]), sink.received(clusters[1])));
        for (uint256 p; p < PAYERS; ++p) {
            digest = keccak256(abi.encode(digest, payments.account(_payer(p))));
            for (uint256 g; g < GATEWAYS; ++g) {
                digest = keccak256(
                    abi.encode(
                        digest,
                        payments.channel(_payer(p), _payer(p), _gateway(g)),
                        payments.channel(_payer(p), _key(p, true), _gateway(g))
                    )
                );
            }
        }
    }
}
