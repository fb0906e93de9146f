// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice The hours that everything measured is counted in. Epoch `e` covers the seconds
///         [e × EPOCH_SECONDS, (e + 1) × EPOCH_SECONDS) of Unix time, for every cluster and every contract.
library Epochs {
    uint256 internal constant EPOCH_SECONDS = 1 hours;

    /// @notice How long after an epoch's end its energy may still be reported. Later, the metered part of the
    ///         operating cost lapses.
    uint256 internal constant GRACE_SECONDS = 1 days;

    function epochAt(uint256 timestamp) internal pure returns (uint256 epoch) {
        return timestamp / EPOCH_SECONDS;
    }

    function startOf(uint256 epoch) internal pure returns (uint256 timestamp) {
        return epoch * EPOCH_SECONDS;
    }

    function endOf(uint256 epoch) internal pure returns (uint256 timestamp) {
        return (epoch + 1) * EPOCH_SECONDS;
    }

    /// @notice The last epoch whose grace is over at `timestamp`. Only for timestamps after 1970-01-02.
    function lastLapsedAt(uint256 timestamp) internal pure returns (uint256 epoch) {
        return (timestamp - GRACE_SECONDS) / EPOCH_SECONDS - 1;
    }
}
