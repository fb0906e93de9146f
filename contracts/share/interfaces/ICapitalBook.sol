// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterId} from "../../types/ClusterId.sol";

/// @title ICapitalBook
/// @notice Where a retired cluster's proceeds are divided among the holders on its closed books.
interface ICapitalBook {
    /// @notice Credit `owner` with what their present balance has brought, before it changes.
    function settle(ClusterId clusterId, address owner) external;
}
