// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Authorised} from "../access/Authorised.sol";
import {Powers} from "../access/Powers.sol";
import {IAuthority} from "../access/interfaces/IAuthority.sol";
import {IIdentityRegistry} from "../compliance/interfaces/IIdentityRegistry.sol";
import {IClusterRegistry} from "../registry/interfaces/IClusterRegistry.sol";
import {ClusterId} from "../types/ClusterId.sol";
import {IClusterShare} from "./interfaces/IClusterShare.sol";
import {Freeze, IEnforcement, Order, OrderKind, OrderStatus} from "./interfaces/IEnforcement.sol";
import {SharesWordLib} from "./Holding.sol";

/// @notice See IEnforcement.
contract Enforcement is IEnforcement, Authorised {
    /// @notice How long the transfer agent alone can hold shares.
    uint256 public constant FREEZE_SECONDS = 30 days;

    /// @notice For how long it then cannot.
    uint256 public constant FREEZE_COOLDOWN = 30 days;

    /// @notice Time from proposal to execution, in which a holder can see and contest it.
    uint256 public constant FORCED_TRANSFER_DELAY = 7 days;
    uint256 public constant RECOVERY_DELAY = 14 days;

    /// @notice How long an order can be executed once it could be.
    uint256 public constant ORDER_LIFE = 90 days;

    /// @dev Of a freeze, what the share does not know; see Freeze. The amount is the share's alone, so that the two cannot
    ///      disagree. `expiresAt` is not 0 if and only if more is frozen than `confirmed`.
    struct Terms {
        uint64 confirmed;
        uint40 expiresAt;
        uint40 notBefore;
        bool heldAsBlocked;
    }

    IClusterRegistry public immutable REGISTRY;
    IIdentityRegistry public immutable IDENTITIES;

    /// @inheritdoc IEnforcement
    uint256 public orderCount;

    mapping(ClusterId clusterId => mapping(address account => Terms)) private _terms;
    mapping(uint256 orderId => Order) private _orders;

    constructor(IAuthority authority_, IClusterRegistry registry, IIdentityRegistry identities)
        Authorised(authority_)
    {
        REGISTRY = registry;
        IDENTITIES = identities;
    }

    // ------------------------------------------------------------------ freezes

    /// @inheritdoc IEnforcement
    function freeze(ClusterId clusterId, address account, uint256 amount, bytes32 reference_)
        external
        onlyPower(Powers.TRANSFER_AGENT, clusterId)
    {
        if (reference_ == 0) revert Enforcement_ZeroReference();
        IClusterShare share = _shareOf(clusterId);
        uint256 frozen = share.getFrozenTokens(account);
        if (amount > SharesWordLib.ALL) amount = SharesWordLib.ALL;
        if (amount <= frozen) revert Enforcement_NotMore(amount, frozen);
        Terms storage terms = _terms[clusterId][account];
        uint256 expiresAt = terms.expiresAt;
        if (expiresAt == 0) {
            if (block.timestamp < terms.notBefore) revert Enforcement_FreezeTooSoon(terms.notBefore);
            expiresAt = block.timestamp + FREEZE_SECONDS;
            terms.expiresAt = uint40(expiresAt);
        } else if (block.timestamp >= expiresAt) {
            revert Enforcement_FreezeOver(expiresAt);
        }
        emit AccountFrozen(clusterId, account, msg.sender, amount, expiresAt, reference_);
        _setFrozen(share, account, amount);
    }

    /// @inheritdoc IEnforcement
    function freezeBlocked(ClusterId clusterId, address account) external {
        IClusterShare share = _shareOf(clusterId);
        if (share.canSend(account)) revert Enforcement_NotBlocked(account);
        Terms storage terms = _terms[clusterId][account];
        // Once: the trustee's word is the last. And what was recovered is not here any more.
        if (terms.heldAsBlocked || share.successorOf(account) != address(0)) {
            revert Enforcement_HeldBefore(clusterId, account);
        }
        (terms.confirmed, terms.expiresAt, terms.heldAsBlocked) = (uint64(SharesWordLib.ALL), 0, true);
        emit BlockedAccountFrozen(clusterId, account, msg.sender);
        _setFrozen(share, account, SharesWordLib.ALL);
    }

    /// @inheritdoc IEnforcement
    function confirmFreeze(ClusterId clusterId, address account, uint256 amount)
        external
        onlyPower(Powers.TRUSTEE, clusterId)
    {
        uint256 frozen = _shareOf(clusterId).getFrozenTokens(account);
        if (amount > SharesWordLib.ALL) amount = SharesWordLib.ALL;
        Terms storage terms = _terms[clusterId][account];
        if (amount <= terms.confirmed || amount > frozen) {
            revert Enforcement_ConfirmationOutOfRange(amount, terms.confirmed, frozen);
        }
        terms.confirmed = uint64(amount);
        if (amount == frozen) terms.expiresAt = 0;
        emit FreezeConfirmed(clusterId, account, msg.sender, amount);
    }

    /// @inheritdoc IEnforcement
    function unfreeze(ClusterId clusterId, address account, uint256 amount) external {
        Terms storage terms = _terms[clusterId][account];
        if (!_holds(Powers.TRUSTEE, clusterId)) {
            if (!_holds(Powers.TRANSFER_AGENT, clusterId)) {
                revert Enforcement_NotAnOffice(msg.sender, clusterId);
            }
            if (amount < terms.confirmed) revert Enforcement_ConfirmedFreeze(amount, terms.confirmed);
        }
        IClusterShare share = _shareOf(clusterId);
        uint256 frozen = share.getFrozenTokens(account);
        if (amount >= frozen) revert Enforcement_NotLess(amount, frozen);
        _lower(terms, amount);
        emit FreezeLifted(clusterId, account, msg.sender, amount);
        _setFrozen(share, account, amount);
    }

    /// @inheritdoc IEnforcement
    function lapseFreeze(ClusterId clusterId, address account) external {
        Terms storage terms = _terms[clusterId][account];
        uint256 expiresAt = terms.expiresAt;
        if (expiresAt == 0 || block.timestamp < expiresAt) revert Enforcement_FreezeStands(expiresAt);
        uint256 confirmed = terms.confirmed;
        _lower(terms, confirmed);
        emit FreezeLapsed(clusterId, account, confirmed, terms.notBefore);
        _setFrozen(_shareOf(clusterId), account, confirmed);
    }

    /// @inheritdoc IEnforcement
    function waiveCooldown(ClusterId clusterId, address account)
        external
        onlyPower(Powers.TRUSTEE, clusterId)
    {
        Terms storage terms = _terms[clusterId][account];
        if (block.timestamp >= terms.notBefore) revert Enforcement_NoCooldown(clusterId, account);
        terms.notBefore = 0;
        emit CooldownWaived(clusterId, account, msg.sender);
    }

    /// @dev Follow a freeze that falls to `amount`: what is confirmed goes last.
    function _lower(Terms storage terms, uint256 amount) private {
        if (amount < terms.confirmed) terms.confirmed = uint64(amount);
        if (terms.expiresAt != 0 && amount == terms.confirmed) {
            terms.expiresAt = 0;
            terms.notBefore = uint40(block.timestamp + FREEZE_COOLDOWN);
        }
    }

    // ------------------------------------------------------------------ orders

    /// @inheritdoc IEnforcement
    function proposeForcedTransfer(
        ClusterId clusterId,
        address owner,
        address to,
        uint256 amount,
        bytes32 reference_
    ) external onlyPower(Powers.TRANSFER_AGENT, clusterId) returns (uint256 orderId) {
        if (owner == to || owner == address(0) || to == address(0)) {
            revert Enforcement_InvalidParties(owner, to);
        }
        uint256 limit = _shareOf(clusterId).totalSupply();
        if (amount == 0 || amount > limit) revert Enforcement_AmountOutOfRange(amount, limit);
        return _propose(
            clusterId, OrderKind.ForcedTransfer, FORCED_TRANSFER_DELAY, owner, to, uint64(amount), reference_
        );
    }

    /// @inheritdoc IEnforcement
    function proposeRecovery(ClusterId clusterId, address lost, address replacement, bytes32 reference_)
        external
        onlyPower(Powers.TRANSFER_AGENT, clusterId)
        returns (uint256 orderId)
    {
        if (lost == replacement) revert Enforcement_InvalidParties(lost, replacement);
        // Only to say at once that there is none.
        _shareOf(clusterId);
        _checkSameInvestor(lost, replacement);
        return _propose(clusterId, OrderKind.Recovery, RECOVERY_DELAY, lost, replacement, 0, reference_);
    }

    function _propose(
        ClusterId clusterId,
        OrderKind kind,
        uint256 delay,
        address owner,
        address to,
        uint64 amount,
        bytes32 reference_
    ) private returns (uint256 orderId) {
        if (reference_ == 0) revert Enforcement_ZeroReference();
        orderId = ++orderCount;
        Order memory proposed = Order({
            clusterId: clusterId,
            kind: kind,
            status: OrderStatus.Proposed,
            executableAt: uint40(block.timestamp + delay),
            expiresAt: uint40(block.timestamp + delay + ORDER_LIFE),
            amount: amount,
            owner: owner,
            to: to,
            reference_: reference_
        });
        _orders[orderId] = proposed;
        emit OrderProposed(orderId, clusterId, msg.sender, proposed);
    }

    /// @inheritdoc IEnforcement
    function confirmOrder(uint256 orderId) external {
        Order storage open = _openOrder(orderId);
        _checkPower(Powers.TRUSTEE, open.clusterId);
        if (open.status == OrderStatus.Confirmed) revert Enforcement_AlreadyConfirmed(orderId);
        if (block.timestamp >= open.expiresAt) revert Enforcement_TooLate(open.expiresAt);
        open.status = OrderStatus.Confirmed;
        emit OrderConfirmed(orderId, msg.sender);
    }

    /// @inheritdoc IEnforcement
    function cancelOrder(uint256 orderId) external {
        Order storage open = _openOrder(orderId);
        if (!_holds(Powers.TRANSFER_AGENT, open.clusterId) && !_holds(Powers.TRUSTEE, open.clusterId)) {
            revert Enforcement_NotAnOffice(msg.sender, open.clusterId);
        }
        open.status = OrderStatus.Cancelled;
        emit OrderCancelled(orderId, msg.sender);
    }

    /// @inheritdoc IEnforcement
    function executeOrder(uint256 orderId) external {
        Order storage open = _openOrder(orderId);
        if (open.status != OrderStatus.Confirmed) revert Enforcement_NotConfirmed(orderId);
        if (block.timestamp < open.executableAt) revert Enforcement_TooEarly(open.executableAt);
        if (block.timestamp >= open.expiresAt) revert Enforcement_TooLate(open.expiresAt);
        open.status = OrderStatus.Executed;
        emit OrderExecuted(orderId, msg.sender);
        Order memory executed = open;
        if (executed.kind == OrderKind.ForcedTransfer) _forceTransfer(executed);
        else _recover(executed);
    }

    function _forceTransfer(Order memory executed) private {
        IClusterShare share = _shareOf(executed.clusterId);
        uint256 frozen = share.getFrozenTokens(executed.owner);
        if (executed.amount > frozen) {
            revert Enforcement_NotFrozen(executed.owner, executed.amount, frozen);
        }
        // Of an account that is frozen whole, whatever is left stays so.
        if (frozen != SharesWordLib.ALL) {
            _lower(_terms[executed.clusterId][executed.owner], frozen - executed.amount);
        }
        // Always true: what it refuses it reverts.
        // slither-disable-next-line unused-return
        share.forcedTransfer(executed.owner, executed.to, executed.amount);
    }

    function _recover(Order memory executed) private {
        (address lost, address replacement) = (executed.owner, executed.to);
        _checkSameInvestor(lost, replacement);
        IClusterShare share = _shareOf(executed.clusterId);
        uint256 frozen = share.getFrozenTokens(lost);
        if (frozen != SharesWordLib.ALL) revert Enforcement_NotFrozen(lost, SharesWordLib.ALL, frozen);
        _moveTerms(executed.clusterId, lost, replacement);
        share.recover(lost, replacement);
        // Last: a blocked wallet is moved by orders only, and this one has been.
        IDENTITIES.blockWallet(lost);
    }

    /// @dev The replacement will be frozen whole: what was confirmed of either stays so, the rest lapses with the later.
    function _moveTerms(ClusterId clusterId, address lost, address replacement) private {
        Terms memory from = _terms[clusterId][lost];
        Terms memory to = _terms[clusterId][replacement];
        delete _terms[clusterId][lost];
        uint256 confirmed = uint256(from.confirmed) + to.confirmed;
        if (from.expiresAt > to.expiresAt) to.expiresAt = from.expiresAt;
        if (confirmed >= SharesWordLib.ALL) (confirmed, to.expiresAt) = (SharesWordLib.ALL, 0);
        to.confirmed = uint64(confirmed);
        if (from.notBefore > to.notBefore) to.notBefore = from.notBefore;
        _terms[clusterId][replacement] = to;
        emit FreezeMoved(clusterId, lost, replacement, confirmed, to.expiresAt);
    }

    function _checkSameInvestor(address lost, address replacement) private view {
        bytes16 lostInvestor = IDENTITIES.attestationOf(lost).investorId;
        bytes16 replacementInvestor = IDENTITIES.attestationOf(replacement).investorId;
        if (lostInvestor == 0 || lostInvestor != replacementInvestor) {
            revert Enforcement_AnotherInvestor(lostInvestor, replacementInvestor);
        }
    }

    function _openOrder(uint256 orderId) private view returns (Order storage open) {
        open = _orders[orderId];
        OrderStatus status = open.status;
        if (status == OrderStatus.None) revert Enforcement_UnknownOrder(orderId);
        if (status == OrderStatus.Executed || status == OrderStatus.Cancelled) {
            revert Enforcement_OrderClosed(orderId, status);
        }
    }

    // ------------------------------------------------------------------ both

    function _shareOf(ClusterId clusterId) private view returns (IClusterShare) {
        address share = REGISTRY.cluster(clusterId).share;
        if (share == address(0)) revert Enforcement_NoShare(clusterId);
        return IClusterShare(share);
    }

    function _setFrozen(IClusterShare share, address account, uint256 amount) private {
        // Always true: what it refuses it reverts.
        // slither-disable-next-line unused-return
        share.setFrozenTokens(account, amount);
    }

    function _holds(uint32 power, ClusterId clusterId) private view returns (bool isMember) {
        // The Authority grants powers over a cluster without delay only.
        // slither-disable-next-line unused-return
        (isMember,) = IAuthority(authority()).hasRole(Powers.over(power, clusterId), msg.sender);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IEnforcement
    function freezeOf(ClusterId clusterId, address account) external view returns (Freeze memory) {
        Terms memory terms = _terms[clusterId][account];
        return Freeze({
            amount: uint64(_shareOf(clusterId).getFrozenTokens(account)),
            confirmedAmount: terms.confirmed,
            expiresAt: terms.expiresAt,
            notBefore: terms.notBefore,
            heldAsBlocked: terms.heldAsBlocked
        });
    }

    /// @inheritdoc IEnforcement
    function order(uint256 orderId) external view returns (Order memory) {
        if (orderId == 0 || orderId > orderCount) revert Enforcement_UnknownOrder(orderId);
        return _orders[orderId];
    }
}
