// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice The shares of one holder, in one word.
/// @dev From the lowest bit: balance 64 | encumbered 64 | frozen 64 | claimedUsd6 64. Share units have 6 decimals, so
///      64 bits hold 1.8 × 10¹³ shares; amounts in 10⁻⁶ dollars are at most 10¹⁸.
type SharesWord is uint256;

/// @notice The income of one holder, in one word.
/// @dev From the lowest bit: index 112 | earned 136 | flags 8. The same for an interest in somebody's income. `earned` counts 2⁻⁷² × 10⁻⁶ dollars, earned up to the
///      moment when the stream's index was `index`, and not claimed.
type IncomeWord is uint256;

using SharesWordLib for SharesWord global;
using IncomeWordLib for IncomeWord global;

/// @notice The shares and income of one holder.
struct Holding {
    SharesWord shares;
    IncomeWord income;
}

library SharesWordLib {
    /// @notice The frozen amount that stands for all, now and later, and holds income too.
    uint256 internal constant ALL = type(uint64).max;
    uint256 private constant MASK = type(uint64).max;

    function balance(SharesWord word) internal pure returns (uint256) {
        return SharesWord.unwrap(word) & MASK;
    }

    function encumbered(SharesWord word) internal pure returns (uint256) {
        return (SharesWord.unwrap(word) >> 64) & MASK;
    }

    function frozen(SharesWord word) internal pure returns (uint256) {
        return (SharesWord.unwrap(word) >> 128) & MASK;
    }

    function claimedUsd6(SharesWord word) internal pure returns (uint256) {
        return SharesWord.unwrap(word) >> 192;
    }

    /// @notice max(0, balance − encumbered − frozen).
    function available(SharesWord word) internal pure returns (uint256) {
        unchecked {
            uint256 held = encumbered(word) + frozen(word);
            uint256 all = balance(word);
            return all > held ? all - held : 0;
        }
    }

    /// @dev The caller has checked that the balance is enough.
    function minusBalance(SharesWord word, uint256 amount) internal pure returns (SharesWord) {
        unchecked {
            return SharesWord.wrap(SharesWord.unwrap(word) - amount);
        }
    }

    /// @dev The caller knows that the supply, and so every balance, stays below 2^64.
    function plusBalance(SharesWord word, uint256 amount) internal pure returns (SharesWord) {
        unchecked {
            return SharesWord.wrap(SharesWord.unwrap(word) + amount);
        }
    }

    /// @dev The caller has checked that the balance is enough.
    function plusEncumbered(SharesWord word, uint256 amount) internal pure returns (SharesWord) {
        unchecked {
            return SharesWord.wrap(SharesWord.unwrap(word) + (amount << 64));
        }
    }

    /// @dev The caller has checked that as much is encumbered.
    function minusEncumbered(SharesWord word, uint256 amount) internal pure returns (SharesWord) {
        unchecked {
            return SharesWord.wrap(SharesWord.unwrap(word) - (amount << 64));
        }
    }

    /// @param amount At most ALL.
    function withFrozen(SharesWord word, uint256 amount) internal pure returns (SharesWord) {
        return SharesWord.wrap(SharesWord.unwrap(word) & ~(MASK << 128) | amount << 128);
    }

    function plusClaimed(SharesWord word, uint256 amountUsd6) internal pure returns (SharesWord) {
        unchecked {
            return SharesWord.wrap(SharesWord.unwrap(word) + (amountUsd6 << 192));
        }
    }
}

library IncomeWordLib {
    uint256 internal constant DELEGATED = 1 << 248;
    uint256 internal constant HAS_PAYEE = 1 << 249;
    /// @dev Some of the shares earn for somebody else.
    uint256 internal constant ASSIGNS = 1 << 250;
    uint256 internal constant RECOVERED = 1 << 251;
    uint256 private constant INDEX_MASK = type(uint112).max;
    uint256 private constant EARNED_MASK = type(uint136).max;

    function earned(IncomeWord word) internal pure returns (uint256) {
        return (IncomeWord.unwrap(word) >> 112) & EARNED_MASK;
    }

    function has(IncomeWord word, uint256 flag) internal pure returns (bool) {
        return IncomeWord.unwrap(word) & flag != 0;
    }

    function with(IncomeWord word, uint256 flag, bool on) internal pure returns (IncomeWord) {
        uint256 raw = IncomeWord.unwrap(word);
        return IncomeWord.wrap(on ? raw | flag : raw & ~flag);
    }

    /// @dev The caller knows that all that was ever earned fits.
    function plusEarned(IncomeWord word, uint256 amount) internal pure returns (IncomeWord) {
        unchecked {
            return IncomeWord.wrap(IncomeWord.unwrap(word) + (amount << 112));
        }
    }

    /// @notice The word after `balance` units have earned from the word's index to `index`.
    /// @dev Exact: the product needs no division, so that settling often or seldom gives the same. It fits because
    ///      balance × (index − word's index) ≤ all that streamed < 2^132.
    function settled(IncomeWord word, uint256 balance, uint256 index) internal pure returns (IncomeWord) {
        uint256 raw = IncomeWord.unwrap(word);
        unchecked {
            uint256 growth = index - (raw & INDEX_MASK);
            return IncomeWord.wrap(raw + ((balance * growth) << 112) + growth);
        }
    }

    function minusEarned(IncomeWord word, uint256 amount) internal pure returns (IncomeWord) {
        unchecked {
            return IncomeWord.wrap(IncomeWord.unwrap(word) - (amount << 112));
        }
    }
}
