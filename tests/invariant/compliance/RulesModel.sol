// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {
    HoldingLimits,
    IHoldingRules,
    Refusal
} from "../../../contracts/compliance/interfaces/IHoldingRules.sol";
import {IMoveRefusals} from "../../../contracts/compliance/interfaces/IMoveRefusals.sol";
import {RulesFixture} from "./RulesFixture.sol";

/// @notice The rules in the plainest words there are: every total is summed anew over every wallet, every holder is
///         counted anew. Four investors have up to four wallets each.
abstract contract RulesModel is RulesFixture {
    uint256 internal constant INVESTORS = 4;
    uint256 internal constant WALLETS = 4;

    struct Known {
        bool isAttested;
        bool isBlocked;
        uint256 expiresAt;
        uint16 country;
        uint8 class;
    }

    mapping(address wallet => Known) internal known;

    /// @dev What moved so far, kept beside the share.
    mapping(address wallet => uint256) public balances;

    function walletOf(uint256 investor, uint256 number) public pure returns (address) {
        return address(uint160((investor + 1) * 0x1000 + number));
    }

    function totalOf(uint256 investor) public view returns (uint256 total) {
        for (uint256 i; i < WALLETS; ++i) {
            total += balances[walletOf(investor, i)];
        }
    }

    function countHolders() public view returns (uint256 count) {
        for (uint256 i; i < INVESTORS; ++i) {
            if (totalOf(i) != 0) ++count;
        }
    }

    function _investorOf(address wallet) internal pure returns (uint256) {
        return uint160(wallet) / 0x1000 - 1;
    }

    function _expected(address from, address to, uint256 amount, bool forced)
        internal
        view
        returns (Refusal)
    {
        HoldingLimits memory limits = identities.limitsOf(address(share));
        Known memory sender = known[from];
        Known memory receiver = known[to];
        if (from != address(0) && !forced) {
            if (sender.isBlocked) return Refusal.SenderBlocked;
            if (sender.isAttested && time < uint256(limits.lockedUntilDay[sender.class - 1]) * 1 days) {
                return Refusal.SenderLocked;
            }
        }
        // A wallet that was never attested is nobody's, whoever is going to have it.
        bool within = sender.isAttested && receiver.isAttested && _investorOf(from) == _investorOf(to);
        if (to != address(0)) {
            if (receiver.isBlocked) return Refusal.ReceiverBlocked;
            if (!receiver.isAttested || time >= receiver.expiresAt) return Refusal.ReceiverNotAttested;
            bool excluded = identities.isCountryExcluded(address(share), receiver.country);
            if (!within && limits.excludesCountries && excluded) return Refusal.CountryExcluded;
        }
        if (within || amount == 0) return Refusal.None;
        return _expectedOfTotals(limits, from, to, amount, forced);
    }

    function _expectedOfTotals(
        HoldingLimits memory limits,
        address from,
        address to,
        uint256 amount,
        bool forced
    ) private view returns (Refusal) {
        uint256 before = countHolders();
        uint256 afterwards = before;
        if (from != address(0)) {
            uint256 rest = totalOf(_investorOf(from)) - amount;
            if (rest == 0) --afterwards;
            else if (!forced && rest < limits.minHolding) return Refusal.SenderBelowMinimum;
        }
        if (to != address(0)) {
            uint256 held = totalOf(_investorOf(to));
            if (held == 0) ++afterwards;
            if (held + amount < limits.minHolding) return Refusal.ReceiverBelowMinimum;
            if (limits.maxHolding != 0 && held + amount > limits.maxHolding) {
                return Refusal.ReceiverAboveMaximum;
            }
        }
        bool isFull = limits.maxHolders != 0 && afterwards > limits.maxHolders;
        return afterwards > before && isFull ? Refusal.TooManyHolders : Refusal.None;
    }

    function _selectorOf(Refusal refusal) internal pure returns (bytes4) {
        if (refusal == Refusal.SenderBlocked) return IHoldingRules.ERC7943CannotSend.selector;
        if (refusal == Refusal.SenderLocked) return IMoveRefusals.HoldingRules_Locked.selector;
        if (refusal == Refusal.ReceiverNotAttested || refusal == Refusal.ReceiverBlocked) {
            return IHoldingRules.ERC7943CannotReceive.selector;
        }
        if (refusal == Refusal.CountryExcluded) return IMoveRefusals.HoldingRules_CountryExcluded.selector;
        if (refusal == Refusal.ReceiverAboveMaximum) return IMoveRefusals.HoldingRules_AboveMaximum.selector;
        if (refusal == Refusal.TooManyHolders) return IMoveRefusals.HoldingRules_TooManyHolders.selector;
        require(refusal != Refusal.None, "nothing was refused");
        return IMoveRefusals.HoldingRules_BelowMinimum.selector;
    }

    /// @dev Whether nothing that `from` lets anybody do is kept from them by `to`.
    function _isLooser(HoldingLimits memory from, HoldingLimits memory to) internal pure returns (bool) {
        bool most = (to.maxHolding == 0 || (from.maxHolding != 0 && to.maxHolding >= from.maxHolding))
            && (to.maxHolders == 0 || (from.maxHolders != 0 && to.maxHolders >= from.maxHolders));
        bool countries = from.excludesCountries || !to.excludesCountries;
        return most && countries && to.minHolding <= from.minHolding && !_isLockedLonger(from, to);
    }

    function _isLockedLonger(HoldingLimits memory from, HoldingLimits memory to)
        internal
        pure
        returns (bool longer)
    {
        for (uint256 i; i < 3; ++i) {
            if (to.lockedUntilDay[i] > from.lockedUntilDay[i]) longer = true;
        }
    }
}
