// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Powers} from "../../../contracts/access/Powers.sol";
import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {IClusterShareNotices} from "../../../contracts/share/interfaces/IClusterShareNotices.sol";
import {IERC7943Fungible} from "../../../contracts/share/interfaces/IERC7943Fungible.sol";
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

    /// @dev 33: where a freeze reaches into encumbrances each taker can deliver what an order would leave it, whoever comes
    ///      first, and all together what is not frozen.
    function test_transfer_from__takers_under_a_freeze__each_delivers_its_part_in_any_order(
        uint256 seed,
        uint256 frozen
    ) external {
        uint256 count = _bound(seed, 1, share.MAX_TAKERS());
        uint256[] memory amounts = new uint256[](count);
        uint256 left = 1e12;
        for (uint256 i; i < count; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            amounts[i] = i == count - 1 && seed % 2 == 0 ? left : _bound(seed >> 8, 1, 1e12 / count);
            left -= amounts[i];
            _pledge(_taker(i), amounts[i]);
        }
        frozen = _bound(frozen, left, 1e12);
        share.setFrozenTokens(OWNER, frozen);
        uint256[] memory parts = new uint256[](count);
        uint256 unfrozen = 1e12 - frozen;
        for (uint256 i; i < count; ++i) {
            parts[i] = amounts[i] < unfrozen ? amounts[i] : unfrozen;
            unfrozen -= parts[i];
        }
        for (uint256 i; i < count; ++i) {
            uint256 which = (seed % count + i) % count;
            if (parts[which] < amounts[which]) {
                vm.expectPartialRevert(IERC7943Fungible.ERC7943InsufficientUnfrozenBalance.selector);
                vm.prank(_taker(which));
                share.transferFrom(OWNER, OTHER, parts[which] + 1);
            }
            vm.prank(_taker(which));
            share.transferFrom(OWNER, OTHER, parts[which]);
        }
        require(share.balanceOf(OWNER) == frozen, "not all that is not frozen was delivered");
    }

    /// @dev 35: as many takers as there can be, each with a payee of its own, are bounded work for an order and a recovery.
    function test_orders__most_takers_and_payees__bounded_work() external {
        uint256 count = share.MAX_TAKERS();
        for (uint256 i; i < count; ++i) {
            _pledge(_taker(i), 1e11);
            vm.prank(OWNER);
            share.assignIncome(_taker(i), 1e11, address(uint160(0x9A1 + i)));
        }
        authority.grantRole(Powers.ENCUMBRANCER_ROLE, _taker(count), 0);
        vm.expectRevert(
            abi.encodeWithSelector(IClusterShareNotices.ClusterShare_TooManyTakers.selector, OWNER, count)
        );
        vm.prank(OWNER);
        share.encumber(_taker(count), 1);
        share.setFrozenTokens(OWNER, WHOLE);
        _warp(time + 10 * STREAM);
        uint256 before = gasleft();
        share.recover(OWNER, THIEF);
        uint256 recovery = before - gasleft();
        before = gasleft();
        share.forcedTransfer(THIEF, OTHER, 1e12);
        require(recovery < 1_500_000 && before - gasleft() < 1_000_000, "work is not bounded");
        require(share.encumberedBalanceOf(THIEF) == 0, "something is encumbered yet");
    }

    function _taker(uint256 i) private pure returns (address) {
        return address(uint160(0x7A10 + i));
    }

    function _pledge(address taker, uint256 amount) private {
        authority.grantRole(Powers.ENCUMBRANCER_ROLE, taker, 0);
        vm.prank(OWNER);
        share.encumber(taker, amount);
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
