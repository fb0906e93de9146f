// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Epochs} from "./Epochs.sol";

/// @notice What running a cluster costs, in exact integers.
/// @dev All costs count 1/SCALE of 10⁻⁶ dollars. With W watts, P the PUE in 1/10,000, T the tariff in 10⁻⁶ dollars a
///      kilowatt-hour and R the contracted rate in 10⁻⁶ dollars a GPU-hour:
///
///      energy:     Wh / 1,000 × P / 10,000 × T             = Wh × 3,600 × P × T / SCALE
///      maximum:    GPUs × W × seconds / 3,600 Wh, so       = GPUs × W × seconds × P × T / SCALE
///      contracted: GPUs × seconds / 3,600 × R              = GPUs × seconds × R × 10⁷ / SCALE
library OperatingCost {
    uint256 internal constant SCALE = 3.6e10;
    uint256 private constant SECONDS_PER_HOUR = 3600;
    uint256 private constant RATE_SCALE = 1e7;

    /// @param gpuCount GPUs that the costs are for.
    /// @param gpuMaxPowerWatts Most that one GPU draws.
    /// @param pueBps Power usage effectiveness in 1/10,000.
    /// @param tariffUsd6PerKwh Price of energy.
    /// @param contractedRateUsd6PerGpuHour Other running cost.
    struct Terms {
        uint32 gpuCount;
        uint16 gpuMaxPowerWatts;
        uint16 pueBps;
        uint32 tariffUsd6PerKwh;
        uint32 contractedRateUsd6PerGpuHour;
    }

    /// @notice The most that `duration` seconds can cost.
    function maximum(Terms memory terms, uint256 duration) internal pure returns (uint256 scaledCost) {
        return (maximumWattSeconds(terms, duration) * terms.pueBps * terms.tariffUsd6PerKwh)
            + contracted(terms, duration);
    }

    /// @notice What `epochs` whole epochs cost in which the GPUs drew `energyWh`: the lower of metered and maximum
    ///         energy at the tariff, and the contracted rate.
    function actual(Terms memory terms, uint256 epochs, uint256 energyWh)
        internal
        pure
        returns (uint256 scaledCost)
    {
        uint256 duration = epochs * Epochs.EPOCH_SECONDS;
        uint256 wattSeconds = energyWh * SECONDS_PER_HOUR;
        uint256 limit = maximumWattSeconds(terms, duration);
        if (wattSeconds > limit) wattSeconds = limit;
        return (wattSeconds * terms.pueBps * terms.tariffUsd6PerKwh) + contracted(terms, duration);
    }

    function maximumWattSeconds(Terms memory terms, uint256 duration) private pure returns (uint256) {
        return uint256(terms.gpuCount) * terms.gpuMaxPowerWatts * duration;
    }

    function contracted(Terms memory terms, uint256 duration) private pure returns (uint256) {
        return uint256(terms.gpuCount) * duration * terms.contractedRateUsd6PerGpuHour * RATE_SCALE;
    }
}
