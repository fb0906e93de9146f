// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterId} from "./ClusterId.sol";

/// @notice What reporters measured for one cluster in one epoch, in one word.
/// @dev From the highest bit down:
///
///      | bits    | field                   | unit                                           |
///      |---------|-------------------------|------------------------------------------------|
///      | 255-192 | zero                    |                                                |
///      | 191-160 | clusterId               |                                                |
///      | 159-128 | energyWh                | watt-hours drawn by the GPUs, before PUE       |
///      | 127-96  | contractedGpuSeconds    | registered GPUs × seconds they were in service |
///      | 95-64   | availableGpuSeconds     | of those, seconds a GPU was healthy            |
///      | 63-32   | busyGpuSeconds          | technical utilisation × seconds                |
///      | 31-0    | billableGpuSeconds      | of those, seconds worked for a paying customer |
///
///      32 bits hold an epoch of one hour of 1,193,046 GPUs.
type ClusterFigures is uint256;

using ClusterFiguresLib for ClusterFigures global;

library ClusterFiguresLib {
    function clusterId(ClusterFigures figures) internal pure returns (ClusterId) {
        return ClusterId.wrap(uint32(ClusterFigures.unwrap(figures) >> 160));
    }

    function energyWh(ClusterFigures figures) internal pure returns (uint32) {
        return uint32(ClusterFigures.unwrap(figures) >> 128);
    }

    function contractedGpuSeconds(ClusterFigures figures) internal pure returns (uint32) {
        return uint32(ClusterFigures.unwrap(figures) >> 96);
    }

    function availableGpuSeconds(ClusterFigures figures) internal pure returns (uint32) {
        return uint32(ClusterFigures.unwrap(figures) >> 64);
    }

    function busyGpuSeconds(ClusterFigures figures) internal pure returns (uint32) {
        return uint32(ClusterFigures.unwrap(figures) >> 32);
    }

    function billableGpuSeconds(ClusterFigures figures) internal pure returns (uint32) {
        return uint32(ClusterFigures.unwrap(figures));
    }

    /// @notice Whether the figures can be true of any cluster: billable ≤ busy ≤ available ≤ contracted, a
    ///         cluster is named and the unused bits are zero.
    function isCoherent(ClusterFigures figures) internal pure returns (bool) {
        uint256 word = ClusterFigures.unwrap(figures);
        uint256 id = word >> 160;
        uint256 contracted = uint32(word >> 96);
        uint256 available = uint32(word >> 64);
        uint256 busy = uint32(word >> 32);
        uint256 billable = uint32(word);
        // A difference of 32-bit numbers that is negative, and nothing else, reaches above bit 31; so does an
        // id of more than 32 bits, and 0 − 1.
        unchecked {
            return
                ((contracted - available) | (available - busy) | (busy - billable) | id | (id - 1)) >> 32 == 0;
        }
    }

    /// @notice The same figures with no energy.
    function withoutEnergy(ClusterFigures figures) internal pure returns (ClusterFigures) {
        return ClusterFigures.wrap(ClusterFigures.unwrap(figures) & ~(uint256(type(uint32).max) << 128));
    }

    /// @notice What an epoch without samples counts: contracted time, and nothing that happened in it.
    function silence(ClusterFigures figures) internal pure returns (ClusterFigures) {
        uint256 kept = uint256(type(uint32).max) << 160 | uint256(type(uint32).max) << 96;
        return ClusterFigures.wrap(ClusterFigures.unwrap(figures) & kept);
    }
}
