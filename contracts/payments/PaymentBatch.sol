// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ITransferWithAuthorization} from "./interfaces/ITransferWithAuthorization.sol";
import {IX402Settler} from "./interfaces/IX402Settler.sol";

/// @notice Where in memory the calls of a batch are made, one after the other.
/// @dev The calldata of `transferWithAuthorization`, its selector in the last 4 bytes of the first word, with room for the
///      longest signature.
type CallMemory is uint256;

/// @notice Reads payments of x402 that are packed one behind the other, and brings them to the stablecoin.
/// @dev A payment, from its first byte:
///
///      | bytes | field                                 |
///      |-------|---------------------------------------|
///      | 20    | payer                                 |
///      | 7     | value, 10⁻⁶ dollars                   |
///      | 5     | validBefore, Unix second              |
///      | 32    | nonce                                 |
///      | 5     | validAfter, Unix second               |
///      | 2     | length of the signature               |
///      | n     | signature: r, s, v; or of a contract's own form |
///
///      Assembly, because this is done for every payment: memory is used again instead of taken anew.
library PaymentBatch {
    /// @dev Enough for USDC behind its proxy and for a wallet of several owners to answer it.
    uint256 internal constant PAYMENT_GAS = 250_000;

    /// @dev A call is given at most 63/64 of what is left, and comes with a few thousand of costs of its own.
    uint256 private constant GAS_BEFORE_PAYMENT = PAYMENT_GAS * 64 / 63 + 10_000;

    uint256 private constant FIELDS_BYTES = 71;

    uint256 private constant MOST_SIGNATURE_BYTES = 2_048;

    /// @dev Of what a refusal says, for its event.
    uint256 private constant MOST_REASON_BYTES = 256;

    /// @notice Most payments that so many bytes can hold.
    function mostIn(uint256 length) internal pure returns (uint256) {
        return length / FIELDS_BYTES;
    }

    /// @notice Where in the calldata a batch begins and ends.
    function span(bytes calldata batch) internal pure returns (uint256 start, uint256 end) {
        assembly ("memory-safe") {
            start := batch.offset
            end := add(start, batch.length)
        }
    }

    /// @notice Memory for calls that pay `to`.
    function prepare(address to) internal pure returns (CallMemory memory_) {
        bytes4 selector = ITransferWithAuthorization.transferWithAuthorization.selector;
        assembly ("memory-safe") {
            memory_ := mload(0x40)
            mstore(0x40, add(memory_, add(0x120, MOST_SIGNATURE_BYTES)))
            mstore(memory_, shr(224, selector))
            mstore(add(memory_, 0x40), to)
            mstore(add(memory_, 0xe0), 0xe0)
        }
    }

    /// @notice Bring the payment that begins at `start` to the stablecoin.
    /// @return end Where it ends.
    /// @return word Its payer and value, as an entry has them.
    /// @return nonce Its nonce.
    /// @return done Whether the stablecoin moved it, as it says.
    function bring(CallMemory memory_, address stablecoin, uint256 start, uint256 limit)
        internal
        returns (uint256 end, uint256 word, uint256 nonce, bool done)
    {
        uint256 size;
        assembly ("memory-safe") {
            word := calldataload(start)
            nonce := calldataload(add(start, 32))
            let rest := calldataload(add(start, 64))
            size := shr(240, shl(40, rest))
            end := add(add(start, FIELDS_BYTES), size)
            mstore(add(memory_, 0x20), shr(96, word))
            mstore(add(memory_, 0x60), and(shr(40, word), 0xffffffffffffff))
            mstore(add(memory_, 0x80), shr(216, rest))
            mstore(add(memory_, 0xa0), and(word, 0xffffffffff))
            mstore(add(memory_, 0xc0), nonce)
            mstore(add(memory_, 0x100), size)
            word := or(shl(96, shr(96, word)), and(shr(40, word), 0xffffffffffffff))
        }
        if (end > limit) revert IX402Settler.X402Settler_Malformed(end, limit);
        if (size > MOST_SIGNATURE_BYTES) {
            revert IX402Settler.X402Settler_SignatureTooLong(size, MOST_SIGNATURE_BYTES);
        }
        if (gasleft() < GAS_BEFORE_PAYMENT) {
            revert IX402Settler.X402Settler_TooLittleGas(gasleft(), GAS_BEFORE_PAYMENT);
        }
        assembly ("memory-safe") {
            calldatacopy(add(memory_, 0x120), add(start, FIELDS_BYTES), size)
            done := call(
                PAYMENT_GAS,
                stablecoin,
                0,
                add(memory_, 28),
                add(0x104, and(add(size, 31), not(31))),
                0,
                0
            )
        }
    }

    /// @notice The start of what the last call answered.
    function lastReason() internal pure returns (bytes memory reason) {
        assembly ("memory-safe") {
            let size := returndatasize()
            if gt(size, MOST_REASON_BYTES) { size := MOST_REASON_BYTES }
            reason := mload(0x40)
            mstore(reason, size)
            returndatacopy(add(reason, 32), 0, size)
            mstore(0x40, add(add(reason, 32), and(add(size, 31), not(31))))
        }
    }
}
