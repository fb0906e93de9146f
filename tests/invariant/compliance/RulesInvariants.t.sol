// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IdentityRegistry} from "../../../contracts/compliance/IdentityRegistry.sol";
import {TestLimitedShare} from "../../../contracts/mocks/TestLimitedShare.sol";
import {RulesHandler} from "./RulesHandler.sol";

/// @notice What holds of the holders of a share after anything that can happen. The numbers are those of the README.
contract RulesInvariantsTest {
    RulesHandler private handler;
    IdentityRegistry private identities;
    TestLimitedShare private share;

    function setUp() external {
        handler = new RulesHandler();
        (address rules, address token) = handler.rulesAndShare();
        (identities, share) = (IdentityRegistry(rules), TestLimitedShare(token));
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev One search for all of them. What is asked of each wallet is asked of one investor at a time.
    function invariant_rules() external view {
        // Property 1.
        require(identities.holdersOf(address(share)) == handler.countHolders(), "holders are miscounted");
        uint256 investor = block.timestamp % 4;
        // Property 5.
        handler.checkExits(investor);
        _holdings(investor);
    }

    /// @dev Property 6.
    function _holdings(uint256 investor) private view {
        uint256 total = handler.totalOf(investor);
        bytes16 id = bytes16(uint128(investor + 1));
        for (uint256 i; i < 4; ++i) {
            address wallet = handler.walletOf(investor, i);
            require(share.balanceOf(wallet) == handler.balances(wallet), "a balance is another");
            bytes16 attestedTo = identities.attestationOf(wallet).investorId;
            require(attestedTo == 0 || attestedTo == id, "a wallet changed hands");
            uint256 holding = identities.investorHolding(address(share), wallet);
            require(holding == (attestedTo == 0 ? 0 : total), "a holding is not the sum of the wallets");
        }
    }
}
