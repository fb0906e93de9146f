// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice One reading of one GPU, as its agent signed it in a batch. A leaf under a report's sample roots.
/// @param gpuId keccak256 of the GPU's UUID.
/// @param atMs When, in Unix milliseconds.
/// @param busyBps Share of time the GPU was busy, 0 to 10,000.
/// @param billableBps The part of it that worked for customers, 0 to busyBps.
/// @param energyMj Cumulative counter in millijoules.
/// @param xid The driver's last error; 0 for none.
struct Sample {
    bytes32 gpuId;
    uint64 atMs;
    uint16 busyBps;
    uint16 billableBps;
    uint64 energyMj;
    uint16 xid;
}

using SampleLib for Sample global;

library SampleLib {
    /// @notice The leaf of OpenZeppelin's standard Merkle tree for it: keccak256(keccak256(abi.encode(sample))).
    function leaf(Sample calldata sample) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(sample))));
    }
}
