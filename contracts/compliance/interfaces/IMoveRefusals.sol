// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IMoveRefusals
/// @notice Why a share's limits refuse a move. Apart, so that a share can name what comes through it.
interface IMoveRefusals {
    /// @notice `account`'s class may not send before `untilAt`.
    error HoldingRules_Locked(address account, uint8 investorClass, uint256 untilAt);
    error HoldingRules_CountryExcluded(address account, uint16 country);
    /// @notice The investor of `account` would hold `holding`: not zero and below `minimum`.
    error HoldingRules_BelowMinimum(address account, uint256 holding, uint256 minimum);
    error HoldingRules_AboveMaximum(address account, uint256 holding, uint256 maximum);
    error HoldingRules_TooManyHolders(uint256 holders, uint256 limit);
}
