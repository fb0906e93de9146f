// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {IHoldingRules, Refusal} from "../compliance/interfaces/IHoldingRules.sol";
import {AccountState, IClusterShare} from "./interfaces/IClusterShare.sol";

/// @notice Why shares cannot be sent, in words that a wallet can show.
/// @dev Asks in the order in which `transfer` refuses, except that what concerns the receiver's address comes before
///      amounts: it holds for every amount.
library TransferWords {
    using Strings for uint256;

    uint256 private constant SHARE = 1e6;
    uint256 private constant FROZEN_WHOLE = type(uint64).max;

    /// @return reason Empty if and only if `from` can send `amount` to `to` at this second.
    function whyNot(IClusterShare share, IHoldingRules rules, address from, address to, uint256 amount)
        internal
        view
        returns (string memory reason)
    {
        if (from == address(0)) return "The zero address sends no shares.";
        if (to == address(0)) return "Shares cannot be sent to the zero address.";
        if (to == address(share)) return "The share contract cannot hold its own shares.";
        if (share.booksClosed()) {
            return "The cluster is retired and its books are closed: its shares can no longer be sent.";
        }
        AccountState memory sender = share.accountState(from);
        if (amount > sender.balance) {
            return string.concat(
                "The sender has ", inShares(sender.balance), " shares, less than ", inShares(amount), "."
            );
        }
        if (amount > share.availableBalanceOf(from)) {
            return _notAvailable(sender, share.availableBalanceOf(from), amount);
        }
        (Refusal refusal, uint256 limit) =
            rules.refusalOf(address(share), from, to, amount, sender.balance, share.balanceOf(to));
        return refusal == Refusal.None ? "" : _ofRules(share, rules, from, to, amount, refusal, limit);
    }

    function _notAvailable(AccountState memory sender, uint256 available, uint256 amount)
        private
        pure
        returns (string memory)
    {
        if (sender.frozen == FROZEN_WHOLE) return "All shares of the sender are frozen by order.";
        return string.concat(
            "Of the sender's ",
            inShares(sender.balance),
            " shares ",
            inShares(sender.frozen),
            " are frozen by order and ",
            inShares(sender.encumbered),
            " encumbered: ",
            inShares(available),
            " can be sent, less than ",
            inShares(amount),
            "."
        );
    }

    function _ofRules(
        IClusterShare share,
        IHoldingRules rules,
        address from,
        address to,
        uint256 amount,
        Refusal refusal,
        uint256 limit
    ) private view returns (string memory) {
        if (refusal == Refusal.SenderBlocked) {
            return "The sender's wallet is blocked for good.";
        }
        if (refusal == Refusal.SenderLocked) {
            return
                string.concat(
                    "Shares of the sender's class of investors are locked until ", inDate(limit), "."
                );
        }
        if (refusal == Refusal.ReceiverNotAttested) {
            return "The receiver is not attested to as an investor, or no longer.";
        }
        if (refusal == Refusal.ReceiverBlocked) return "The receiver's wallet is blocked for good.";
        if (refusal == Refusal.CountryExcluded) {
            return string.concat(
                "Investors of the receiver's country (ISO 3166-1: ",
                limit.toString(),
                ") are excluded from this share."
            );
        }
        if (refusal == Refusal.TooManyHolders) {
            return string.concat(
                "The share may have at most ", limit.toString(), " holders and has no room for another."
            );
        }
        if (refusal == Refusal.SenderBelowMinimum) {
            return string.concat(
                "The sender would keep ",
                inShares(rules.investorHolding(address(share), from) - amount),
                " shares, less than the least holding of ",
                inShares(limit),
                "."
            );
        }
        string memory holding = inShares(rules.investorHolding(address(share), to) + amount);
        return refusal == Refusal.ReceiverBelowMinimum
            ? string.concat(
                "The receiver would hold ",
                holding,
                " shares, less than the least holding of ",
                inShares(limit),
                "."
            )
            : string.concat(
                "The receiver would hold ",
                holding,
                " shares, more than the greatest holding of ",
                inShares(limit),
                "."
            );
    }

    /// @notice `units` as shares with their six decimals, e.g. "12.500000".
    function inShares(uint256 units) internal pure returns (string memory) {
        bytes memory decimals = bytes((SHARE + units % SHARE).toString());
        // In place of the 1 that kept the leading zeros.
        decimals[0] = ".";
        return string.concat((units / SHARE).toString(), string(decimals));
    }

    /// @notice The UTC date of a Unix second, e.g. "2027-01-31"; the proleptic Gregorian calendar.
    function inDate(uint256 timestamp) internal pure returns (string memory) {
        // Years are counted from 1 March of year 0, so that a leap day is the last of its year: 719,468 days before 1970.
        // An era is the 146,097 days after which the calendar repeats, 400 years.
        uint256 day = timestamp / 1 days + 719_468;
        uint256 ofEra = day % 146_097;
        uint256 yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365;
        uint256 ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
        uint256 monthFromMarch = (5 * ofYear + 2) / 153;
        uint256 month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
        uint256 year = day / 146_097 * 400 + yearOfEra + (month <= 2 ? 1 : 0);
        return string.concat(
            year.toString(),
            "-",
            _twoDigits(month),
            "-",
            _twoDigits(ofYear - (153 * monthFromMarch + 2) / 5 + 1)
        );
    }

    function _twoDigits(uint256 number) private pure returns (string memory) {
        return number < 10 ? string.concat("0", number.toString()) : number.toString();
    }
}
