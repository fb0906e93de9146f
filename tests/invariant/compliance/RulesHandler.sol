// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {HoldingLimits, Refusal} from "../../../contracts/compliance/interfaces/IHoldingRules.sol";
import {RulesModel} from "./RulesModel.sol";

/// @notice Everything that can happen to holders and their wallets, in any order.
/// @dev Each action checks the properties 2 to 5 of this folder's README around itself. No action may revert.
contract RulesHandler is RulesModel {
    uint256 private constant NOTICE = 7 days;
    uint16[3] private COUNTRIES = [uint16(1), 528, 840];

    /// @dev What is in force, and what is scheduled with its second, by what was done so far.
    HoldingLimits private limits;
    HoldingLimits private scheduled;
    uint256 private limitsFromAt;
    uint256 private countriesFromAt;

    constructor() {
        _open();
        // A lock-up can be put on only now.
        uint16 today = uint16(time / 1 days);
        limits = HoldingLimits(5, 100, 4, [today + 2, today + 30, today + 9], true);
        identities.scheduleLimits(address(share), limits);
        for (uint256 i; i < INVESTORS; ++i) {
            // The last wallet of each is left for the search to attest.
            for (uint256 j; j < WALLETS - 1; ++j) {
                _admit(walletOf(i, j), COUNTRIES[i % 3], uint8(1 + i % 3), NEVER);
            }
            _move(address(0), walletOf(i, 0), 10 + 10 * i, false);
        }
    }

    // ---------------------------------------------------------------- wallets

    function attest(uint256 who, uint256 seed) external {
        address wallet = _wallet(who);
        if (known[wallet].isBlocked) return;
        uint256 expiresAt = seed % 8 == 0 ? time + 2 + seed % 10 days : NEVER;
        _admit(wallet, COUNTRIES[seed % 3], uint8(1 + (seed >> 8) % 3), expiresAt);
    }

    function revokeWallet(uint256 who) external {
        address wallet = _wallet(who >> 2);
        if (who % 4 != 0 || !known[wallet].isAttested) return;
        identities.revokeWallet(wallet);
        known[wallet].expiresAt = 0;
    }

    function revokeInvestor(uint256 who) external {
        if (who % 8 != 0) return;
        uint256 investor = (who >> 3) % INVESTORS;
        identities.revokeInvestor(bytes16(uint128(investor + 1)));
        for (uint256 i; i < WALLETS; ++i) {
            known[walletOf(investor, i)].expiresAt = 0;
        }
    }

    /// @dev Seldom: a wallet that is blocked is out of the search for good.
    function blockWallet(uint256 who) external {
        if (who % 8 != 0) return;
        address wallet = _wallet(who >> 3);
        identities.blockWallet(wallet);
        (known[wallet].isBlocked, known[wallet].expiresAt) = (true, 0);
    }

    function wait(uint256 seed) external {
        _warp(time + _bound(seed >> 8, 1, seed % 2 == 0 ? 1 hours : 8 days));
    }

    // ---------------------------------------------------------------- moves

    function issue(uint256 to, uint256 amount) external {
        if (share.totalSupply() < 300) _move(address(0), _receiver(to), _bound(amount, 0, 60), false);
    }

    function burn(uint256 from, uint256 amount, bool forced) external {
        address wallet = _sender(from);
        _move(wallet, address(0), _part(wallet, amount), forced);
    }

    function transfer(uint256 from, uint256 to, uint256 amount) external {
        address wallet = _sender(from);
        _move(wallet, _receiver(to), _part(wallet, amount), false);
    }

    function force(uint256 from, uint256 to, uint256 amount) external {
        address wallet = _sender(from);
        _move(wallet, _receiver(to), _part(wallet, amount), true);
    }

    /// @dev Property 2: it goes through if and only if the model says so, and for the reason that was foretold.
    function _move(address from, address to, uint256 amount, bool forced) private {
        Refusal expected = _expected(from, to, amount, forced);
        if (!forced) {
            (Refusal foretold,) = share.refusalOf(from, to, amount);
            require(foretold == expected, "foretold something else than the model");
        }
        try share.move(from, to, amount, forced) {
            require(expected == Refusal.None, "moved what the model refuses");
            if (from != address(0)) balances[from] -= amount;
            if (to != address(0)) balances[to] += amount;
        } catch (bytes memory reason) {
            require(bytes4(reason) == _selectorOf(expected), "refused for another reason");
        }
    }

    // ---------------------------------------------------------------- rules

    /// @dev Properties 3 and 4. Half of the time the notice, if one is needed, passes at once.
    function scheduleLimits(uint256 seed) external {
        HoldingLimits memory next = _limits(seed);
        bool isIssued = share.totalSupply() != 0;
        bool longer = _isLockedLonger(limits, next);
        try identities.scheduleLimits(address(share), next) {
            require(!isIssued || !longer, "a lock-up was made longer");
            if (isIssued && !_isLooser(limits, next)) {
                (scheduled, limitsFromAt) = (next, time + NOTICE);
            } else {
                (limits, limitsFromAt) = (next, 0);
            }
        } catch {
            require(isIssued && longer, "limits were refused");
        }
        _checkLimits();
        if (seed >> 255 == 0 && limitsFromAt != 0) applyRules(true);
    }

    function scheduleCountries(uint256 seed, bool excluded) external {
        uint16[] memory countries = new uint16[](1);
        countries[0] = COUNTRIES[seed % 3];
        bool before = identities.isCountryExcluded(address(share), countries[0]);
        identities.scheduleCountries(address(share), countries, excluded);
        bool atOnce = !excluded || share.totalSupply() == 0;
        countriesFromAt = atOnce ? 0 : time + NOTICE;
        require(
            identities.isCountryExcluded(address(share), countries[0]) == (atOnce ? excluded : before),
            "a country was excluded without notice"
        );
    }

    function applyRules(bool waiting) public {
        if (waiting && limitsFromAt > time) _warp(limitsFromAt);
        bool isDue =
            (limitsFromAt != 0 && time >= limitsFromAt) || (countriesFromAt != 0 && time >= countriesFromAt);
        try identities.applyRules(address(share)) {
            require(isDue, "rules in force before their notice was over");
        } catch {
            require(!isDue, "rules not in force after their notice");
        }
        if (countriesFromAt != 0 && time >= countriesFromAt) countriesFromAt = 0;
        if (limitsFromAt != 0 && time >= limitsFromAt) (limits, limitsFromAt) = (scheduled, 0);
        _checkLimits();
    }

    function withdrawRules() external {
        if (limitsFromAt == 0 && countriesFromAt == 0) return;
        identities.withdrawRules(address(share));
        (limitsFromAt, countriesFromAt) = (0, 0);
    }

    // ---------------------------------------------------------------- what the invariants ask

    /// @dev Property 5.
    function checkExits(uint256 investor) external view {
        for (uint256 i; i < WALLETS; ++i) {
            address wallet = walletOf(investor, i);
            uint256 balance = balances[wallet];
            if (balance == 0 || balance != totalOf(investor)) continue;
            (Refusal refusal,) = share.refusalOf(wallet, address(0), balance);
            require(
                refusal == Refusal.None || refusal == Refusal.SenderBlocked
                    || refusal == Refusal.SenderLocked,
                "a holder cannot leave"
            );
        }
    }

    function rulesAndShare() external view returns (address, address) {
        return (address(identities), address(share));
    }

    function _checkLimits() private view {
        require(
            keccak256(abi.encode(identities.limitsOf(address(share)))) == keccak256(abi.encode(limits)),
            "other limits are in force"
        );
    }

    function _admit(address wallet, uint16 country, uint8 class, uint256 expiresAt) private {
        _attest(wallet, _investorOf(wallet) + 1, country, class, expiresAt);
        known[wallet] = Known(true, false, expiresAt, country, class);
    }

    /// @dev Half of the limits are none; the others are small enough to be met often.
    function _limits(uint256 seed) private view returns (HoldingLimits memory next) {
        if (seed % 2 == 0) next.minHolding = uint64((seed >> 8) % 20);
        if ((seed >> 1) % 2 == 0) next.maxHolding = uint64(20 + (seed >> 16) % 100);
        if ((seed >> 2) % 2 == 0) next.maxHolders = uint32(1 + (seed >> 24) % INVESTORS);
        next.excludesCountries = (seed >> 3) % 2 == 0;
        for (uint256 i; i < 3; ++i) {
            // With shares issued a lock-up can be no longer: half of them stay as they are, or end.
            bool isNew = share.totalSupply() == 0 || (seed >> (32 + i)) % 16 == 0;
            next.lockedUntilDay[i] = (seed >> (40 + i)) % 4 == 0
                ? 0
                : isNew ? uint16(time / 1 days + (seed >> (48 + 8 * i)) % 4) : limits.lockedUntilDay[i];
        }
    }

    /// @dev Nothing, one, all or some of a balance.
    function _part(address wallet, uint256 seed) private view returns (uint256) {
        uint256 balance = balances[wallet];
        if (seed % 4 == 0) return balance;
        if (seed % 16 == 1) return 0;
        return _bound(seed >> 4, 0, balance);
    }

    function _wallet(uint256 seed) private pure returns (address) {
        return walletOf(seed % INVESTORS, seed / INVESTORS % WALLETS);
    }

    /// @dev Any wallet; seven times in eight the next one that holds something, if one does.
    function _sender(uint256 seed) private view returns (address) {
        for (uint256 i; i < INVESTORS * WALLETS && seed % 8 != 0; ++i) {
            address wallet = _wallet((seed >> 3) + i);
            if (balances[wallet] != 0) return wallet;
        }
        return _wallet(seed >> 3);
    }

    /// @dev Any wallet; seven times in eight the next one that may receive, if one may.
    function _receiver(uint256 seed) private view returns (address) {
        for (uint256 i; i < INVESTORS * WALLETS && seed % 8 != 0; ++i) {
            address wallet = _wallet((seed >> 3) + i);
            if (time < known[wallet].expiresAt) return wallet;
        }
        return _wallet(seed >> 3);
    }
}
