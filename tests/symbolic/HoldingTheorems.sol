// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IncomeWord, IncomeWordLib, SharesWord, SharesWordLib} from "../../contracts/share/Holding.sol";
import {prover} from "./Theorems.sol";

/// @notice A holder's two words: every change reaches its own field, and that one exactly.
contract HoldingTheorems {
    uint256 private constant MAX = type(uint64).max;

    // ------------------------------------------------------------------ shares

    /// @notice A balance grows by the amount, and no other field changes.
    /// @custom:ranges every word; amount ≤ 2^64 − 1 − balance
    function check_plusBalance__that_fits__changes_the_balance_alone(SharesWord word, uint256 amount)
        external
        pure
    {
        prover.assume(amount <= MAX - word.balance());
        SharesWord next = _stored(word.plusBalance(amount));
        assert(next.balance() == word.balance() + amount);
        _assertSameBut(word, next, 0);
    }

    /// @notice A balance falls by the amount, and no other field changes.
    /// @custom:ranges every word; amount ≤ balance
    function check_minusBalance__of_what_is_there__changes_the_balance_alone(SharesWord word, uint256 amount)
        external
        pure
    {
        prover.assume(amount <= word.balance());
        SharesWord next = _stored(word.minusBalance(amount));
        assert(next.balance() == word.balance() - amount);
        _assertSameBut(word, next, 0);
    }

    /// @notice The encumbered grows by the amount, and no other field changes.
    /// @custom:ranges every word; amount ≤ 2^64 − 1 − encumbered
    function check_plusEncumbered__that_fits__changes_the_encumbered_alone(SharesWord word, uint256 amount)
        external
        pure
    {
        prover.assume(amount <= MAX - word.encumbered());
        SharesWord next = _stored(word.plusEncumbered(amount));
        assert(next.encumbered() == word.encumbered() + amount);
        _assertSameBut(word, next, 64);
    }

    /// @notice The encumbered falls by the amount, and no other field changes.
    /// @custom:ranges every word; amount ≤ encumbered
    function check_minusEncumbered__of_what_is_there__changes_the_encumbered_alone(
        SharesWord word,
        uint256 amount
    ) external pure {
        prover.assume(amount <= word.encumbered());
        SharesWord next = _stored(word.minusEncumbered(amount));
        assert(next.encumbered() == word.encumbered() - amount);
        _assertSameBut(word, next, 64);
    }

    /// @notice The frozen becomes the amount, and no other field changes.
    /// @custom:ranges every word; amount < 2^64
    function check_withFrozen__at_most_all__changes_the_frozen_alone(SharesWord word, uint256 amount)
        external
        pure
    {
        prover.assume(amount <= SharesWordLib.ALL);
        SharesWord next = _stored(word.withFrozen(amount));
        assert(next.frozen() == amount);
        _assertSameBut(word, next, 128);
    }

    /// @notice The claimed grows by the amount, and no other field changes.
    /// @custom:ranges every word; amount ≤ 2^64 − 1 − claimed
    function check_plusClaimed__that_fits__changes_the_claimed_alone(SharesWord word, uint256 amount)
        external
        pure
    {
        prover.assume(amount <= MAX - word.claimedUsd6());
        SharesWord next = _stored(word.plusClaimed(amount));
        assert(next.claimedUsd6() == word.claimedUsd6() + amount);
        _assertSameBut(word, next, 192);
    }

    /// @notice Available is max(0, balance − encumbered − frozen).
    /// @custom:ranges every word
    function check_available__of_any_word__is_what_is_neither_encumbered_nor_frozen(SharesWord word)
        external
        pure
    {
        uint256 held = word.encumbered() + word.frozen();
        uint256 expected = word.balance() > held ? word.balance() - held : 0;
        assert(_available(word) == expected);
    }

    // ------------------------------------------------------------------ income

    /// @notice A flag becomes what it is set to, and no other bit changes.
    /// @custom:ranges every word
    function check_with__one_flag__changes_that_flag_alone(IncomeWord word, uint8 which, bool on)
        external
        pure
    {
        uint256 flag = which == 0
            ? IncomeWordLib.DELEGATED
            : which == 1
                ? IncomeWordLib.HAS_PAYEE
                : which == 2 ? IncomeWordLib.ASSIGNS : IncomeWordLib.RECOVERED;
        IncomeWord next = _stored(word.with(flag, on));
        assert(next.has(flag) == on);
        assert((IncomeWord.unwrap(next) ^ IncomeWord.unwrap(word)) & ~flag == 0);
    }

    /// @notice The earned grows by the amount, and no other field changes.
    /// @custom:ranges every word; amount < 2^136 − earned
    function check_plusEarned__that_fits__changes_the_earned_alone(IncomeWord word, uint256 amount)
        external
        pure
    {
        prover.assume(amount <= type(uint136).max - word.earned());
        IncomeWord next = _stored(word.plusEarned(amount));
        assert(next.earned() == word.earned() + amount);
        _assertSameButEarned(word, next);
    }

    /// @notice The earned falls by the amount, and no other field changes.
    /// @custom:ranges every word; amount ≤ earned
    function check_minusEarned__of_what_is_there__changes_the_earned_alone(IncomeWord word, uint256 amount)
        external
        pure
    {
        prover.assume(amount <= word.earned());
        IncomeWord next = _stored(word.minusEarned(amount));
        assert(next.earned() == word.earned() - amount);
        _assertSameButEarned(word, next);
    }

    // ------------------------------------------------------------------ what Wrong.sol replaces

    function _stored(SharesWord word) internal pure virtual returns (SharesWord) {
        return word;
    }

    function _stored(IncomeWord word) internal pure virtual returns (IncomeWord) {
        return word;
    }

    function _available(SharesWord word) internal pure virtual returns (uint256) {
        return word.available();
    }

    // ------------------------------------------------------------------ words

    /// @dev The two words differ at most in the 64 bits from `low` on.
    function _assertSameBut(SharesWord word, SharesWord next, uint256 low) private pure {
        uint256 others = ~(MAX << low);
        assert(SharesWord.unwrap(word) & others == SharesWord.unwrap(next) & others);
    }

    function _assertSameButEarned(IncomeWord word, IncomeWord next) private pure {
        uint256 others = ~(uint256(type(uint136).max) << 112);
        assert(IncomeWord.unwrap(word) & others == IncomeWord.unwrap(next) & others);
    }
}
