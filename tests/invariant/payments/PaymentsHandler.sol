// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {InferencePayments} from "../../../contracts/payments/InferencePayments.sol";
import {Channel, PayerAccount} from "../../../contracts/payments/interfaces/IInferencePayments.sol";
import {ClusterId} from "../../../contracts/types/ClusterId.sol";
import {vm} from "../Vm.sol";
import {Draft, PaymentsFixture} from "./PaymentsFixture.sol";

/// @notice What anybody can do to the payments, in any order, beside a plain model of it: numbers in mappings, one step at
///         a time. Numbers of properties are those of the README.
contract PaymentsHandler is PaymentsFixture {
    struct Line {
        uint256 collected;
        uint256 locked;
        uint256 until;
        uint256 limit;
        uint256 expiresAt;
    }

    /// @dev What a model asks in 1/10,000, what from `from` on, and for whom.
    struct Ask {
        uint256 bps;
        uint256 nextBps;
        uint256 from;
        address payTo;
    }

    mapping(address payer => uint256) public balance;
    mapping(address payer => uint256) public requested;
    mapping(address payer => uint256) public dueAt;
    mapping(address gateway => mapping(address payer => mapping(address key => Line))) private _lines;
    mapping(uint256 place => uint256) public income;
    uint256 public deposited;
    uint256 public withdrawn;
    uint256 public collected;
    uint256 public fees;
    uint256 private _feesPaid;
    uint256 public royalties;
    Ask[2] private _asks;
    mapping(address payTo => uint256) private _royaltyOf;
    Draft private _last;
    address private _lastGateway;

    /// @dev A fee is in force from the start: one that is announced now is mostly replaced before it acts.
    constructor() {
        _open();
        for (uint256 i; i < 2; ++i) {
            (_asks[i].payTo, _asks[i].nextBps) = registry.royaltyOf(models[i]);
        }
        payments.schedulePlatformFee(137);
        vm.warp(block.timestamp + 7 days);
    }

    // ------------------------------------------------------------------ acts

    function deposit(uint256 payer, uint256 amount) external {
        amount = _bound(amount, 1, 50e6);
        _deposit(_payer(payer), amount);
        balance[_payer(payer)] += amount;
        deposited += amount;
    }

    function requestWithdrawal(uint256 payer, uint256 amount) external {
        address owner = _payer(payer);
        amount = _bound(amount, 0, balance[owner]);
        vm.prank(owner);
        payments.requestWithdrawal(amount);
        (requested[owner], dueAt[owner]) = (amount, amount == 0 ? 0 : block.timestamp + 1 days);
    }

    /// @dev Property 9.
    function withdraw(uint256 payer) external {
        address owner = _payer(payer);
        uint256 amount = requested[owner];
        uint256 held = usd.balanceOf(owner);
        vm.prank(owner);
        try payments.withdraw() {
            require(block.timestamp >= dueAt[owner], "a withdrawal came early");
            require(block.timestamp < dueAt[owner] + 1 days, "a withdrawal came late");
        } catch {
            require(
                amount == 0 || block.timestamp < dueAt[owner] || block.timestamp >= dueAt[owner] + 1 days,
                "a withdrawal was refused"
            );
            return;
        }
        require(usd.balanceOf(owner) - held == amount, "a withdrawal paid something else");
        balance[owner] -= amount;
        withdrawn += amount;
        (requested[owner], dueAt[owner]) = (0, 0);
    }

    function authorise(uint256 payer, uint256 gateway, uint256 limit, uint256 duration) external {
        Line storage line = _lines[_gateway(gateway)][_payer(payer)][_key(payer, true)];
        uint256 least = line.collected + _live(line);
        limit = _bound(limit, least + 1, least + 40e6);
        uint256 expiresAt = block.timestamp + _bound(duration, 1 days, 3 days);
        (address key, address owner) = (_key(payer, true), _payer(payer));
        vm.prank(owner);
        payments.authorise(key, _gateway(gateway), limit, expiresAt);
        (line.limit, line.expiresAt) = (limit, expiresAt);
    }

    function revoke(uint256 payer, uint256 gateway) external {
        Line storage line = _lines[_gateway(gateway)][_payer(payer)][_key(payer, true)];
        (address key, address owner) = (_key(payer, true), _payer(payer));
        vm.prank(owner);
        payments.revoke(key, _gateway(gateway));
        uint256 live = _live(line);
        (line.limit, line.expiresAt) =
        (line.collected + live, live == 0 && block.timestamp >= line.until ? 0 : line.until);
    }

    function lock(uint256 payer, bool hot, uint256 gateway, uint256 cover, uint256 duration) external {
        address owner = _payer(payer);
        Line storage line = _lines[_gateway(gateway)][owner][_key(payer, hot)];
        uint256 end = hot ? line.expiresAt : type(uint40).max;
        uint256 until = block.timestamp + _bound(duration, 1, 1 days);
        if (until > end) until = end;
        if (until <= block.timestamp || until < line.until) return;
        uint256 free = balance[owner] + (_live(line) == 0 ? line.locked : 0);
        uint256 most = line.collected + _live(line) + free;
        if (hot && most > line.limit) most = line.limit;
        uint256 least = line.collected + (_live(line) == 0 ? 1 : _live(line));
        if (most < least) return;
        cover = _bound(cover, least, most);
        _lock(payer, hot, _gateway(gateway), cover, until);
        _expire(owner, line);
        uint256 covered = line.collected + line.locked;
        _take(owner, cover - covered);
        line.locked += cover - covered;
        line.until = until;
    }

    /// @dev Property 8: nobody but its gateway before its end.
    function release(uint256 payer, bool hot, uint256 gateway, bool byGateway) external {
        (address owner, address key, address holder) = (_payer(payer), _key(payer, hot), _gateway(gateway));
        Line storage line = _lines[holder][owner][key];
        bool isOver = block.timestamp >= line.until;
        if (byGateway) vm.prank(holder);
        try payments.release(owner, key, holder) {
            require(byGateway || isOver, "somebody released a lock that holds");
            balance[owner] += line.locked;
            (line.locked, line.until) = (0, 0);
        } catch {
            require(line.locked == 0 || !(byGateway || isOver), "a release was refused");
        }
    }

    /// @dev Up to four vouchers at once: of payers or their session keys, of strangers, replayed, with and without parts.
    function collect(uint256 gateway, uint256[4] calldata seeds) external {
        uint256 count = 1 + seeds[0] % 4;
        Draft[] memory drafts = new Draft[](count);
        address holder = _gateway(gateway);
        uint256 before = collected;
        for (uint256 i; i < count; ++i) {
            drafts[i] = _draft(holder, seeds[i]);
        }
        uint256[WORKS] memory amounts;
        for (uint256 i; i < count; ++i) {
            _expect(holder, drafts[i], amounts);
        }
        (_last, _lastGateway) = (drafts[count - 1], holder);
        uint256 brought = _collect(holder, drafts);
        require(brought == collected - before, "a batch brought something else");
        _book(amounts);
    }

    /// @dev Property 5.
    function replay() external {
        if (_lastGateway == address(0)) return;
        Draft[] memory drafts = new Draft[](1);
        drafts[0] = _last;
        uint256[WORKS] memory amounts;
        _expect(_lastGateway, drafts[0], amounts);
        _collect(_lastGateway, drafts);
        _book(amounts);
        uint256 again = _collect(_lastGateway, drafts);
        require(again == 0, "a replay brought something");
    }

    function setRefuses(uint256 place, bool on) external {
        sink.setRefuses(clusters[place % 2], on);
    }

    function forward(uint256 place) external {
        ClusterId clusterId = clusters[place % 2];
        if (sink.refuses(clusterId) || payments.owedUsd6(clusterId, ROOT) == 0) return;
        payments.forward(clusterId, ROOT);
    }

    function schedulePlatformFee(uint256 feeBps) external {
        payments.schedulePlatformFee(_bound(feeBps, 0, 500));
    }

    function payTreasury() external {
        if (payments.treasuryOwedUsd6() != 0) _feesPaid += payments.payTreasury();
    }

    /// @dev Property 24.
    function setRoyalty(uint256 model, uint256 royaltyBps) external {
        Ask storage ask = _asks[model % 2];
        royaltyBps = _bound(royaltyBps, 0, 1_000);
        ask.bps = _rate(ask);
        ask.nextBps = royaltyBps;
        ask.from = royaltyBps > ask.bps ? block.timestamp + 7 days : block.timestamp;
        uint256 fromAt = registry.setRoyalty(models[model % 2], royaltyBps);
        require(fromAt == ask.from, "a royalty acts at another time");
    }

    function setPayTo(uint256 model, uint256 number) external {
        registry.setPayTo(models[model % 2], _payTo(number));
        _asks[model % 2].payTo = _payTo(number);
    }

    function payRoyalty(uint256 number) external {
        address payTo = _payTo(number);
        uint256 owed = payments.royaltyOwedUsd6(payTo);
        uint256 held = usd.balanceOf(payTo);
        try payments.payRoyalty(payTo) returns (uint256 amount) {
            require(amount == owed && usd.balanceOf(payTo) == held + owed, "a royalty paid something else");
        } catch {
            require(owed == 0, "a royalty was not paid");
        }
    }

    /// @dev Seldom: every lock and most keys are over then.
    function waitForNotice(uint256 seed) external {
        if (seed % 8 == 0) vm.warp(block.timestamp + 7 days);
    }

    function wait_(uint256 duration) external {
        vm.warp(block.timestamp + _bound(duration, 1, 8 hours));
    }

    // ------------------------------------------------------------------ the model

    function _draft(address holder, uint256 seed) private view returns (Draft memory draft) {
        bool hot = seed % 2 == 0;
        draft.payer = _payer(seed >> 8);
        draft.signer = _secret(seed >> 8, hot);
        Line storage line = _lines[holder][draft.payer][_key(seed >> 8, hot)];
        draft.cumulative = line.collected + (seed >> 16) % 20e6;
        // A stranger's, and one that was collected before, one time in eight each.
        if ((seed >> 48) % 8 == 0) draft.signer = 999;
        if ((seed >> 48) % 8 == 1) draft.cumulative = line.collected / 2;
        draft.place = uint8((seed >> 64) % WORKS);
        // What a batch is packed from may be old.
        draft.before = (seed >> 56) % 8 == 0 ? line.collected / 2 : line.collected;
        draft.parts = new uint56[]((seed >> 72) % (WORKS + 1));
        for (uint256 i; i < draft.parts.length; ++i) {
            draft.parts[i] = uint56((seed >> (80 + 24 * i)) % 12e6);
        }
    }

    /// @dev What a voucher should bring: properties 4, 7, 8, 10, 11 by what is left as it was.
    function _expect(address holder, Draft memory draft, uint256[WORKS] memory amounts) private {
        address key = vm.addr(draft.signer);
        Line storage line = _lines[holder][draft.payer][key];
        uint256 most = draft.cumulative;
        if (key != draft.payer) {
            if (block.timestamp >= line.expiresAt) return;
            if (most > line.limit) most = line.limit;
        }
        if (draft.cumulative <= line.collected || most <= line.collected) return;
        if (draft.parts.length != 0 && draft.before != line.collected) return;
        _expire(draft.payer, line);
        uint256 wanted = most - line.collected;
        uint256 money = balance[draft.payer] + line.locked;
        uint256 taken = wanted < money ? wanted : money;
        taken = _pour(draft, taken, amounts);
        uint256 fromLock = taken < line.locked ? taken : line.locked;
        line.locked -= fromLock;
        if (line.locked == 0 && fromLock != 0) line.until = 0;
        _take(draft.payer, taken - fromLock);
        line.collected += taken;
        collected += taken;
    }

    function _pour(Draft memory draft, uint256 amount, uint256[WORKS] memory amounts)
        private
        pure
        returns (uint256 poured)
    {
        if (draft.parts.length == 0) {
            amounts[draft.place] += amount;
            return amount;
        }
        for (uint256 i; i < draft.parts.length; ++i) {
            uint256 part = draft.parts[i];
            if (part > amount - poured) part = amount - poured;
            amounts[i % WORKS] += part;
            poured += part;
        }
    }

    /// @dev Property 23. The fee is of a cluster's works together, a royalty of each.
    function _book(uint256[WORKS] memory amounts) private {
        (uint256 feeBps,,) = payments.platformFee();
        uint256[2] memory paid = [amounts[0] + amounts[1] + amounts[2], amounts[3]];
        uint256[2] memory shares =
            [_royalty(0, amounts[1]) + _royalty(1, amounts[2]), _royalty(0, amounts[3])];
        for (uint256 i; i < 2; ++i) {
            uint256 fee = paid[i] * feeBps / 10_000;
            fees += fee;
            income[i] += paid[i] - fee - shares[i];
        }
    }

    function _royalty(uint256 model, uint256 amount) private returns (uint256 royalty) {
        royalty = amount * _rate(_asks[model]) / 10_000;
        royalties += royalty;
        _royaltyOf[_asks[model].payTo] += royalty;
    }

    function _rate(Ask storage ask) private view returns (uint256) {
        return block.timestamp < ask.from ? ask.bps : ask.nextBps;
    }

    /// @dev Property 15.
    function _take(address payer, uint256 amount) private {
        balance[payer] -= amount;
        if (requested[payer] <= balance[payer]) return;
        requested[payer] = balance[payer];
        if (balance[payer] == 0) dueAt[payer] = 0;
    }

    function _expire(address payer, Line storage line) private {
        if (line.locked == 0 || block.timestamp < line.until) return;
        balance[payer] += line.locked;
        (line.locked, line.until) = (0, 0);
    }

    function _live(Line storage line) private view returns (uint256) {
        return block.timestamp < line.until ? line.locked : 0;
    }

    // ------------------------------------------------------------------ what the invariants ask

    /// @dev Properties 1 to 3 and 23.
    function checkMoney() external view {
        uint256 claims = payments.treasuryOwedUsd6();
        require(claims + _feesPaid == fees, "the fee is something else");
        uint256 inside = 0;
        for (uint256 i; i < 2; ++i) {
            uint256 royalty = payments.royaltyOwedUsd6(_payTo(i));
            require(
                royalty + usd.balanceOf(_payTo(i)) == _royaltyOf[_payTo(i)], "a royalty is something else"
            );
            claims += royalty;
            uint256 owed = payments.owedUsd6(clusters[i], ROOT);
            require(sink.received(clusters[i]) + owed == income[i], "a cluster's income is something else");
            claims += owed;
        }
        for (uint256 p; p < PAYERS; ++p) {
            inside += payments.account(_payer(p)).balanceUsd6;
            for (uint256 g; g < GATEWAYS; ++g) {
                inside += payments.channel(_payer(p), _payer(p), _gateway(g)).lockedUsd6;
                inside += payments.channel(_payer(p), _key(p, true), _gateway(g)).lockedUsd6;
            }
        }
        require(usd.balanceOf(address(payments)) == inside + claims, "money is not conserved");
        require(deposited == withdrawn + inside + collected, "a payer's money went elsewhere");
        require(
            collected == income[0] + income[1] + fees + royalties, "not all that was collected was allocated"
        );
    }

    /// @dev Property 24.
    function checkModels() external view {
        for (uint256 i; i < 2; ++i) {
            (address payTo, uint256 royaltyBps) = registry.royaltyOf(models[i]);
            require(payTo == _asks[i].payTo, "somebody else is paid");
            require(royaltyBps == _rate(_asks[i]), "a royalty is asked too early");
        }
    }

    /// @dev Every number, against the model.
    function checkBooks() external view {
        for (uint256 p; p < PAYERS; ++p) {
            PayerAccount memory found = payments.account(_payer(p));
            require(found.balanceUsd6 == balance[_payer(p)], "a balance is something else");
            bool isLapsed = block.timestamp >= dueAt[_payer(p)] + 1 days;
            require(
                found.requestedUsd6 == (isLapsed ? 0 : requested[_payer(p)]), "a request is something else"
            );
            require(
                found.withdrawableAt == (isLapsed ? 0 : dueAt[_payer(p)]), "a request is due at another time"
            );
            require(found.requestedUsd6 <= found.balanceUsd6, "more than there is may be withdrawn");
            for (uint256 g; g < GATEWAYS; ++g) {
                _checkLine(_gateway(g), _payer(p), _payer(p));
                _checkLine(_gateway(g), _payer(p), _key(p, true));
            }
        }
    }

    /// @dev Properties 4 and 12.
    function _checkLine(address gateway, address payer, address key) private view {
        Line storage line = _lines[gateway][payer][key];
        Channel memory found = payments.channel(payer, key, gateway);
        require(found.collectedUsd6 == line.collected, "a channel collected something else");
        require(found.lockedUsd6 == line.locked, "a lock is something else");
        require(found.lockedUntil == line.until, "a lock's end is something else");
        if (key == payer) return;
        require(
            found.limitUsd6 == line.limit && found.expiresAt == line.expiresAt, "terms are something else"
        );
        require(line.collected + _live(line) <= line.limit, "more than the limit is promised");
    }

    function book() external view returns (InferencePayments) {
        return payments;
    }
}
