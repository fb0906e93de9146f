// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterId} from "../../types/ClusterId.sol";

/// @title IRegisteredShare
/// @notice All that the ClusterRegistry needs to know of a share token.
interface IRegisteredShare {
    /// @notice The cluster that the token is a fraction of.
    function clusterId() external view returns (ClusterId);

    /// @notice Shares in issue, in the smallest unit.
    function totalSupply() external view returns (uint256);
}
