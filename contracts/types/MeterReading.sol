// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterFigures} from "./ClusterFigures.sol";

/// @notice What a cluster's meters show: totals since it went live. Consumers take differences, so that no epoch
///         is counted twice or missed. One slot.
/// @param epoch Last Final epoch; 0 if there is none.
/// @param energyWh Watt-hours drawn by the GPUs, before PUE. Epochs reported after their grace add none.
/// @param contractedGpuSeconds Registered GPUs × seconds in service.
/// @param availableGpuSeconds Of those, seconds in which the GPU was healthy.
/// @param billableGpuSeconds Of those, seconds worked for paying customers.
struct MeterReading {
    uint32 epoch;
    uint56 energyWh;
    uint56 contractedGpuSeconds;
    uint56 availableGpuSeconds;
    uint56 billableGpuSeconds;
}

/// @notice A MeterReading in one word, as it is stored and as events carry it.
/// @dev From the highest bit down:
///
///      | bits    | field                | unit               |
///      |---------|----------------------|--------------------|
///      | 255-224 | epoch                | last Final epoch   |
///      | 223-168 | energyWh             | watt-hours         |
///      | 167-112 | contractedGpuSeconds | GPU-seconds        |
///      | 111-56  | availableGpuSeconds  | GPU-seconds        |
///      | 55-0    | billableGpuSeconds   | GPU-seconds        |
///
///      56 bits hold the largest 32-bit figure of each of 2^24 epochs. Epochs are counted once each and only when
///      they are over, and there are 2^24 of them between 1970 and the year 3883: no sum reaches its neighbour.
type PackedReading is uint256;

using PackedReadingLib for PackedReading global;

library PackedReadingLib {
    uint256 private constant COUNTERS = type(uint224).max;
    uint256 private constant FIGURE = type(uint32).max;

    /// @notice Last Final epoch; 0 if there is none.
    function epoch(PackedReading reading) internal pure returns (uint32) {
        return uint32(PackedReading.unwrap(reading) >> 224);
    }

    function unpack(PackedReading reading) internal pure returns (MeterReading memory) {
        uint256 word = PackedReading.unwrap(reading);
        return MeterReading({
            epoch: uint32(word >> 224),
            energyWh: uint56(word >> 168),
            contractedGpuSeconds: uint56(word >> 112),
            availableGpuSeconds: uint56(word >> 56),
            billableGpuSeconds: uint56(word)
        });
    }

    /// @notice The reading after `figures` of `atEpoch` are counted.
    function plus(PackedReading reading, ClusterFigures figures, uint32 atEpoch)
        internal
        pure
        returns (PackedReading)
    {
        uint256 word = PackedReading.unwrap(reading);
        uint256 measured = ClusterFigures.unwrap(figures);
        // All four sums at once; the table above says why none can carry into the next.
        unchecked {
            return PackedReading.wrap(
                uint256(atEpoch) << 224
                    | ((word & COUNTERS)
                            + ((measured >> 128 & FIGURE) << 168 | (measured >> 96 & FIGURE) << 112
                                    | (measured >> 64 & FIGURE) << 56 | measured & FIGURE))
            );
        }
    }
}
