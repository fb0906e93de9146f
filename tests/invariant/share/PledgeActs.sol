// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {Powers} from "../../../contracts/access/Powers.sol";
import {IClusterShareNotices} from "../../../contracts/share/interfaces/IClusterShareNotices.sol";
import {IERC7943Fungible} from "../../../contracts/share/interfaces/IERC7943Fungible.sol";
import {vm} from "../Vm.sol";
import {HoldingActs} from "./HoldingActs.sol";

/// @notice What owners pledge, what takers do with it, and what payees are assigned.
abstract contract PledgeActs is HoldingActs {
    mapping(address taker => bool) public isDismissed;

    constructor() {
        for (uint256 i; i < takers.length; ++i) {
            authority.grantRole(Powers.ENCUMBRANCER_ROLE, takers[i], 0);
        }
    }

    // ------------------------------------------------------------------ owners

    function encumber(uint256 who, uint256 to, uint256 amount) external {
        (address owner, address taker) = (_holder(who), _taker(to));
        amount = _around(amount, _pledgeableOf(owner, taker), balances[owner]);
        bool done = _expectPledge(owner, taker, amount);
        vm.prank(owner);
        SHARE.encumber(taker, amount);
        if (done) _bookPledge(owner, taker, amount, 0);
        _lookAtOnce(0);
    }

    function encumberUntil(uint256 who, uint256 to, uint256 amount, uint256 duration) external {
        (address owner, address taker) = (_holder(who), _taker(to));
        amount = _around(amount, _pledgeableOf(owner, taker), balances[owner]);
        uint256 expiresAt = time + _bound(duration, 0, 2 * STREAM);
        bool done;
        if (expiresAt == time) _expect(_expiryInPast());
        else done = _expectPledge(owner, taker, amount);
        vm.prank(owner);
        SHARE.encumberUntil(taker, amount, uint40(expiresAt));
        if (done) _bookPledge(owner, taker, amount, expiresAt);
        _lookAtOnce(0);
    }

    function encumberFrom(uint256 by, uint256 who, uint256 to, uint256 amount) external {
        (address spender, address owner, address taker) = (_anyone(by), _holder(who), _taker(to));
        amount = _around(amount, _pledgeableOf(owner, taker), balances[owner]);
        vm.prank(owner);
        SHARE.approve(spender, amount);
        bool done = _expectPledge(owner, taker, amount);
        vm.prank(spender);
        SHARE.encumberFrom(owner, taker, amount);
        if (done) _bookPledge(owner, taker, amount, 0);
        _lookAtOnce(0);
    }

    /// @dev As the desk does it for a signature: pledge and assign at once, or neither.
    function encumberFor(uint256 who, uint256 to, uint256 amount, uint256 duration, uint256 units) external {
        (address owner, address taker) = (_holder(who), _taker(to));
        amount = _part(amount, _pledgeableOf(owner, taker));
        uint256 expiresAt = time + _bound(duration, 1, 2 * STREAM);
        units = _part(units, amount);
        address payee = _payee(to / 3);
        if (units != 0 && _payeeOr(owner, taker, payee) != payee) return;
        if (units != 0 && payee == owner) return;
        bool done = _expectPledge(owner, taker, amount);
        SHARE.encumberFor(owner, taker, amount, uint40(expiresAt), units, payee);
        if (done) {
            _bookPledge(owner, taker, amount, expiresAt);
            if (units != 0) _assigned(owner, taker, units, payee);
        }
        _lookAtOnce(0);
    }

    /// @dev Of what is pledged and not assigned yet, to the one payee of the pledge; not by one who is frozen whole (44).
    function assignIncome(uint256 which, uint256 units, uint256 to) external {
        (address owner, address taker) = _pledger(which);
        address payee = _payee(to);
        Pledge memory one = pledge(owner, taker);
        units = _around(units, one.amount - one.assigned, one.amount);
        bytes memory refusal = _refusalOfAssignment(owner, taker, units, payee);
        _expect(refusal);
        vm.prank(owner);
        SHARE.assignIncome(taker, units, payee);
        if (refusal.length == 0) _assigned(owner, taker, units, payee);
        _lookAtOnce(0);
    }

    // ------------------------------------------------------------------ takers

    /// @dev With the role or without it, before the expiry or after it (38).
    function release(uint256 which, uint256 amount) external {
        (address owner, address taker) = _pledger(which);
        uint256 limit = pledge(owner, taker).amount;
        amount = _around(amount, limit, ALL);
        vm.prank(taker);
        SHARE.release(owner, amount);
        if (limit != 0 && amount != 0) _bookRelease(owner, taker, amount < limit ? amount : limit);
        _lookAtOnce(0);
    }

    /// @dev Up to what is pledged to the taker and a freeze leaves of it (33), to whom may receive (34), before the expiry
    ///      (37), while the taker holds the role (38); and more than that by allowance, if it is available.
    function deliver(uint256 which, uint256 to, uint256 amount) external {
        (address owner, address taker) = _pledger(which);
        address receiver = _receiver(to);
        uint256 pledged = pledge(owner, taker).amount;
        if (pledged == 0) return;
        amount = _around(amount, deliverableOf(owner, taker), balances[owner]);
        vm.prank(owner);
        SHARE.approve(taker, amount > pledged ? amount - pledged : 0);
        bytes4 refusal = _refusalOfDelivery(owner, taker, receiver, amount);
        _forgetTold(owner, receiver);
        if (refusal != 0) vm.expectPartialRevert(refusal);
        vm.prank(taker);
        SHARE.transferFrom(owner, receiver, amount);
        if (refusal == 0) {
            _checkTold(owner, receiver);
            require(amount <= unfrozenOf(owner), "33: frozen shares were delivered");
            if (amount != 0) _bookRelease(owner, taker, amount < pledged ? amount : pledged);
            _bookMove(owner, receiver, amount);
        }
        _lookAtOnce(0);
    }

    function dismiss(uint256 who) external {
        isDismissed[_taker(who)] = true;
        authority.revokeRole(Powers.ENCUMBRANCER_ROLE, _taker(who));
        _lookAtOnce(0);
    }

    function appoint() external {
        for (uint256 i; i < takers.length; ++i) {
            isDismissed[takers[i]] = false;
            authority.grantRole(Powers.ENCUMBRANCER_ROLE, takers[i], 0);
        }
        _lookAtOnce(0);
    }

    // ------------------------------------------------------------------ anyone

    /// @dev Not one second before the expiry, whoever asks, the owner included (36, 37).
    function releaseExpired(uint256 by, uint256 which) external {
        (address owner, address taker) = _pledger(which);
        Pledge memory one = pledge(owner, taker);
        bool stands = time < one.expiresAt;
        if (stands) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IClusterShareNotices.ClusterShare_EncumbranceStands.selector, owner, taker, one.expiresAt
                )
            );
        }
        vm.prank(_anyone(by));
        SHARE.releaseExpired(owner, taker);
        if (!stands && one.amount != 0) _bookRelease(owner, taker, one.amount);
        _lookAtOnce(0);
    }

    /// @dev All whole units, to the payee or who succeeded it, unless one of the two is frozen whole (41).
    function claimAssigned(uint256 which, uint256 by) external {
        if (interests.length == 0) return;
        (address owner, address payee) =
            (interests[which % interests.length][0], interests[which % interests.length][1]);
        address recipient = payee;
        while (successorOf[recipient] != address(0)) recipient = successorOf[recipient];
        uint256 held = usd.balanceOf(recipient);
        (, uint256 earned,) = SHARE.interestState(owner, payee);
        bytes memory refusal;
        if (earned < SCALE) refusal = _of(IClusterShareNotices.ClusterShare_NothingToClaim.selector, payee);
        else if (frozen[owner] == ALL) refusal = _incomeFrozen(owner);
        else if (frozen[recipient] == ALL) refusal = _incomeFrozen(recipient);
        _expect(refusal);
        vm.prank(_anyone(by));
        uint256 paid = SHARE.claimAssigned(owner, payee);
        if (refusal.length == 0) {
            require(paid == earned / SCALE, "9: an assigned claim paid something else");
            require(usd.balanceOf(recipient) == held + paid, "41: a claim did not reach the payee");
            assignedClaims[owner][payee] += paid;
        }
        _lookAtOnce(0);
    }

    // ------------------------------------------------------------------ what is refused

    function _assigned(address owner, address taker, uint256 units, address payee) private {
        _bookAssignment(owner, taker, units, payee);
        _meetInterest(owner, payee);
    }

    /// @dev Of what is pledged to `taker`, what is over and goes before anything new is pledged to it (37).
    function _overOf(address owner, address taker) private view returns (uint256) {
        Pledge memory one = pledge(owner, taker);
        return time < one.expiresAt ? 0 : one.amount;
    }

    function _pledgeableOf(address owner, address taker) private view returns (uint256) {
        uint256 held = encumberedOf(owner) - _overOf(owner, taker) + frozen[owner];
        return balances[owner] > held ? balances[owner] - held : 0;
    }

    function _payeeOr(address owner, address taker, address other) private view returns (address) {
        address payee = pledge(owner, taker).payee;
        return payee == address(0) || _overOf(owner, taker) != 0 ? other : payee;
    }

    /// @dev No more than what is available (32), to who holds the role (38); what stood and is over is released (37).
    function _expectPledge(address owner, address taker, uint256 amount) private returns (bool) {
        bytes memory refusal = _refusalOfPledge(owner, taker, amount);
        _expect(refusal);
        if (refusal.length != 0) return false;
        uint256 over = _overOf(owner, taker);
        if (over != 0) _bookRelease(owner, taker, over);
        return true;
    }

    function _refusalOfPledge(address owner, address taker, uint256 amount)
        private
        view
        returns (bytes memory refusal)
    {
        if (amount == 0) {
            return abi.encodePacked(IClusterShareNotices.ClusterShare_ZeroEncumbrance.selector);
        }
        if (amount > balances[owner]) {
            return abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientBalance.selector, owner, balances[owner], amount
            );
        }
        refusal = _refusalOfHeld(owner, amount, _pledgeableOf(owner, taker));
        if (refusal.length == 0 && isDismissed[taker]) {
            refusal = _of(IClusterShareNotices.ClusterShare_NotAnEncumbrancer.selector, taker);
        }
    }

    function _refusalOfAssignment(address owner, address taker, uint256 units, address payee)
        private
        view
        returns (bytes memory)
    {
        if (frozen[owner] == ALL) return _incomeFrozen(owner);
        if (payee == owner) return _of(IClusterShareNotices.ClusterShare_InvalidPayee.selector, payee);
        Pledge memory one = pledge(owner, taker);
        if (units == 0 || units > one.amount - one.assigned) {
            return abi.encodeWithSelector(
                IClusterShareNotices.ClusterShare_AssignmentOverEncumbrance.selector,
                taker,
                units,
                one.amount - one.assigned
            );
        }
        if (one.payee == address(0) || one.payee == payee) return "";
        return abi.encodeWithSelector(
            IClusterShareNotices.ClusterShare_AssignedToAnother.selector, taker, one.payee
        );
    }

    function _refusalOfDelivery(address owner, address taker, address to, uint256 amount)
        private
        view
        returns (bytes4)
    {
        if (isDismissed[taker]) return IClusterShareNotices.ClusterShare_NotAnEncumbrancer.selector;
        Pledge memory one = pledge(owner, taker);
        if (time >= one.expiresAt) return IClusterShareNotices.ClusterShare_EncumbranceExpired.selector;
        if (amount > balances[owner]) return IERC20Errors.ERC20InsufficientBalance.selector;
        if (amount > (amount > one.amount ? unfrozenOf(owner) : deliverableOf(owner, taker))) {
            return IERC7943Fungible.ERC7943InsufficientUnfrozenBalance.selector;
        }
        if (amount > one.amount && amount - one.amount > availableOf(owner)) {
            return IClusterShareNotices.ClusterShare_InsufficientAvailable.selector;
        }
        return door.isShutOut(to) ? IERC7943Fungible.ERC7943CannotReceive.selector : bytes4(0);
    }

    function _expiryInPast() private view returns (bytes memory) {
        return abi.encodeWithSelector(IClusterShareNotices.ClusterShare_ExpiryInPast.selector, time, time);
    }

    function _incomeFrozen(address account) private pure returns (bytes memory) {
        return _of(IClusterShareNotices.ClusterShare_IncomeFrozen.selector, account);
    }

    function _of(bytes4 selector, address account) private pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, account);
    }
}
