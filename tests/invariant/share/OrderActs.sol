// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IClusterShare} from "../../../contracts/share/interfaces/IClusterShare.sol";
import {IClusterShareNotices} from "../../../contracts/share/interfaces/IClusterShareNotices.sol";
import {IERC7246} from "../../../contracts/share/interfaces/IERC7246.sol";
import {IERC7943Fungible} from "../../../contracts/share/interfaces/IERC7943Fungible.sol";
import {vm} from "../Vm.sol";
import {PledgeActs} from "./PledgeActs.sol";

/// @notice What the law asks, and what nobody may do.
abstract contract OrderActs is PledgeActs {
    uint256 private constant MAX_RECOVERIES = 3;
    uint256 private _recoveries;

    // ------------------------------------------------------------------ freezes

    /// @dev Nothing, anything, or what is free and a part of what is encumbered.
    function freeze(uint256 which, uint256 amount) external {
        (address owner,) = _pledger(which);
        if (amount % 4 == 0) return _freeze(owner, 0);
        if (amount % 4 == 1) return _freeze(owner, _around(amount / 4, balances[owner], ALL));
        uint256 encumbered = encumberedOf(owner);
        _freeze(owner, balances[owner] - encumbered + _part(amount / 4, encumbered));
    }

    /// @dev One time in two: it keeps its owner from everything.
    function freezeWhole(uint256 who) external {
        if (who % 2 == 0) _freeze(_holder(who / 2), ALL);
    }

    function unfreeze() external {
        for (uint256 i; i < owners.length; ++i) {
            SHARE.setFrozenTokens(owners[i], 0);
            frozen[owners[i]] = 0;
        }
        _lookAtOnce(0);
    }

    function _freeze(address owner, uint256 amount) internal {
        SHARE.setFrozenTokens(owner, amount);
        frozen[owner] = amount < ALL ? amount : ALL;
        _lookAtOnce(0);
    }

    // ------------------------------------------------------------------ orders

    /// @dev Only what is frozen; encumbrances shrink newest first and no further than they must (46), which is how the
    ///      order is booked.
    function forcedTransfer(uint256 who, uint256 to, uint256 amount) external {
        (address from, address receiver) = (_frozenOne(who), _receiver(to));
        uint256 limit = balances[from] < frozen[from] ? balances[from] : frozen[from];
        amount = _around(amount, limit, balances[from]);
        bytes memory refusal;
        if (from == receiver) {
            refusal = abi.encodeWithSelector(
                IERC7943Fungible.ERC7943CannotTransfer.selector, from, receiver, amount
            );
        } else if (amount > balances[from]) {
            refusal = abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientBalance.selector, from, balances[from], amount
            );
        } else if (amount > frozen[from]) {
            refusal = abi.encodeWithSelector(
                IClusterShareNotices.ClusterShare_NotFrozen.selector, from, frozen[from], amount
            );
        } else if (door.isShutOut(receiver)) {
            refusal = abi.encodeWithSelector(IERC7943Fungible.ERC7943CannotReceive.selector, receiver);
        }
        _forgetTold(from, receiver);
        _expect(refusal);
        SHARE.forcedTransfer(from, receiver, amount);
        if (refusal.length == 0) {
            _checkTold(from, receiver);
            _bookOrder(from, receiver, amount);
        }
        _lookAtOnce(0);
    }

    /// @dev To a new wallet, or to another owner's who has pledged nothing. Whatever the lost one allowed is void (47), and
    ///      it can be recovered once (48).
    function recover(uint256 who, uint256 to) external {
        uint256 place = who % owners.length;
        (address lost, address replacement) = (owners[place], _owner(to / 2));
        if (to % 2 == 0 && _recoveries < MAX_RECOVERIES) replacement = _newWallet();
        if (_recoveries == MAX_RECOVERIES || lost == replacement || encumberedOf(replacement) != 0) {
            return _refuseRecovery(lost, replacement);
        }
        ++_recoveries;
        SHARE.setFrozenTokens(lost, ALL);
        for (uint256 i; i < owners.length; ++i) {
            vm.prank(lost);
            SHARE.approve(owners[i], ALL);
        }
        _forgetTold(lost, replacement);
        SHARE.recover(lost, replacement);
        _checkTold(lost, replacement);
        door.block_(lost);
        _succeed(place, replacement);
        _checkCleared(lost, replacement);
        _lookAtOnce(0);
    }

    /// @dev As a rule one of whom something is frozen.
    function _frozenOne(uint256 seed) private view returns (address) {
        for (uint256 i; i < owners.length; ++i) {
            address owner = owners[(seed % owners.length + i) % owners.length];
            if (frozen[owner] != 0 && balances[owner] != 0) return owner;
        }
        return _holder(seed);
    }

    function _refuseRecovery(address lost, address replacement) private {
        bytes4 refusal = IClusterShareNotices.ClusterShare_NotFrozen.selector;
        if (lost == replacement || encumberedOf(replacement) != 0) {
            refusal = IClusterShareNotices.ClusterShare_CannotRecover.selector;
        } else if (frozen[lost] == ALL) {
            return;
        }
        vm.expectPartialRevert(refusal);
        SHARE.recover(lost, replacement);
        _lookAtOnce(0);
    }

    function _checkCleared(address lost, address replacement) private {
        require(SHARE.successorOf(lost) == replacement, "47: another successor");
        vm.prank(lost);
        SHARE.approve(ATTACKER, ALL);
        require(SHARE.allowance(lost, ATTACKER) == 0, "47: a lost wallet allows something");
        for (uint256 i; i < owners.length; ++i) {
            require(SHARE.allowance(lost, owners[i]) == 0, "47: an allowance outlived its wallet");
        }
        vm.expectPartialRevert(IClusterShareNotices.ClusterShare_CannotRecover.selector);
        SHARE.recover(lost, replacement);
        vm.expectPartialRevert(IClusterShareNotices.ClusterShare_CannotRecover.selector);
        SHARE.recover(ATTACKER, lost);
    }

    // ------------------------------------------------------------------ what nobody may do

    /// @dev An owner, a taker, a payee or a stranger does what others may: all of it is refused (49).
    function attack(uint256 by, uint256 who, uint256 amount) external {
        address villain = by % 2 == 0 ? ATTACKER : by % 4 == 1 ? _taker(by / 4) : _owner(by / 4);
        address victim = _owner(who);
        if (villain == victim) return;
        amount = _bound(amount, 1, ALL);
        vm.prank(victim);
        SHARE.approve(villain, amount - 1);
        for (uint256 i; i < 15; ++i) {
            vm.prank(villain);
            (bool done,) = address(SHARE).call(_evil(i, villain, victim, amount));
            require(!done, "49: somebody did what others may");
        }
        _lookAtOnce(0);
    }

    function _evil(uint256 kind, address villain, address victim, uint256 amount)
        private
        view
        returns (bytes memory)
    {
        address[] memory one = new address[](1);
        uint256[] memory some = new uint256[](1);
        (one[0], some[0]) = (villain, 1e6);
        if (kind == 0) return abi.encodeCall(IClusterShare.issue, (one, some));
        if (kind == 1) return abi.encodeCall(IClusterShare.fund, (amount));
        if (kind == 2) return abi.encodeCall(IClusterShare.claimTo, (victim, villain));
        if (kind == 3) return abi.encodeCall(IClusterShare.approveFor, (victim, villain, amount));
        if (kind == 4) return abi.encodeCall(IClusterShare.delegateFor, (victim, villain));
        if (kind == 5) {
            return abi.encodeCall(
                IClusterShare.encumberFor, (victim, takers[0], amount, uint40(NEVER), amount, villain)
            );
        }
        if (kind == 6) return abi.encodeCall(IERC7246.encumberFrom, (victim, takers[0], amount));
        if (kind == 7) return abi.encodeCall(IERC7943Fungible.setFrozenTokens, (victim, amount));
        if (kind == 8) return abi.encodeCall(IERC7943Fungible.forcedTransfer, (victim, villain, amount));
        if (kind == 9) return abi.encodeCall(IClusterShare.recover, (victim, villain));
        if (kind == 10) return abi.encodeCall(IERC7246.encumber, (ATTACKER, amount));
        if (kind == 11) return abi.encodeCall(IClusterShare.assignIncome, (SHUT_OUT, amount, ATTACKER));
        if (kind == 12) {
            return
                abi.encodeCall(
                    IClusterShare.claimAssigned, (victim, villain == ATTACKER ? SHUT_OUT : ATTACKER)
                );
        }
        if (kind == 13) return abi.encodeCall(IClusterShare.closeBooks, ());
        // More than was pledged to a taker, and anything from others.
        return abi.encodeCall(SHARE.transferFrom, (victim, villain, balances[victim] + amount));
    }
}
