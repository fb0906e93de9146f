// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterSpec, IClusterRegistry} from "./interfaces/IClusterRegistry.sol";

/// @notice What a specification may say, and which changes of it cost the holders nothing.
library ClusterSpecs {
    uint256 internal constant MAX_GPU_COUNT = 1_000_000;
    uint256 internal constant MIN_PUE_BPS = 10_000;
    uint256 internal constant MAX_PUE_BPS = 30_000;
    uint256 internal constant MAX_TARIFF_USD6_PER_KWH = 10_000_000;
    uint256 internal constant MAX_CONTRACTED_RATE_USD6_PER_GPU_HOUR = 100_000_000;
    uint256 internal constant MAX_RESERVE_SHARE_BPS = 10_000;
    uint256 internal constant MIN_DEPRECIATION_SECONDS = 365 days;
    uint256 internal constant MAX_DEPRECIATION_SECONDS = 15 * 365 days;
    uint256 internal constant MAX_AMOUNT_USD6 = 1e18;

    /// @notice Refuse a specification with a field out of the range that `ClusterSpec` documents.
    function check(ClusterSpec calldata spec) internal pure {
        _checkText("gpuModel", spec.gpuModel);
        _checkText("region", spec.region);
        _checkRange("gpuCount", spec.gpuCount, 1, MAX_GPU_COUNT);
        _checkRange("gpuMaxPowerWatts", spec.gpuMaxPowerWatts, 1, type(uint16).max);
        _checkRange("gpuIdlePowerWatts", spec.gpuIdlePowerWatts, 0, spec.gpuMaxPowerWatts);
        _checkRange("pueBps", spec.pueBps, MIN_PUE_BPS, MAX_PUE_BPS);
        _checkRange("tariffUsd6PerKwh", spec.tariffUsd6PerKwh, 0, MAX_TARIFF_USD6_PER_KWH);
        _checkRange(
            "contractedRateUsd6PerGpuHour",
            spec.contractedRateUsd6PerGpuHour,
            0,
            MAX_CONTRACTED_RATE_USD6_PER_GPU_HOUR
        );
        _checkRange("reserveShareBps", spec.reserveShareBps, 0, MAX_RESERVE_SHARE_BPS);
        _checkRange(
            "depreciationLifeSeconds",
            spec.depreciationLifeSeconds,
            MIN_DEPRECIATION_SECONDS,
            MAX_DEPRECIATION_SECONDS
        );
        _checkRange("pricePaidUsd6", spec.pricePaidUsd6, 0, MAX_AMOUNT_USD6);
        _checkRange("reserveTargetUsd6", spec.reserveTargetUsd6, 0, MAX_AMOUNT_USD6);
    }

    /// @notice Whether going from `current` to `next` can raise nothing that is taken before the holders: only the
    ///         roots differ, and numbers that costs or the reserve are reckoned from are the same or lower.
    function isLighter(ClusterSpec memory current, ClusterSpec calldata next) internal pure returns (bool) {
        return next.gpuModel == current.gpuModel && next.region == current.region
            && next.depreciationLifeSeconds == current.depreciationLifeSeconds
            && next.pricePaidUsd6 == current.pricePaidUsd6 && next.gpuCount <= current.gpuCount
            && next.gpuMaxPowerWatts <= current.gpuMaxPowerWatts
            && next.gpuIdlePowerWatts <= current.gpuIdlePowerWatts && next.pueBps <= current.pueBps
            && next.tariffUsd6PerKwh <= current.tariffUsd6PerKwh
            && next.contractedRateUsd6PerGpuHour <= current.contractedRateUsd6PerGpuHour
            && next.reserveShareBps <= current.reserveShareBps
            && next.reserveTargetUsd6 <= current.reserveTargetUsd6;
    }

    function _checkRange(string memory field, uint256 value, uint256 minimum, uint256 maximum) private pure {
        if (value < minimum || value > maximum) {
            revert IClusterRegistry.ClusterRegistry_SpecOutOfRange(field, value, minimum, maximum);
        }
    }

    /// @dev One to 31 printable ASCII characters, then zeros only: what is shown to an investor is what is stored,
    ///      without look-alikes or hidden characters.
    function _checkText(string memory field, bytes32 value) private pure {
        uint256 length;
        while (length < 32 && uint8(value[length]) >= 0x20 && uint8(value[length]) < 0x7f) ++length;
        if (length == 0 || length == 32 || value << (8 * length) != 0) {
            revert IClusterRegistry.ClusterRegistry_SpecTextInvalid(field, value);
        }
    }
}
