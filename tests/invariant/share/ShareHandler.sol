// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {vm} from "../Vm.sol";
import {OrderActs} from "./OrderActs.sol";

/// @notice Everything that can be done to a share, in any order.
contract ShareHandler is OrderActs {
    constructor() {
        for (uint256 i; i < owners.length; ++i) {
            issue(i, 10 ** (6 + i));
        }
    }

    /// @notice At the end: nobody is held any more, all that streams has streamed, and everybody claims, whoever comes
    ///         first. What is left is fractions: less than a unit for each who earned, and for each carry (3, 51).
    function settleUp() external {
        for (uint256 i; i < accounts.length; ++i) {
            if (frozen[accounts[i]] != 0) _freeze(accounts[i], 0);
        }
        if (supply == 0) return;
        _warp(time + 2 * STREAM);
        _lookAfter(2 * STREAM);
        for (uint256 i; i < accounts.length; ++i) {
            address owner = accounts[(time + i) % accounts.length];
            if (SHARE.claimableUsd6(owner) != 0) claims[owner] += SHARE.claimFor(owner);
        }
        for (uint256 i; i < interests.length; ++i) {
            (address owner, address payee) = (interests[i][0], interests[i][1]);
            (, uint256 earned,) = SHARE.interestState(owner, payee);
            if (earned >= SCALE) assignedClaims[owner][payee] += SHARE.claimAssigned(owner, payee);
        }
        _lookAtOnce(0);
        require(
            usd.balanceOf(address(SHARE)) < accounts.length + interests.length + 2,
            "3: more than fractions cannot be paid out"
        );
    }
}

/// @notice The same, and sooner or later the books are closed.
contract RetiredShareHandler is ShareHandler {
    function closeBooks(uint256 by) external {
        if (_closed()) return;
        cluster.retire();
        vm.prank(_anyone(by));
        SHARE.closeBooks();
        require(_closed(), "50: the books are not closed");
        _lookAtOnce(0);
    }
}
