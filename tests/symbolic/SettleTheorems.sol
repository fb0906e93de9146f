// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IncomeWord, SharesWord} from "../../contracts/share/Holding.sol";
import {prover} from "./Theorems.sol";

/// @notice What settling and moving do to the income of holders.
contract SettleTheorems {
    /// @dev What all that ever streamed stays below, in the unit of `earned`.
    uint256 private constant ALL_INCOME = 2 ** 136;
    uint256 private constant UNIT = 2 ** 72;

    /// @param balance Shares.
    /// @param earned Income up to the moment when the index was `index`.
    struct Holder {
        uint64 balance;
        uint112 index;
        uint136 earned;
        uint8 flags;
    }

    // ------------------------------------------------------------------ one holder

    /// @notice Settling adds balance × growth of the index to the earned, notes the index, and keeps the flags.
    /// @custom:ranges balance < 2^64, indices < 2^112 ascending, any flags; earned + balance × growth < 2^136
    function check_settled__to_a_later_index__adds_balance_times_growth(Holder calldata holder, uint112 index)
        external
        pure
    {
        _within(holder, index);
        IncomeWord settled = _settled(_income(holder), holder.balance, index);
        assert(settled.earned() == holder.earned + _growth(holder.index, index) * holder.balance);
        assert(_indexOf(settled) == index);
        assert(IncomeWord.unwrap(settled) >> 248 == holder.flags);
    }

    /// @notice Settling at a moment in between changes no bit.
    /// @custom:ranges balance < 2^64, three ascending indices < 2^112; earned + balance × growth < 2^136
    function check_settled__twice__is_settled_once(Holder calldata holder, uint112 between, uint112 index)
        external
        pure
    {
        prover.assume(between >= holder.index);
        prover.assume(between <= index);
        _within(holder, index);
        IncomeWord once = _settled(_income(holder), holder.balance, index);
        IncomeWord first = _settled(_income(holder), holder.balance, between);
        assert(IncomeWord.unwrap(_settled(first, holder.balance, index)) == IncomeWord.unwrap(once));
    }

    /// @notice A claim takes all whole units, leaves less than one, and loses none: claimed + earned stays.
    /// @custom:ranges earned < 2^136; claimed + earned / 2^72 < 2^64
    function check_claim__of_whole_units__leaves_the_income_and_a_fraction(
        SharesWord shares,
        IncomeWord income
    ) external pure {
        uint256 amount = _wholeUnits(income);
        prover.assume(amount <= type(uint64).max - shares.claimedUsd6());
        SharesWord sharesAfter = shares.plusClaimed(amount);
        IncomeWord incomeAfter = income.minusEarned(amount * UNIT);
        assert(incomeAfter.earned() < UNIT);
        assert(
            sharesAfter.claimedUsd6() * UNIT + incomeAfter.earned()
                == shares.claimedUsd6() * UNIT + income.earned()
        );
    }

    // ------------------------------------------------------------------ two holders

    /// @notice What two holders earn together is growth × the sum of their balances.
    /// @custom:ranges settled at one index < 2^112; each earned + balance × growth < 2^136; sum of balances < 2^64
    function check_settled__of_two_holders__adds_growth_times_their_shares(
        Holder calldata one,
        Holder calldata other,
        uint112 index
    ) external pure {
        uint256 growth = _growth(one.index, index);
        uint256 supply = uint256(one.balance) + other.balance;
        prover.assume(supply < 2 ** 64);
        prover.assume(one.index == other.index);
        _within(one, index);
        _within(other, index);
        uint256 before = uint256(one.earned) + other.earned;
        uint256 earned = _settled(_income(one), one.balance, index).earned()
            + _settled(_income(other), other.balance, index).earned();
        assert(earned - before == growth * supply);
    }

    /// @notice A transfer changes neither party's income at its second, and moves the amount.
    /// @custom:ranges any two earlier indices; each earned + balance × growth < 2^136; sum of balances < 2^64; amount ≤ balance
    function check_transfer__of_any_amount__moves_nobodys_income(
        Holder calldata sender,
        Holder calldata receiver,
        uint112 index,
        uint64 amount
    ) external pure {
        _within(sender, index);
        _within(receiver, index);
        prover.assume(uint256(sender.balance) + receiver.balance < 2 ** 64);
        prover.assume(amount <= sender.balance);
        (SharesWord[2] memory shares, IncomeWord[2] memory incomes) = _moved(sender, receiver, amount, index);
        IncomeWord alone = _settled(_income(sender), sender.balance, index);
        assert(IncomeWord.unwrap(incomes[0]) == IncomeWord.unwrap(alone));
        alone = _settled(_income(receiver), receiver.balance, index);
        assert(IncomeWord.unwrap(incomes[1]) == IncomeWord.unwrap(alone));
        assert(shares[0].balance() == sender.balance - amount);
        assert(shares[1].balance() == uint256(receiver.balance) + amount);
    }

    /// @notice A transfer changes nothing of what the two earn together until any later second.
    /// @custom:ranges settled at one index; three ascending indices < 2^112; income of both together < 2^136; amount ≤ balance
    function check_transfer__of_any_amount__changes_no_total_later(
        Holder calldata sender,
        Holder calldata receiver,
        uint112 index,
        uint112 later,
        uint64 amount
    ) external pure {
        uint256 supply = uint256(sender.balance) + receiver.balance;
        prover.assume(supply < 2 ** 64);
        prover.assume(amount <= sender.balance);
        prover.assume(sender.index == receiver.index);
        prover.assume(sender.index <= index);
        prover.assume(index <= later);
        uint256 before = uint256(sender.earned) + receiver.earned;
        prover.assume(before + _growth(sender.index, later) * supply < ALL_INCOME);
        (SharesWord[2] memory shares, IncomeWord[2] memory incomes) = _moved(sender, receiver, amount, index);
        uint256 earned = _settled(incomes[0], shares[0].balance(), later).earned()
            + _settled(incomes[1], shares[1].balance(), later).earned();
        assert(earned == before + _growth(sender.index, later) * supply);
    }

    /// @notice A transfer to oneself settles, and does nothing else.
    /// @custom:ranges indices < 2^112 ascending; earned + balance × growth < 2^136; amount ≤ balance
    function check_transfer__to_oneself__is_settling(Holder calldata holder, uint112 index, uint64 amount)
        external
        pure
    {
        _within(holder, index);
        prover.assume(amount <= holder.balance);
        IncomeWord settled = _settled(_income(holder), holder.balance, index);
        SharesWord less = SharesWord.wrap(holder.balance).minusBalance(amount);
        // The sender's words were written before the receiver's are read.
        IncomeWord again = _settled(settled, less.balance(), index);
        assert(IncomeWord.unwrap(again) == IncomeWord.unwrap(settled));
        assert(less.plusBalance(amount).balance() == holder.balance);
    }

    // ------------------------------------------------------------------ what Wrong.sol replaces

    function _settled(IncomeWord income, uint256 balance, uint256 index)
        internal
        pure
        virtual
        returns (IncomeWord)
    {
        return income.settled(balance, index);
    }

    function _wholeUnits(IncomeWord income) internal pure virtual returns (uint256) {
        return income.earned() >> 72;
    }

    /// @dev The words of sender and receiver after a transfer, in the share's order: both settle, then the balances move.
    function _moved(Holder calldata sender, Holder calldata receiver, uint256 amount, uint256 index)
        internal
        pure
        virtual
        returns (SharesWord[2] memory shares, IncomeWord[2] memory incomes)
    {
        incomes[0] = _settled(_income(sender), sender.balance, index);
        shares[0] = SharesWord.wrap(sender.balance).minusBalance(amount);
        incomes[1] = _settled(_income(receiver), receiver.balance, index);
        shares[1] = SharesWord.wrap(receiver.balance).plusBalance(amount);
    }

    // ------------------------------------------------------------------ words

    function _income(Holder calldata holder) internal pure returns (IncomeWord) {
        return IncomeWord.wrap(uint256(holder.flags) << 248 | uint256(holder.earned) << 112 | holder.index);
    }

    function _indexOf(IncomeWord income) private pure returns (uint256) {
        return uint112(IncomeWord.unwrap(income));
    }

    /// @dev Unchecked, as all the arithmetic of a theorem: what would wrap is excluded by its ranges.
    function _growth(uint256 from, uint256 to) private pure returns (uint256) {
        unchecked {
            return to - from;
        }
    }

    function _within(Holder calldata holder, uint256 index) private pure {
        prover.assume(holder.index <= index);
        prover.assume(_growth(holder.index, index) * holder.balance < ALL_INCOME - holder.earned);
    }
}
