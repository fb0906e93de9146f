// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterId} from "../../types/ClusterId.sol";

/// @title ITranche
/// @notice A lender's claim on a cluster's income, as the Waterfall sees it.
interface ITranche {
    /// @notice The cluster whose income serves the tranche.
    function clusterId() external view returns (ClusterId);

    /// @notice All interest and principal that has fallen due from the tranche's start to `timestamp`, in 10⁻⁶ dollars:
    ///         cumulative, never falling, whatever was paid. The Waterfall assigns income up to it before anything
    ///         goes to whoever ranks below, and refuses to distribute if it cannot be read: a junior is never paid
    ///         before the senior is known. Once the cluster is retired all that is outstanding has fallen due: until it
    ///         was assigned, the holders get nothing of the sale (see ICapitalProceeds).
    function serviceDueUsd6(uint256 timestamp) external view returns (uint256);
}
