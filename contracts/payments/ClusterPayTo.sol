// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IX402Settler} from "./interfaces/IX402Settler.sol";

/// @notice Where payments for one cluster arrive that were made for one gateway. What is here goes one way: to the settler
///         that made it.
/// @dev Without arguments, so that its address follows from the settler's, the cluster's and the gateway's alone. It may
///      hold money before it is there.
contract ClusterPayTo {
    using SafeERC20 for IERC20;

    IX402Settler private immutable SETTLER;
    IERC20 private immutable STABLECOIN;

    error ClusterPayTo_NotTheSettler(address account, address settler);

    constructor() {
        SETTLER = IX402Settler(msg.sender);
        STABLECOIN = SETTLER.STABLECOIN();
    }

    /// @notice Send the settler `amountUsd6` of the stablecoin. For the settler.
    function sweep(uint256 amountUsd6) external {
        if (msg.sender != address(SETTLER)) {
            revert ClusterPayTo_NotTheSettler(msg.sender, address(SETTLER));
        }
        STABLECOIN.safeTransfer(msg.sender, amountUsd6);
    }
}
