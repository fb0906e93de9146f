// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {HoldingLimits} from "./interfaces/IHoldingRules.sol";

/// @notice The limits of one share and the number of its holders, in one word.
/// @dev From the lowest bit: minHolding 64 | maxHolding 64 | maxHolders 32 | lockedUntilDay of class 1, 2, 3 16 each |
///      excludesCountries 16 | holders 32. The holders come last, so that counting past either end of their range is
///      an overflow of the word and reverts.
type RulesWord is uint256;

using RulesWordLib for RulesWord global;

library RulesWordLib {
    uint256 private constant CLASSES = 3;
    uint256 private constant EXCLUDES_COUNTRIES = 1 << 208;
    uint256 private constant ONE_HOLDER = 1 << 224;
    uint256 private constant LIMITS_MASK = ONE_HOLDER - 1;

    /// @notice `limits` with no holders.
    function pack(HoldingLimits memory limits) internal pure returns (RulesWord) {
        uint256 raw =
            uint256(limits.minHolding) | uint256(limits.maxHolding) << 64 | uint256(limits.maxHolders) << 128;
        for (uint256 i = 0; i < CLASSES; ++i) {
            raw |= uint256(limits.lockedUntilDay[i]) << (160 + 16 * i);
        }
        return RulesWord.wrap(limits.excludesCountries ? raw | EXCLUDES_COUNTRIES : raw);
    }

    function unpack(RulesWord word) internal pure returns (HoldingLimits memory limits) {
        limits.minHolding = uint64(minHolding(word));
        limits.maxHolding = uint64(maxHolding(word));
        limits.maxHolders = uint32(maxHolders(word));
        for (uint256 i = 0; i < CLASSES; ++i) {
            limits.lockedUntilDay[i] = uint16(lockedUntilDay(word, i + 1));
        }
        limits.excludesCountries = excludesCountries(word);
    }

    /// @notice Whether no limit is set.
    function isUnlimited(RulesWord word) internal pure returns (bool) {
        return RulesWord.unwrap(word) << 32 == 0;
    }

    function minHolding(RulesWord word) internal pure returns (uint256) {
        return uint64(RulesWord.unwrap(word));
    }

    function maxHolding(RulesWord word) internal pure returns (uint256) {
        return uint64(RulesWord.unwrap(word) >> 64);
    }

    function maxHolders(RulesWord word) internal pure returns (uint256) {
        return uint32(RulesWord.unwrap(word) >> 128);
    }

    /// @notice 0 for class 0, which nobody who was attested has.
    function lockedUntilDay(RulesWord word, uint256 investorClass) internal pure returns (uint256) {
        uint256 lanes = uint64(RulesWord.unwrap(word) >> 160);
        return uint16(lanes << 16 >> (investorClass << 4));
    }

    function excludesCountries(RulesWord word) internal pure returns (bool) {
        return RulesWord.unwrap(word) & EXCLUDES_COUNTRIES != 0;
    }

    function holders(RulesWord word) internal pure returns (uint256) {
        return RulesWord.unwrap(word) / ONE_HOLDER;
    }

    function plusHolder(RulesWord word) internal pure returns (RulesWord) {
        return RulesWord.wrap(RulesWord.unwrap(word) + ONE_HOLDER);
    }

    function minusHolder(RulesWord word) internal pure returns (RulesWord) {
        return RulesWord.wrap(RulesWord.unwrap(word) - ONE_HOLDER);
    }

    /// @notice `limits` with the holders of `word`.
    function withLimits(RulesWord word, RulesWord limits) internal pure returns (RulesWord) {
        return RulesWord.wrap(RulesWord.unwrap(word) & ~LIMITS_MASK | RulesWord.unwrap(limits) & LIMITS_MASK);
    }

    /// @notice Whether `next` keeps nobody from anything that `word` lets them do, lock-ups apart.
    function loosensTo(RulesWord word, RulesWord next) internal pure returns (bool) {
        return minHolding(next) <= minHolding(word) && _isMostLooser(maxHolding(word), maxHolding(next))
            && _isMostLooser(maxHolders(word), maxHolders(next))
            && (excludesCountries(word) || !excludesCountries(next));
    }

    /// @dev 0 is no limit.
    function _isMostLooser(uint256 most, uint256 next) private pure returns (bool) {
        return next == 0 || (most != 0 && next >= most);
    }
}
