// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IMetricsOracle} from "./interfaces/IMetricsOracle.sol";

/// @notice Whether enough distinct members signed the same digest.
library Quorum {
    uint256 internal constant SIGNATURE_BYTES = 65;

    /// @notice Signatures that are needed of `count` members: the fewest that are more than two thirds.
    function size(uint256 count) internal pure returns (uint256) {
        return 2 * count / 3 + 1;
    }

    /// @notice Reverts unless `signatures` are good ones over `digest`, by a quorum of distinct `members`.
    /// @dev One bad signature refuses all, by its number: a transmitter that collects them should know whose it is.
    function check(bytes32 digest, bytes calldata signatures, address[] memory members) internal pure {
        if (signatures.length % SIGNATURE_BYTES != 0) {
            revert IMetricsOracle.MetricsOracle_SignaturesMalformed(signatures.length);
        }
        uint256 count = signatures.length / SIGNATURE_BYTES;
        uint256 needed = size(members.length);
        if (count < needed) revert IMetricsOracle.MetricsOracle_NoQuorum(count, needed);

        uint256 seen;
        uint256 index = members.length;
        for (uint256 i; i < count; ++i) {
            bytes32 r;
            bytes32 s;
            uint8 v;
            // `i` is below the number of whole signatures, so this stays within them.
            assembly ("memory-safe") {
                let at := add(signatures.offset, mul(i, SIGNATURE_BYTES))
                r := calldataload(at)
                s := calldataload(add(at, 0x20))
                v := byte(0, calldataload(add(at, 0x40)))
            }
            // What is wrong with a bad one is left out: its signer is zero, which is no member.
            // slither-disable-next-line unused-return
            (address signer,,) = ECDSA.tryRecover(digest, v, r, s);
            index = indexOf(members, signer, index);
            if (index == members.length) revert IMetricsOracle.MetricsOracle_NotAReporter(i, signer);
            if (seen >> index & 1 != 0) revert IMetricsOracle.MetricsOracle_DuplicateSigner(signer);
            seen |= 1 << index;
        }
    }

    /// @notice Where `account` is among `members`; their number if it is not there.
    /// @dev The search begins behind `previous` and goes round: signatures in the members' order are found at once.
    function indexOf(address[] memory members, address account, uint256 previous)
        internal
        pure
        returns (uint256 index)
    {
        uint256 count = members.length;
        index = previous;
        for (uint256 looks; looks < count; ++looks) {
            unchecked {
                if (++index >= count) index = 0;
            }
            address member;
            // `index` is below `count`: the check that the compiler adds would run dozens of times in a report.
            assembly ("memory-safe") {
                member := mload(add(add(members, 0x20), shl(5, index)))
            }
            if (member == account) return index;
        }
        return count;
    }
}
