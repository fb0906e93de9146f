// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SettlerHandler} from "./SettlerHandler.sol";

/// @notice What holds of settled payments after anything that can happen to them.
contract SettlerInvariantsTest {
    SettlerHandler private handler;

    function setUp() external {
        handler = new SettlerHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev One search for all of them.
    function invariant_settler() external view {
        handler.checkSettler();
    }
}
