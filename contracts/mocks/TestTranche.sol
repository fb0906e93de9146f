// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ITranche} from "../revenue/interfaces/ITranche.sol";
import {ClusterId} from "../types/ClusterId.sol";

/// @notice A tranche for tests: it falls due by the second, at a rate that anyone sets, and can be made unreadable.
contract TestTranche is ITranche {
    ClusterId public immutable clusterId;

    /// @notice Due per second since `since`, in 10⁻⁶ dollars, beside `baseUsd6`.
    uint256 public ratePerSecond;
    uint256 public since;
    uint256 public baseUsd6;
    bool public unreadable;

    error TestTranche_Unreadable();

    constructor(ClusterId clusterId_) {
        clusterId = clusterId_;
    }

    /// @notice From now on `rate` falls due a second, and `atOnceUsd6` has fallen due.
    function accrue(uint256 atOnceUsd6, uint256 rate) external {
        baseUsd6 += (block.timestamp - since) * ratePerSecond + atOnceUsd6;
        since = block.timestamp;
        ratePerSecond = rate;
    }

    function setUnreadable(bool on) external {
        unreadable = on;
    }

    /// @inheritdoc ITranche
    function serviceDueUsd6(uint256 timestamp) external view returns (uint256) {
        if (unreadable) revert TestTranche_Unreadable();
        return baseUsd6 + (timestamp - since) * ratePerSecond;
    }
}
