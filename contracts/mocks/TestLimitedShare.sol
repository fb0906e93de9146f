// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IHoldingRules, Refusal} from "../compliance/interfaces/IHoldingRules.sol";
import {ILimitedShare} from "../compliance/interfaces/ILimitedShare.sol";
import {ClusterId} from "../types/ClusterId.sol";

/// @notice A share that is nothing but balances and asks the holding rules before it moves them; anyone moves anything.
contract TestLimitedShare is ILimitedShare {
    IHoldingRules public immutable RULES;
    ClusterId public immutable clusterId;
    uint256 public totalSupply;
    mapping(address owner => uint256) public balanceOf;

    constructor(IHoldingRules rules, ClusterId clusterId_) {
        RULES = rules;
        clusterId = clusterId_;
    }

    /// @notice Move `amount`; from the zero address it is issued, to the zero address it is burnt.
    function move(address from, address to, uint256 amount, bool forced) external {
        RULES.beforeMove(from, to, amount, balanceOf[from], balanceOf[to], forced);
        if (from == address(0)) totalSupply += amount;
        else balanceOf[from] -= amount;
        if (to == address(0)) totalSupply -= amount;
        else balanceOf[to] += amount;
    }

    /// @notice What `move` of so much, unforced, would be refused for.
    function refusalOf(address from, address to, uint256 amount) external view returns (Refusal, uint256) {
        return RULES.refusalOf(address(this), from, to, amount, balanceOf[from], balanceOf[to]);
    }
}
