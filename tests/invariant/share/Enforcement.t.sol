// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EnforcementHandler} from "./EnforcementHandler.sol";

/// @notice The search for acts of both offices after which something of the README's part on enforcement does not hold.
contract EnforcementInvariantsTest {
    EnforcementHandler private handler;

    function setUp() external {
        handler = new EnforcementHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_enforcement() external view {
        handler.check();
    }
}
