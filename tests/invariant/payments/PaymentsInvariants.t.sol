// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PaymentsHandler} from "./PaymentsHandler.sol";

/// @notice What holds of balances, channels, clusters and models after anything that can happen to them.
contract PaymentsInvariantsTest {
    PaymentsHandler private handler;

    function setUp() external {
        handler = new PaymentsHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev One search for all of them.
    function invariant_payments() external view {
        handler.checkMoney();
        handler.checkModels();
        handler.checkBooks();
    }
}
