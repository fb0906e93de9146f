// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterId} from "../../types/ClusterId.sol";

/// @title ILimitedShare
/// @notice All that the holding rules need to know of a share token.
interface ILimitedShare {
    /// @notice The cluster that the token is a fraction of.
    function clusterId() external view returns (ClusterId);

    /// @notice Shares in issue, in the smallest unit.
    function totalSupply() external view returns (uint256);

    function balanceOf(address owner) external view returns (uint256);
}
