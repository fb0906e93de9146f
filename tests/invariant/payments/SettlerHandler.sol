// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TestUsd} from "../../../contracts/mocks/TestUsd.sol";
import {PendingBatch} from "../../../contracts/payments/interfaces/IX402Settler.sol";
import {X402Settler} from "../../../contracts/payments/X402Settler.sol";
import {ClusterId} from "../../../contracts/types/ClusterId.sol";
import {ModelId} from "../../../contracts/types/ModelId.sol";
import {Work} from "../../../contracts/types/Work.sol";
import {vm} from "../Vm.sol";
import {PaymentsFixture} from "./PaymentsFixture.sol";

/// @notice What anybody can do to the settler, in any order, beside a plain model of it. Numbers of properties are those of
///         the README.
contract SettlerHandler is PaymentsFixture {
    struct Batch {
        uint256 gateway;
        uint256 place;
        uint256[] entries;
        uint256 amount;
        uint256 settledAt;
        bool isOpen;
    }

    /// @dev One payment to be brought, and whether it must be good.
    struct Draft {
        uint256 payer;
        uint256 value;
        uint256 nonce;
        bool isGood;
    }

    uint256 private constant START = 1_000e6;
    uint256 private constant NONCES = 40;
    uint256 private constant ROYALTY_BPS = 733;

    X402Settler internal settler;
    Batch[] private _batches;
    mapping(address payer => mapping(uint256 nonce => bool)) private _used;
    mapping(address payer => uint256) private _spent;
    mapping(address payer => uint256) private _credits;
    mapping(address payTo => uint256) private _bare;
    mapping(uint256 place => uint256) private _income;
    uint256 private _fees;
    uint256 private _royalties;
    uint256 private _taken;
    uint256 private _gross;
    uint256 private _credited;

    constructor() {
        _open();
        settler = new X402Settler(payments, usd);
        payments.schedulePlatformFee(137);
        registry.setRoyalty(models[0], ROYALTY_BPS);
        registry.setPayTo(models[0], _payTo(0));
        vm.warp(block.timestamp + 7 days);
        for (uint256 p; p < PAYERS; ++p) {
            usd.mint(_payer(p), START);
        }
    }

    // ------------------------------------------------------------------ what can be done

    /// @dev Up to three payments at once: good, forged, of used nonces, for another gateway, of too much.
    function settle(uint256 gateway, uint256 place, uint256[3] calldata seeds, uint256 unused) external {
        if (sink.refuses(clusters[place % 2])) return;
        (Draft[] memory drafts, bytes memory packed) = _drafts(gateway, place, seeds);
        (uint256 sum, uint256[] memory entries) = _expect(drafts);
        (uint256[] memory credits, uint256 credited) = _credit(drafts, unused);
        vm.prank(_gateway(gateway));
        uint256 settled = settler.settle(_work(place), packed, credits, ROOT);
        require(settled == sum, "a batch took something else");
        if (sum != 0) _book(place, sum, credited);
        require(entries.length == 2 * drafts.length, "an entry is missing");
    }

    function settleAhead(uint256 gateway, uint256 place, uint256[3] calldata seeds) external {
        (Draft[] memory drafts, bytes memory packed) = _drafts(gateway, place, seeds);
        (uint256 sum, uint256[] memory entries) = _expect(drafts);
        vm.prank(_gateway(gateway));
        (bytes32 batchId, uint256 settled) = settler.settleAhead(_work(place), packed);
        require(settled == sum, "a batch took something else");
        if (sum == 0) return;
        Batch memory batch = Batch(gateway, place, entries, sum, block.timestamp, true);
        require(batchId == _idOf(batch), "a batch has another name");
        _batches.push(batch);
    }

    /// @dev Property 20. Whoever is not its gateway is refused, as is a second time.
    function allocate(uint256 index, uint256 byGateway, uint256 unused) external {
        if (_batches.length == 0) return;
        Batch storage batch = _batches[index % _batches.length];
        if (sink.refuses(clusters[batch.place % 2])) return;
        Draft[] memory drafts = new Draft[](batch.entries.length / 2);
        for (uint256 i; i < drafts.length; ++i) {
            uint256 entry = batch.entries[2 * i];
            (drafts[i].value, drafts[i].isGood) = (uint96(entry), entry != 0);
        }
        bool isAllowed = batch.isOpen && _gateway(byGateway) == _gateway(batch.gateway);
        (uint256[] memory credits, uint256 credited) = _words(drafts, unused);
        vm.prank(_gateway(byGateway));
        try settler.allocate(_work(batch.place), batch.entries, credits, ROOT) {
            require(isAllowed, "somebody else allocated, or twice");
        } catch {
            require(!isAllowed, "an allocation was refused");
            return;
        }
        for (uint256 i; i < drafts.length; ++i) {
            address payer = address(uint160(batch.entries[2 * i] >> 96));
            if (drafts[i].isGood) _credits[payer] += uint64(credits[i]);
        }
        batch.isOpen = false;
        _book(batch.place, batch.amount, credited);
    }

    /// @dev Property 21.
    function passOn(uint256 index) external {
        if (_batches.length == 0) return;
        Batch storage batch = _batches[index % _batches.length];
        if (sink.refuses(clusters[batch.place % 2])) return;
        try settler.passOn(_gateway(batch.gateway), _work(batch.place), batch.entries) {
            require(batch.isOpen && block.timestamp >= batch.settledAt + 1 days, "passed on too early");
        } catch {
            require(!batch.isOpen || block.timestamp < batch.settledAt + 1 days, "not passed on");
            return;
        }
        batch.isOpen = false;
        _book(batch.place, batch.amount, 0);
    }

    function sweep(uint256 gateway, uint256 place) external {
        address payTo = settler.payTo(clusters[place % 2], _gateway(gateway));
        uint256 amount = _bare[payTo];
        if (amount == 0 || sink.refuses(clusters[place % 2])) return;
        settler.sweep(clusters[place % 2], _gateway(gateway));
        _bare[payTo] = 0;
        _taken += amount;
        // Nobody says with which model it was earned.
        _earn(place, amount, 0);
    }

    function transfer(uint256 payer, uint256 gateway, uint256 place, uint256 amount) external {
        address payTo = settler.payTo(clusters[place % 2], _gateway(gateway));
        address owner = _payer(payer);
        amount = _bound(amount, 0, usd.balanceOf(owner));
        vm.prank(owner);
        usd.transfer(payTo, amount);
        (_spent[owner], _bare[payTo]) = (_spent[owner] + amount, _bare[payTo] + amount);
    }

    /// @dev Somebody brings a payment to the stablecoin, past the settler.
    function front(uint256 gateway, uint256 place, uint256 seed) external {
        address payTo = settler.payTo(clusters[place % 2], _gateway(gateway));
        Draft memory draft = _draft(seed);
        address owner = _payer(draft.payer);
        if (_used[owner][draft.nonce] || draft.value > usd.balanceOf(owner)) return;
        bytes memory signature = _signed(payTo, draft, _secret(draft.payer, false));
        usd.transferWithAuthorization(
            owner, payTo, draft.value, 0, type(uint40).max, bytes32(draft.nonce), signature
        );
        _used[owner][draft.nonce] = true;
        (_spent[owner], _bare[payTo]) = (_spent[owner] + draft.value, _bare[payTo] + draft.value);
    }

    function cancel(uint256 payer, uint256 nonce) external {
        nonce = 1 + nonce % NONCES;
        address owner = _payer(payer);
        if (_used[owner][nonce]) return;
        bytes32 digest =
            _digest(keccak256(abi.encode(usd.CANCEL_AUTHORIZATION_TYPEHASH(), owner, bytes32(nonce))));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_secret(payer, false), digest);
        usd.cancelAuthorization(owner, bytes32(nonce), v, r, s);
        _used[owner][nonce] = true;
    }

    function setRefuses(uint256 place, bool on) external {
        sink.setRefuses(clusters[place % 2], on);
    }

    function wait_(uint256 duration) external {
        vm.warp(block.timestamp + _bound(duration, 1, 12 hours));
    }

    // ------------------------------------------------------------------ the model

    function _draft(uint256 seed) private pure returns (Draft memory draft) {
        (draft.payer, draft.value) = (seed % PAYERS, (seed >> 8) % 30e6);
        draft.nonce = 1 + (seed >> 40) % NONCES;
    }

    function _drafts(uint256 gateway, uint256 place, uint256[3] calldata seeds)
        private
        view
        returns (Draft[] memory drafts, bytes memory packed)
    {
        drafts = new Draft[](1 + seeds[0] % 3);
        for (uint256 i; i < drafts.length; ++i) {
            Draft memory draft = drafts[i] = _draft(seeds[i] >> 8);
            uint256 kind = (seeds[i] >> 64) % 8;
            draft.isGood = kind > 2;
            // For another gateway, by another hand, of more than there is.
            address payTo = settler.payTo(clusters[place % 2], _gateway(kind == 0 ? gateway ^ 1 : gateway));
            if (kind == 2) draft.value = START + 1;
            bytes memory signature = _signed(payTo, draft, kind == 1 ? 999 : _secret(draft.payer, false));
            packed = bytes.concat(
                packed,
                abi.encodePacked(
                    _payer(draft.payer),
                    uint56(draft.value),
                    type(uint40).max,
                    bytes32(draft.nonce),
                    uint40(0),
                    uint16(65),
                    signature
                )
            );
        }
    }

    /// @dev Property 18: a payer and a nonce are settled once.
    function _expect(Draft[] memory drafts) private returns (uint256 sum, uint256[] memory entries) {
        entries = new uint256[](2 * drafts.length);
        for (uint256 i; i < drafts.length; ++i) {
            Draft memory draft = drafts[i];
            address owner = _payer(draft.payer);
            if (_used[owner][draft.nonce] || draft.value > START - _spent[owner]) draft.isGood = false;
            if (!draft.isGood) continue;
            _used[owner][draft.nonce] = true;
            _spent[owner] += draft.value;
            sum += draft.value;
            entries[2 * i] = uint256(uint160(owner)) << 96 | draft.value;
            entries[2 * i + 1] = draft.nonce;
        }
        _taken += sum;
    }

    /// @dev What is not used of each, a bad one's too.
    function _words(Draft[] memory drafts, uint256 unused)
        private
        pure
        returns (uint256[] memory credits, uint256 credited)
    {
        credits = new uint256[](drafts.length);
        for (uint256 i; i < drafts.length; ++i) {
            uint256 amount = (unused >> (32 * i)) % (drafts[i].value + 1);
            if (amount > type(uint64).max) amount = 0;
            credits[i] = i << 64 | amount;
            if (drafts[i].isGood) credited += amount;
        }
    }

    function _credit(Draft[] memory drafts, uint256 unused)
        private
        returns (uint256[] memory credits, uint256 credited)
    {
        (credits, credited) = _words(drafts, unused);
        for (uint256 i; i < drafts.length; ++i) {
            if (drafts[i].isGood) _credits[_payer(drafts[i].payer)] += uint64(credits[i]);
        }
    }

    function _book(uint256 place, uint256 amount, uint256 credited) private {
        uint256 royalty = place % 2 == 0 ? 0 : (amount - credited) * ROYALTY_BPS / 10_000;
        _royalties += royalty;
        _earn(place, amount - credited, royalty);
        _credited += credited;
    }

    function _earn(uint256 place, uint256 amount, uint256 royalty) private {
        (uint256 feeBps,,) = payments.platformFee();
        uint256 fee = amount * feeBps / 10_000;
        _fees += fee;
        _income[place % 2] += amount - fee - royalty;
        _gross += amount;
    }

    /// @dev Each cluster's first: the one with a model that is nobody's, the other with a registered one.
    function _work(uint256 place) private view returns (Work memory) {
        return works[place % 2 == 0 ? 0 : WORKS - 1];
    }

    function _idOf(Batch memory batch) private view returns (bytes32) {
        Work memory work = _work(batch.place);
        return keccak256(
            abi.encode(
                _gateway(batch.gateway),
                ClusterId.unwrap(work.clusterId),
                ModelId.unwrap(work.modelId),
                batch.entries
            )
        );
    }

    function _signed(address payTo, Draft memory draft, uint256 secret) private view returns (bytes memory) {
        bytes32 digest = _digest(
            keccak256(
                abi.encode(
                    usd.TRANSFER_WITH_AUTHORIZATION_TYPEHASH(),
                    _payer(draft.payer),
                    payTo,
                    draft.value,
                    0,
                    type(uint40).max,
                    bytes32(draft.nonce)
                )
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(secret, digest);
        return abi.encodePacked(r, s, v);
    }

    function _digest(bytes32 structHash) private view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", usd.DOMAIN_SEPARATOR(), structHash));
    }

    // ------------------------------------------------------------------ what the invariants ask

    /// @dev Properties 16, 17, 19 and 22.
    function checkSettler() external view {
        uint256 waits = 0;
        for (uint256 i; i < _batches.length; ++i) {
            PendingBatch memory found = settler.pending(_idOf(_batches[i]));
            uint256 expected = _batches[i].isOpen ? _batches[i].amount : 0;
            require(found.amountUsd6 == expected, "a batch is something else");
            waits += expected;
        }
        require(usd.balanceOf(address(settler)) == waits, "the settler holds something else");
        require(_taken == _gross + _credited + waits, "what was taken went elsewhere");
        for (uint256 p; p < PAYERS; ++p) {
            address owner = _payer(p);
            require(usd.balanceOf(owner) == START - _spent[owner], "a payer paid something else");
            require(payments.account(owner).balanceUsd6 == _credits[owner], "a credit is something else");
        }
        for (uint256 i; i < 2; ++i) {
            require(sink.received(clusters[i]) == _income[i], "a cluster's income is something else");
            for (uint256 g; g < GATEWAYS; ++g) {
                address payTo = settler.payTo(clusters[i], _gateway(g));
                require(usd.balanceOf(payTo) == _bare[payTo], "bare transfers were touched");
            }
        }
        require(payments.treasuryOwedUsd6() == _fees, "the fee is something else");
        require(payments.royaltyOwedUsd6(_payTo(0)) == _royalties, "the royalty is something else");
    }
}
