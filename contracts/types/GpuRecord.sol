// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice One GPU under contract: a leaf under the `gpuSetRoot` of its cluster's specification.
/// @param gpuId keccak256 of the GPU's UUID.
/// @param agent Whose signature speaks for it.
/// @param fromMs First Unix millisecond in service.
/// @param untilMs First Unix millisecond no longer in service; 2^64 − 1 while it is.
/// @param sampleIntervalMs Agreed sampling period in milliseconds.
struct GpuRecord {
    bytes32 gpuId;
    address agent;
    uint64 fromMs;
    uint64 untilMs;
    uint32 sampleIntervalMs;
}

using GpuRecordLib for GpuRecord global;

library GpuRecordLib {
    /// @notice The leaf of OpenZeppelin's standard Merkle tree for it: keccak256(keccak256(abi.encode(gpu))).
    function leaf(GpuRecord calldata gpu) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(gpu))));
    }
}
