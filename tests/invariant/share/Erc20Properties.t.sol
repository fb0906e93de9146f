// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {Erc20Handler} from "./Erc20Handler.sol";

/// @notice A share is an ERC-20: what is asked of one elsewhere, asked of this one. The list is in the README.
contract Erc20PropertiesTest {
    Erc20Handler private handler;
    ClusterShare private share;

    function setUp() external {
        handler = new Erc20Handler();
        share = handler.SHARE();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev The share agrees with the plain ledger, whole: what an action moved, and that it moved nothing else.
    function invariant_erc20() external view {
        uint256 supply = share.totalSupply();
        require(supply == handler.supply(), "the supply is not what was issued less what was burned");
        uint256 sum;
        for (uint256 i; i < handler.ownerCount(); ++i) {
            address owner = handler.owners(i);
            uint256 balance = share.balanceOf(owner);
            require(balance == handler.balances(owner), "a balance is not what came less what went");
            require(balance <= supply, "a balance is more than the supply");
            sum += balance;
            _checkAllowances(owner);
        }
        require(sum == supply, "the balances are not the supply");
        require(share.balanceOf(address(0)) == 0, "nobody holds shares");
        require(share.balanceOf(address(share)) == 0, "the share holds shares");
        require(share.balanceOf(handler.SHUT_OUT()) == 0, "one who may not hold holds");
    }

    function _checkAllowances(address owner) private view {
        for (uint256 i; i < handler.ownerCount(); ++i) {
            address spender = handler.owners(i);
            require(
                share.allowance(owner, spender) == handler.allowances(owner, spender),
                "an allowance is not what was approved less what was spent"
            );
        }
    }
}
