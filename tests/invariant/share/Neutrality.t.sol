// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Powers} from "../../../contracts/access/Powers.sol";
import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {vm} from "../Vm.sol";
import {ShareFixture} from "./ShareFixture.sol";

/// @notice The same world twice, from one second on, with one thing done otherwise: to the last bit, it makes no difference
///         to those whom it does not concern, then or later. The numbers are those of the README.
contract NeutralityTest is ShareFixture {
    address private constant ACTOR = address(0xA);
    address private constant OTHER = address(0xB);
    address private constant LATER = address(0xC);
    address private constant TAKER = address(0x7A1);
    address private constant PAYEE = address(0x9A1);
    uint256 private constant ALL = type(uint64).max;
    uint256 private constant LOOKS = 4;

    ClusterShare private share;
    /// @dev Whom nothing here concerns.
    address[3] private bystanders = [address(0xD1), address(0xD2), address(0xD3)];

    /// @dev One has assigned half of its income, one has set a payee, one is frozen.
    function setUp() external {
        _open();
        share = _newShare();
        authority.grantRole(Powers.ENCUMBRANCER_ROLE, TAKER, 0);
        address[2] memory actors = [ACTOR, OTHER];
        for (uint256 i; i < 2; ++i) {
            _issue(share, actors[i], 1_234_567_891 << 7 * i);
            vm.prank(actors[i]);
            share.encumber(TAKER, 333_333_333);
            vm.prank(actors[i]);
            share.assignIncome(TAKER, 222_222_222, PAYEE);
        }
        for (uint256 i; i < 3; ++i) {
            _issue(share, bystanders[i], 987_654_321 * (i + 1));
        }
        vm.prank(bystanders[0]);
        share.encumber(TAKER, 500_000_000);
        vm.prank(bystanders[0]);
        share.assignIncome(TAKER, 400_000_000, PAYEE);
        vm.prank(bystanders[1]);
        share.setPayee(PAYEE);
        share.setFrozenTokens(bystanders[2], ALL);
        _fund(share, 123_456_789);
    }

    /// @dev 11, 12: up to six acts of ACTOR, or over it, between which time passes.
    function test_acts__of_one__change_nothing_that_others_earn_then_or_later(uint256 seed) external {
        uint256 start = vm.snapshotState();
        bytes32[LOOKS] memory without = _run(seed, false);
        vm.revertToState(start);
        _warp(START);
        bytes32[LOOKS] memory with = _run(seed, true);
        for (uint256 i; i < LOOKS; ++i) {
            require(with[i] == without[i], "an act of one changed what another earns");
        }
    }

    /// @dev 20: who claims when, and in which order, changes nobody's total.
    function test_claims__in_any_order_at_any_time__change_nobodys_total(uint256 seed, uint256 other)
        external
    {
        uint256 start = vm.snapshotState();
        bytes32 one = _claimAll(seed);
        vm.revertToState(start);
        _warp(START);
        require(_claimAll(other) == one, "the order of claims changed a total");
    }

    /// @dev 21: at one second, one funding or its parts: not a bit of the stream is different.
    function test_fund__in_parts_at_one_second__streams_as_the_whole(uint256 seed, uint256 parts) external {
        _warp(time + seed % (2 * STREAM));
        uint256 start = vm.snapshotState();
        uint256 whole;
        for (uint256 i; i <= parts % 8; ++i) {
            uint256 amount = _bound(uint256(keccak256(abi.encode(seed, i))), 1, i % 2 == 0 ? 1e12 : 1e3);
            _fund(share, amount);
            whole += amount;
        }
        bytes32 inParts = keccak256(abi.encode(share.streamState()));
        uint256 until = time + STREAM;
        _warp(until);
        bytes32 later = keccak256(abi.encode(share.streamState()));
        vm.revertToState(start);
        _warp(until - STREAM);
        _fund(share, whole);
        require(
            keccak256(abi.encode(share.streamState())) == inParts, "parts stream otherwise than the whole"
        );
        _warp(until);
        require(
            keccak256(abi.encode(share.streamState())) == later, "parts streamed otherwise than the whole"
        );
    }

    // ------------------------------------------------------------------ the runs

    function _run(uint256 seed, bool acting) private returns (bytes32[LOOKS] memory looks) {
        for (uint256 i; i < LOOKS; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            if (acting && i < LOOKS - 1) {
                _act(seed >> 8);
                _act(seed >> 128);
            }
            looks[i] = _bystanders();
            if (seed % 4 == 0) _fund(share, _bound(seed >> 64, 1, 1e12));
            _warp(time + _bound(seed >> 32, 1, 2 * STREAM));
        }
        looks[LOOKS - 1] = _bystanders();
    }

    function _act(uint256 seed) private {
        uint256 kind = seed % 13;
        uint256 amount = seed >> 16;
        uint256 available = share.availableBalanceOf(ACTOR);
        uint256 pledged = share.encumbrances(ACTOR, TAKER);
        if (kind == 0) _transfer(share, ACTOR, OTHER, amount % (available + 1));
        if (kind == 1 && share.claimableUsd6(ACTOR) != 0) _tryTo(abi.encodeCall(share.claimFor, (ACTOR)));
        if (kind == 2) _tryTo(abi.encodeCall(share.encumber, (TAKER, amount % (available + 1))));
        if (kind == 3) _tryTo(abi.encodeCall(share.assignIncome, (TAKER, amount % (pledged + 1), PAYEE)));
        if (kind == 4) _tryTo(abi.encodeCall(share.delegate, (OTHER)));
        if (kind == 5) _tryTo(abi.encodeCall(share.setPayee, (OTHER)));
        if (kind == 6) _tryTo(abi.encodeCall(share.claimAssigned, (ACTOR, PAYEE)));
        if (kind == 7) share.setFrozenTokens(ACTOR, amount % 4 == 0 ? 0 : amount >> 2);
        if (kind == 8) share.setFrozenTokens(ACTOR, ALL);
        if (kind == 9 && share.getFrozenTokens(ACTOR) == ALL) {
            share.forcedTransfer(ACTOR, OTHER, amount % (share.balanceOf(ACTOR) + 1));
        }
        if (kind == 10 && share.getFrozenTokens(ACTOR) == ALL && share.successorOf(ACTOR) == address(0)) {
            share.recover(ACTOR, LATER);
        }
        if (kind == 11) _tryAs(TAKER, abi.encodeCall(share.release, (ACTOR, amount % (pledged + 1))));
        if (kind == 12) {
            _tryAs(TAKER, abi.encodeCall(share.transferFrom, (ACTOR, OTHER, amount % (pledged + 1))));
        }
    }

    function _tryTo(bytes memory call) private {
        _tryAs(ACTOR, call);
    }

    /// @dev Refused where ACTOR is frozen, which is as good here.
    function _tryAs(address account, bytes memory call) private returns (bool done) {
        vm.prank(account);
        (done,) = address(share).call(call);
    }

    /// @dev Everything of those whom it does not concern; the payee's part as far as it is theirs.
    function _bystanders() private view returns (bytes32) {
        bytes memory all;
        for (uint256 i; i < 3; ++i) {
            all = abi.encode(all, share.accountState(bystanders[i]), share.earnedUsd6(bystanders[i]));
        }
        (uint256 units, uint256 earned, uint256 claimed) = share.interestState(bystanders[0], PAYEE);
        return keccak256(abi.encode(all, units, earned, claimed, share.streamState()));
    }

    /// @dev All who earn claim three times, in orders and at seconds that `seed` says, and once at the end.
    function _claimAll(uint256 seed) private returns (bytes32) {
        share.setFrozenTokens(bystanders[2], 0);
        for (uint256 i; i < 3; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            _warp(START + i * STREAM / 3 + seed % (STREAM / 3));
            for (uint256 j; j < 8; ++j) {
                _claimOne((j * (2 * (seed % 4) + 1) + seed / 4) % 8);
            }
        }
        _warp(START + 2 * STREAM);
        for (uint256 j; j < 8; ++j) {
            _claimOne((j * 3 + seed) % 8);
        }
        bytes memory all = abi.encode(usd.balanceOf(address(share)), usd.balanceOf(PAYEE));
        address[5] memory owners = [ACTOR, OTHER, bystanders[0], bystanders[1], bystanders[2]];
        for (uint256 i; i < 5; ++i) {
            all = abi.encode(all, share.accountState(owners[i]), usd.balanceOf(owners[i]));
        }
        return keccak256(all);
    }

    /// @dev Five owners and the three interests in their incomes.
    function _claimOne(uint256 which) private {
        address[8] memory who =
            [ACTOR, OTHER, bystanders[0], bystanders[1], bystanders[2], ACTOR, OTHER, bystanders[0]];
        if (which < 5) {
            if (share.claimableUsd6(who[which]) != 0) share.claimFor(who[which]);
            return;
        }
        (, uint256 earned,) = share.interestState(who[which], PAYEE);
        if (earned >= SCALE) share.claimAssigned(who[which], PAYEE);
    }
}
