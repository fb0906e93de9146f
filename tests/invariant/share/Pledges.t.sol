// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Powers} from "../../../contracts/access/Powers.sol";
import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {IClusterShareNotices} from "../../../contracts/share/interfaces/IClusterShareNotices.sol";
import {vm} from "../Vm.sol";
import {ShareFixture} from "./ShareFixture.sol";

/// @notice What a pledge, a freeze and a lost key do to each other's money.
contract PledgesTest is ShareFixture {
    address private constant OWNER = address(0xF1);
    address private constant OTHER = address(0xF2);
    address private constant THIEF = address(0xF3);
    address private constant TAKER = address(0x7A1);
    uint256 private constant WHOLE = type(uint64).max;

    ClusterShare private share;

    function setUp() external {
        _open();
        share = _newShare();
        authority.grantRole(Powers.ENCUMBRANCER_ROLE, TAKER, 0);
        _issue(share, OWNER, 1e12);
        _issue(share, OTHER, 1e12);
        _fund(share, 86_400e6);
    }

    /// @dev 44: who has the key of a wallet that is frozen whole, and soon recovered, cannot give its income away before.
    function test_assign_income__owner_frozen_whole__refused() external {
        vm.prank(OWNER);
        share.encumber(TAKER, 1e12);
        share.setFrozenTokens(OWNER, WHOLE);
        vm.expectRevert(_incomeFrozen(OWNER));
        vm.prank(OWNER);
        share.assignIncome(TAKER, 1e12, THIEF);
        share.setFrozenTokens(OWNER, WHOLE - 1);
        vm.prank(OWNER);
        share.assignIncome(TAKER, 1e12, THIEF);
    }

    /// @dev 41: income that was assigned to a wallet that is frozen whole stays where it is, and what was assigned to one
    ///      that was recovered is paid to who has its place, for ever.
    function test_claim_assigned__payee_frozen_and_recovered__paid_to_its_successor(uint256 steps) external {
        _assign(OWNER, OTHER);
        _warp(time + STREAM / 2);
        share.setFrozenTokens(OTHER, WHOLE);
        vm.expectRevert(_incomeFrozen(OTHER));
        share.claimAssigned(OWNER, OTHER);
        address last = OTHER;
        for (uint256 i; i <= steps % 3; ++i) {
            address next = address(uint160(0x1000 + i));
            share.setFrozenTokens(last, WHOLE);
            share.recover(last, next);
            vm.expectRevert(_incomeFrozen(next));
            share.claimAssigned(OWNER, OTHER);
            last = next;
        }
        share.setFrozenTokens(last, 0);
        uint256 paid = share.claimAssigned(OWNER, OTHER);
        require(paid != 0 && usd.balanceOf(last) == paid, "paid to a lost wallet");
        _warp(time + STREAM);
        paid += share.claimAssigned(OWNER, OTHER);
        require(usd.balanceOf(last) == paid && usd.balanceOf(OTHER) == 0, "paid to a lost wallet");
    }

    /// @dev 2: what is paid to the share itself would be nobody's.
    function test_claim_to__the_share_itself__refused() external {
        _warp(time + STREAM);
        vm.expectRevert(
            abi.encodeWithSelector(IClusterShareNotices.ClusterShare_InvalidPayee.selector, address(share))
        );
        share.claimTo(OWNER, address(share));
    }

    /// @dev 37: what was pledged until a time is not pledged again by the next pledge to the same taker.
    function test_encumber__after_an_expiry__only_the_new_amount_is_pledged(bool until) external {
        vm.prank(OWNER);
        share.encumberUntil(TAKER, 7e11, uint40(time + 1));
        vm.prank(OWNER);
        share.assignIncome(TAKER, 7e11, THIEF);
        _warp(time + 1);
        vm.prank(OWNER);
        if (until) share.encumberUntil(TAKER, 1e12, uint40(time + 1));
        else share.encumber(TAKER, 1e12);
        require(share.encumbrances(OWNER, TAKER) == 1e12, "the old amount came back");
        require(share.encumbranceOf(OWNER, TAKER).expiresAt > time, "the new amount is over");
        require(share.encumbranceOf(OWNER, TAKER).assigned == 0, "the old assignment came back");
        vm.prank(TAKER);
        share.transferFrom(OWNER, OTHER, 1e12);
    }

    function _assign(address owner, address payee) private {
        vm.prank(owner);
        share.encumber(TAKER, 1e12);
        vm.prank(owner);
        share.assignIncome(TAKER, 1e12, payee);
    }

    function _incomeFrozen(address account) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IClusterShareNotices.ClusterShare_IncomeFrozen.selector, account);
    }
}
