// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What a payer has with InferencePayments, in one word: a collected voucher writes it once.
/// @dev From the highest bit down:
///
///      | bits    | field          | unit                                             |
///      |---------|----------------|--------------------------------------------------|
///      | 255-168 | nonce          | acts of the payer on its session keys            |
///      | 167-128 | withdrawableAt | Unix second; 0 if no withdrawal is requested     |
///      | 127-64  | requested      | 10⁻⁶ dollars to be withdrawn, never over balance |
///      | 63-0    | balance        | 10⁻⁶ dollars, the requested included, not locked |
type PayerWord is uint256;

/// @dev So that a reference to the slot can be kept, and its place is reckoned once.
struct PayerSlot {
    PayerWord word;
}

using PayerWordLib for PayerWord global;

library PayerWordLib {
    uint256 private constant REQUEST_SHIFT = 64;
    uint256 private constant NONCE_SHIFT = 168;
    uint256 private constant REQUEST_MASK = uint256(type(uint104).max) << REQUEST_SHIFT;

    function balanceUsd6(PayerWord word) internal pure returns (uint256) {
        return uint64(PayerWord.unwrap(word));
    }

    function requestedUsd6(PayerWord word) internal pure returns (uint256) {
        return uint64(PayerWord.unwrap(word) >> REQUEST_SHIFT);
    }

    function withdrawableAt(PayerWord word) internal pure returns (uint256) {
        return uint40(PayerWord.unwrap(word) >> 128);
    }

    function nonce(PayerWord word) internal pure returns (uint256) {
        return PayerWord.unwrap(word) >> NONCE_SHIFT;
    }

    /// @dev `balanceUsd6_` must fit 64 bits.
    function withBalance(PayerWord word, uint256 balanceUsd6_) internal pure returns (PayerWord) {
        return PayerWord.wrap(PayerWord.unwrap(word) >> 64 << 64 | balanceUsd6_);
    }

    /// @notice With so much spent or locked, and no more requested than stays free: a request that outlived its money would
    ///         cover what comes in later, or what comes back from a lock at the very second it is due.
    /// @dev `amountUsd6` must be in the balance, which is lowest: nothing is borrowed from what stands above it.
    function minus(PayerWord word, uint256 amountUsd6) internal pure returns (PayerWord left) {
        unchecked {
            left = PayerWord.wrap(PayerWord.unwrap(word) - amountUsd6);
        }
        uint256 free = balanceUsd6(left);
        if (requestedUsd6(left) > free) return withRequest(left, free, free == 0 ? 0 : withdrawableAt(left));
    }

    /// @dev The amount must fit 64 bits, the second 40.
    function withRequest(PayerWord word, uint256 requestedUsd6_, uint256 withdrawableAt_)
        internal
        pure
        returns (PayerWord)
    {
        return PayerWord.wrap(
            PayerWord.unwrap(word) & ~REQUEST_MASK | requestedUsd6_ << REQUEST_SHIFT | withdrawableAt_ << 128
        );
    }

    /// @dev 88 bits of acts are more than anybody can make.
    function withNextNonce(PayerWord word) internal pure returns (PayerWord) {
        unchecked {
            return PayerWord.wrap(PayerWord.unwrap(word) + (1 << NONCE_SHIFT));
        }
    }
}
