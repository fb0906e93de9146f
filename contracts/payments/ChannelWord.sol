// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What one key of a payer may spend at one gateway, has spent, and has locked for it, in one word.
/// @dev From the highest bit down:
///
///      | bits    | field       | unit                                                    |
///      |---------|-------------|---------------------------------------------------------|
///      | 255-248 | zero        |                                                         |
///      | 247-208 | expiresAt   | Unix second from which nothing is collected             |
///      | 207-152 | limit       | 10⁻⁶ dollars that may ever be collected                 |
///      | 151-112 | lockedUntil | Unix second from which the lock holds nothing back      |
///      | 111-56  | locked      | 10⁻⁶ dollars that only this gateway can collect         |
///      | 55-0    | collected   | 10⁻⁶ dollars, all that was ever collected               |
///
///      56 bits are 7.2 × 10¹⁰ dollars. In the channel of a payer's own signature, limit and expiry are unused.
type ChannelWord is uint256;

/// @dev So that a reference to the slot can be kept, and its place is reckoned once.
struct ChannelSlot {
    ChannelWord word;
}

using ChannelWordLib for ChannelWord global;

library ChannelWordLib {
    uint256 internal constant MAX_AMOUNT = type(uint56).max;

    uint256 private constant TERMS_SHIFT = 152;
    uint256 private constant FUNDS_MASK = (1 << TERMS_SHIFT) - 1;

    function collectedUsd6(ChannelWord word) internal pure returns (uint256) {
        return uint56(ChannelWord.unwrap(word));
    }

    function lockedUsd6(ChannelWord word) internal pure returns (uint256) {
        return uint56(ChannelWord.unwrap(word) >> 56);
    }

    function lockedUntil(ChannelWord word) internal pure returns (uint256) {
        return uint40(ChannelWord.unwrap(word) >> 112);
    }

    /// @notice Whether anything is locked, or is not locked any more and was not released.
    function hasLock(ChannelWord word) internal pure returns (bool) {
        return lockedUsd6(word) != 0;
    }

    function limitUsd6(ChannelWord word) internal pure returns (uint256) {
        return uint56(ChannelWord.unwrap(word) >> TERMS_SHIFT);
    }

    function expiresAt(ChannelWord word) internal pure returns (uint256) {
        return uint40(ChannelWord.unwrap(word) >> 208);
    }

    /// @dev The amounts must fit 56 bits, the second 40.
    function withFunds(ChannelWord word, uint256 collectedUsd6_, uint256 lockedUsd6_, uint256 lockedUntil_)
        internal
        pure
        returns (ChannelWord)
    {
        return ChannelWord.wrap(
            ChannelWord.unwrap(word) & ~FUNDS_MASK | lockedUntil_ << 112 | lockedUsd6_ << 56 | collectedUsd6_
        );
    }

    /// @dev What is collected must still fit 56 bits; it is lowest.
    function plusCollected(ChannelWord word, uint256 amountUsd6) internal pure returns (ChannelWord) {
        unchecked {
            return ChannelWord.wrap(ChannelWord.unwrap(word) + amountUsd6);
        }
    }

    /// @notice With so much of the lock used up; when nothing is left of it, neither is its end.
    function minusLocked(ChannelWord word, uint256 amountUsd6) internal pure returns (ChannelWord) {
        uint256 locked = lockedUsd6(word);
        if (amountUsd6 >= locked) return withFunds(word, collectedUsd6(word), 0, 0);
        return withFunds(word, collectedUsd6(word), locked - amountUsd6, lockedUntil(word));
    }

    /// @dev The limit must fit 56 bits, the second 40.
    function withTerms(ChannelWord word, uint256 limitUsd6_, uint256 expiresAt_)
        internal
        pure
        returns (ChannelWord)
    {
        return ChannelWord.wrap(
            ChannelWord.unwrap(word) & FUNDS_MASK | limitUsd6_ << TERMS_SHIFT | expiresAt_ << 208
        );
    }
}
