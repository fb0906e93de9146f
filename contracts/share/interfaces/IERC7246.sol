// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IERC7246
/// @notice ERC-7246: tokens pledged to a taker without leaving their owner. The taker moves them with `transferFrom`.
interface IERC7246 {
    /// @notice `amount` more of `owner`'s tokens are encumbered to `taker`.
    event Encumber(address indexed owner, address indexed taker, uint256 amount);
    /// @notice `amount` fewer of `owner`'s tokens are encumbered to `taker`.
    event Release(address indexed owner, address indexed taker, uint256 amount);

    /// @notice All that `owner` has encumbered; never more than the balance.
    function encumberedBalanceOf(address owner) external view returns (uint256);

    /// @notice What `owner` has encumbered to `taker`.
    function encumbrances(address owner, address taker) external view returns (uint256);

    /// @notice What `owner` may send or encumber.
    function availableBalanceOf(address owner) external view returns (uint256);

    /// @notice Encumber `amount` more of the caller's available tokens to `taker`.
    function encumber(address taker, uint256 amount) external;

    /// @notice The same for `owner`, whose allowance to the caller it spends.
    function encumberFrom(address owner, address taker, uint256 amount) external;

    /// @notice Give up `amount` of what `owner` encumbered to the caller, or what is left of it.
    function release(address owner, uint256 amount) external;
}
