// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CapitalProceeds} from "../../../contracts/revenue/CapitalProceeds.sol";
import {ProceedsState} from "../../../contracts/revenue/interfaces/ICapitalProceeds.sol";
import {ClusterId} from "../../../contracts/types/ClusterId.sol";
import {CapitalHandler} from "./CapitalHandler.sol";

/// @notice What holds of a retired cluster's proceeds after anything that can happen to its holders.
contract CapitalInvariantsTest {
    uint256 private constant SCALE = 2 ** 72;

    CapitalHandler private handler;
    CapitalProceeds private capital;

    function setUp() external {
        handler = new CapitalHandler();
        capital = handler.book();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev One search for all of them.
    function invariant_capital() external view {
        uint256 held;
        for (uint256 cluster; cluster < 2; ++cluster) {
            ProceedsState memory state = capital.proceeds(ClusterId.wrap(uint32(cluster + 1)));
            _conservation(cluster, state);
            _entitlement(cluster);
            held += state.receivedUsd6 - state.paidUsd6;
        }
        // Equation 8b.
        require(handler.stablecoinHeld() == held, "the contract holds something else");
    }

    /// @dev Equation 8a.
    function _conservation(uint256 cluster, ProceedsState memory state) private view {
        ClusterId id = ClusterId.wrap(uint32(cluster + 1));
        (uint256 paid, uint256 earned) = (0, 0);
        for (uint256 i; i < handler.holderCount(); ++i) {
            paid += capital.capitalPaidUsd6(id, handler.holders(i));
            earned += capital.earnedCapital(id, handler.holders(i));
        }
        uint256 supply = handler.shares(cluster).totalSupply();
        require(paid == state.paidUsd6, "somebody else was paid");
        require(
            state.receivedUsd6 * SCALE == paid * SCALE + earned + state.remainder, "capital is not conserved"
        );
        require(
            state.receivedUsd6 * SCALE == state.index * supply + state.remainder,
            "the index is something else"
        );
        require(state.remainder < supply, "more than a step of the index is carried");
    }

    /// @dev Equation 10. Each deposit moves the index by less than a step more or less than its due.
    function _entitlement(uint256 cluster) private view {
        ClusterId id = ClusterId.wrap(uint32(cluster + 1));
        uint256 supply = handler.shares(cluster).totalSupply();
        for (uint256 i; i < handler.holderCount(); ++i) {
            address owner = handler.holders(i);
            uint256 exact = handler.due(cluster, owner) * (SCALE / 2 ** 40) / supply * 2 ** 40;
            uint256 has = capital.capitalPaidUsd6(id, owner) * SCALE + capital.earnedCapital(id, owner);
            uint256 difference = has > exact ? has - exact : exact - has;
            require(
                difference <= handler.deposits(cluster) * supply + 2 ** 41, "a holder has not what is due"
            );
        }
    }
}
