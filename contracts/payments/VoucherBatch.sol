// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {AccountSignature} from "./AccountSignature.sol";
import {IInferencePayments} from "./interfaces/IInferencePayments.sol";

/// @notice One voucher as it was read.
/// @param payer Whose money it is.
/// @param key Who signed: the payer, or whoever the signature leads to; zero if it leads to nobody.
/// @param cumulativeUsd6 All that the key has promised this gateway so far.
/// @param parts Where in the calldata its allocation to works begins; what it begins from stands before it.
/// @param end Where that ends.
struct Voucher {
    address payer;
    address key;
    uint256 cumulativeUsd6;
    uint256 parts;
    uint256 end;
}

/// @notice Where in memory the digests of a batch are made, one after the other.
/// @dev From its start: the message as EIP-712 encodes it (type, payer, gateway, cumulative) 128 bytes; what is hashed with
///      it (0x1901, domain, message's hash) 66; at 224 the question to the precompile (digest, v, r, s) 128.
type DigestMemory is uint256;

/// @notice Reads vouchers that are packed one behind the other, and who signed them.
/// @dev A voucher, from its first byte:
///
///      | bytes | field                                                                              |
///      |-------|------------------------------------------------------------------------------------|
///      | 1     | number of parts; its highest bit says that the payer is a contract that signed     |
///      | 20    | payer                                                                              |
///      | 7     | cumulative amount, 10⁻⁶ dollars                                                    |
///      | 64    | signature of a key (r, yParity and s: ERC-2098); a contract's: 2 bytes of length, itself |
///      | 7     | only where there are parts: what the channel must have had collected before, 10⁻⁶ dollars  |
///      | 8 × n | parts: 1 byte place in the list of works, 7 bytes of 10⁻⁶ dollars                  |
///      | 1     | only where there are no parts: the place of the work that gets the whole           |
///
///      Assembly, because this is done for every voucher: memory is used again instead of taken anew.
library VoucherBatch {
    bytes32 internal constant TYPE_HASH =
        keccak256("Voucher(address payer,address gateway,uint256 cumulativeUsd6)");

    /// @dev Another type for what a contract is asked: its owner may be a session key as well, and what that signs would
    ///      else be collected in the channel of each.
    bytes32 internal constant ACCOUNT_TYPE_HASH =
        keccak256("AccountVoucher(address payer,address gateway,uint256 cumulativeUsd6)");

    /// @dev Of a key, whole to one work.
    uint256 internal constant PLAIN_BYTES = 93;

    uint256 private constant FIELDS_BYTES = 28;
    uint256 private constant SIGNATURE_BYTES = 64;

    /// @dev Of a contract with an empty signature.
    uint256 private constant LEAST_BYTES = FIELDS_BYTES + 3;

    uint256 private constant BEFORE_BYTES = 7;
    uint256 private constant PART_BYTES = 8;
    uint256 private constant CONTRACT_BIT = 0x80;

    /// @notice Most vouchers that so many bytes can hold.
    function mostIn(uint256 length) internal pure returns (uint256) {
        return length / LEAST_BYTES;
    }

    /// @notice Where in the calldata a batch begins and ends.
    function span(bytes calldata batch) internal pure returns (uint256 start, uint256 end) {
        assembly ("memory-safe") {
            start := batch.offset
            end := add(start, batch.length)
        }
    }

    /// @notice Memory for the digests of vouchers to one gateway.
    function prepare(bytes32 domainSeparator, address gateway) internal pure returns (DigestMemory memory_) {
        bytes32 typeHash = TYPE_HASH;
        assembly ("memory-safe") {
            memory_ := mload(0x40)
            mstore(0x40, add(memory_, 0x160))
            mstore(memory_, typeHash)
            mstore(add(memory_, 0x40), gateway)
            mstore(add(memory_, 0x80), shl(240, 0x1901))
            mstore(add(memory_, 0x82), domainSeparator)
        }
    }

    /// @notice Note the message of the voucher that begins at `start`, and find the key that signed it, unless it is a
    ///         contract's.
    /// @return key Zero if the signature leads to nobody, or is a contract's.
    /// @return count Its first byte.
    /// @dev A signature has a twin with the other half of the curve's order; both lead to the same key, and a voucher
    ///      counts by its amount, however often it comes. The precompile answers nothing to one that leads nowhere.
    ///      Beyond the end of the batch there is whatever follows; it is refused as a whole once that is known.
    function recover(uint256 start, DigestMemory memory_) internal view returns (address key, uint256 count) {
        assembly ("memory-safe") {
            let fields := calldataload(start)
            count := byte(0, fields)
            mstore(add(memory_, 0x20), shr(96, shl(8, fields)))
            mstore(add(memory_, 0x60), and(shr(32, fields), 0xffffffffffffff))
            if lt(count, CONTRACT_BIT) {
                mstore(add(memory_, 0xa2), keccak256(memory_, 0x80))
                mstore(add(memory_, 0xe0), keccak256(add(memory_, 0x80), 0x42))
                let vs := calldataload(add(start, 60))
                mstore(add(memory_, 0x100), add(27, shr(255, vs)))
                mstore(add(memory_, 0x120), calldataload(add(start, FIELDS_BYTES)))
                mstore(add(memory_, 0x140), shr(1, shl(1, vs)))
                mstore(0, 0)
                pop(staticcall(gas(), 1, add(memory_, 0xe0), 0x80, 0, 0x20))
                key := mload(0)
            }
        }
    }

    /// @notice Read the rest of that voucher, in a batch that ends at `limit`.
    function read(
        uint256 start,
        uint256 limit,
        DigestMemory memory_,
        address key,
        uint256 count,
        Voucher memory voucher
    ) internal view {
        assembly ("memory-safe") {
            mstore(voucher, mload(add(memory_, 0x20)))
            mstore(add(voucher, 0x40), mload(add(memory_, 0x60)))
        }
        voucher.key = key;
        if (count < CONTRACT_BIT) {
            start += FIELDS_BYTES + SIGNATURE_BYTES;
        } else {
            count -= CONTRACT_BIT;
            start = _ask(start + FIELDS_BYTES, limit, memory_, voucher);
        }
        voucher.parts = count == 0 ? start : start + BEFORE_BYTES;
        voucher.end = voucher.parts + (count == 0 ? 1 : count * PART_BYTES);
        if (voucher.end > limit) {
            revert IInferencePayments.InferencePayments_Malformed(voucher.end, limit);
        }
    }

    /// @dev Its key is the payer, if the payer's code says that it signed.
    /// @return end Where the signature ends.
    function _ask(uint256 start, uint256 limit, DigestMemory memory_, Voucher memory voucher)
        private
        view
        returns (uint256 end)
    {
        (bytes32 keyType, bytes32 accountType) = (TYPE_HASH, ACCOUNT_TYPE_HASH);
        bytes32 digest;
        bytes calldata signature;
        assembly ("memory-safe") {
            mstore(memory_, accountType)
            mstore(add(memory_, 0xa2), keccak256(memory_, 0x80))
            mstore(memory_, keyType)
            digest := keccak256(add(memory_, 0x80), 0x42)
            signature.length := shr(240, calldataload(start))
            signature.offset := add(start, 2)
            end := add(signature.offset, signature.length)
        }
        if (end > limit) revert IInferencePayments.InferencePayments_Malformed(end, limit);
        bool isSigned = AccountSignature.isByContract(voucher.payer, digest, signature);
        if (isSigned) voucher.key = voucher.payer;
    }

    /// @notice Whether its allocation goes on from where the channel is. One that is whole goes on from anywhere.
    /// @dev Parts are amounts of what is newly due: brought again after they were filled for a part, they would be filled
    ///      from the first once more.
    function goesOnFrom(Voucher memory voucher, uint256 collectedUsd6) internal pure returns (bool) {
        return _isWhole(voucher) || _amountBefore(voucher.parts) == collectedUsd6;
    }

    /// @notice Give `amountUsd6` to the works' `amountsUsd6`: whole to the one that is named, or by the parts in their
    ///         order, each at most what it says.
    /// @return placedUsd6 As much of it as was taken.
    function place(Voucher memory voucher, uint256[] memory amountsUsd6, uint256 amountUsd6)
        internal
        pure
        returns (uint256 placedUsd6)
    {
        if (_isWhole(voucher)) {
            amountsUsd6[_indexAt(voucher.parts, amountsUsd6.length)] += amountUsd6;
            return amountUsd6;
        }
        for (uint256 part = voucher.parts; part != voucher.end; part += PART_BYTES) {
            uint256 amount = Math.min(_amountAt(part), amountUsd6 - placedUsd6);
            amountsUsd6[_indexAt(part, amountsUsd6.length)] += amount;
            placedUsd6 += amount;
        }
    }

    /// @notice Most that the voucher's parts let be taken of `amountUsd6`.
    function allocated(Voucher memory voucher, uint256 amountUsd6) internal pure returns (uint256) {
        if (_isWhole(voucher)) return amountUsd6;
        uint256 sum = 0;
        for (uint256 part = voucher.parts; part != voucher.end; part += PART_BYTES) {
            sum += _amountAt(part);
        }
        return Math.min(sum, amountUsd6);
    }

    function _isWhole(Voucher memory voucher) private pure returns (bool) {
        return voucher.end - voucher.parts == 1;
    }

    function _indexAt(uint256 part, uint256 count) private pure returns (uint256 index) {
        assembly ("memory-safe") {
            index := byte(0, calldataload(part))
        }
        if (index >= count) revert IInferencePayments.InferencePayments_NoSuchPlace(index, count);
    }

    function _amountAt(uint256 part) private pure returns (uint256) {
        return _amountBefore(part + PART_BYTES);
    }

    /// @dev The 7 bytes that end at `end`.
    function _amountBefore(uint256 end) private pure returns (uint256 amountUsd6) {
        assembly ("memory-safe") {
            amountUsd6 := shr(200, calldataload(sub(end, BEFORE_BYTES)))
        }
    }
}
