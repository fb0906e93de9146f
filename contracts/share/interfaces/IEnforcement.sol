// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterId} from "../../types/ClusterId.sol";

/// @notice What an order does once it is executed.
enum OrderKind {
    ForcedTransfer,
    Recovery
}

/// @notice Where an order is: Proposed → Confirmed → Executed, or Cancelled from either of the first two. None is no order.
enum OrderStatus {
    None,
    Proposed,
    Confirmed,
    Executed,
    Cancelled
}

/// @notice A freeze in force.
/// @param amount Frozen in all, as the share has it; 2^64 − 1 stands for all, and holds income too.
/// @param confirmedAmount Of that, what the trustee has confirmed: it stays until the trustee lifts it.
/// @param expiresAt Unix second from which anyone may let the rest lapse; 0 while nothing is unconfirmed.
/// @param notBefore Unix second before which the transfer agent cannot freeze beyond what is confirmed again.
/// @param heldAsBlocked Whether `freezeBlocked` has acted on the account: it does so once.
struct Freeze {
    uint64 amount;
    uint64 confirmedAmount;
    uint40 expiresAt;
    uint40 notBefore;
    bool heldAsBlocked;
}

/// @notice An order over shares.
/// @param executableAt Unix second from which it can be executed, if confirmed.
/// @param expiresAt Unix second from which it can be neither confirmed nor executed.
/// @param amount Shares to move; 0 for a recovery, which moves everything.
/// @param owner Whose shares; for a recovery the lost wallet.
/// @param to Who receives them; for a recovery the wallet that replaces it.
/// @param reference_ Digest of the legal document that it rests on.
struct Order {
    ClusterId clusterId;
    OrderKind kind;
    OrderStatus status;
    uint40 executableAt;
    uint40 expiresAt;
    uint64 amount;
    address owner;
    address to;
    bytes32 reference_;
}

/// @title Enforcement
/// @notice What the law asks of a share: freezes that act at once but not for ever, and forced transfers and recoveries
///         that take two signatures and time. The only account that shares obey in this; of all clusters.
///
///         **Freezes.** The cluster's TRANSFER_AGENT freezes at once. FREEZE_SECONDS after the first share that the TRUSTEE,
///         whom the issuer does not appoint, has not confirmed, anyone may let all that is unconfirmed lapse;
///         freezing more does not put that off. However an unconfirmed freeze ends but by confirmation, the agent
///         cannot freeze more of the account for FREEZE_COOLDOWN, unless the trustee waives that. So the agent alone holds
///         nobody longer than FREEZE_SECONDS at a time, the trustee alone nobody at all but those that are frozen.
///
///         **Orders.** The TRANSFER_AGENT proposes with the digest of the legal document, the TRUSTEE confirms, and once the
///         delay of its kind since the proposal is over (FORCED_TRANSFER_DELAY, RECOVERY_DELAY) anyone executes it,
///         within ORDER_LIFE. Either office can cancel. A forced transfer takes frozen shares only, unconfirmed ones
///         first. A recovery needs the lost wallet frozen whole, and both wallets attested to one investor; the
///         replacement is then frozen whole under the terms of both, and the lost wallet is blocked in every
///         share: anyone may have it frozen whole where it was not recovered yet.
/// @dev Whoever holds both powers over a cluster acts for both offices: the registrar, who appoints trustees, is to see
///      that nobody does. Assumes that registered shares are those of the release: they are called while an order is
///      executed, after everything here is written.
interface IEnforcement {
    /// @notice `amount` of `account` is frozen now; what is not confirmed, until `expiresAt`.
    event AccountFrozen(
        ClusterId indexed clusterId,
        address indexed account,
        address indexed actor,
        uint256 amount,
        uint256 expiresAt,
        bytes32 reference_
    );
    /// @notice `account`, which is blocked in every share, is frozen whole until the trustee lifts it.
    event BlockedAccountFrozen(ClusterId indexed clusterId, address indexed account, address indexed actor);
    event FreezeConfirmed(
        ClusterId indexed clusterId, address indexed account, address indexed actor, uint256 confirmedAmount
    );
    /// @notice `amount` is left of the freeze.
    event FreezeLifted(
        ClusterId indexed clusterId, address indexed account, address indexed actor, uint256 amount
    );
    /// @notice `amount` is left of the freeze, all confirmed.
    event FreezeLapsed(
        ClusterId indexed clusterId, address indexed account, uint256 amount, uint256 notBefore
    );
    /// @notice The transfer agent may freeze `account` again at once.
    event CooldownWaived(ClusterId indexed clusterId, address indexed account, address indexed actor);
    /// @notice With what `lost` had, its freeze went to `replacement`, which is frozen whole: `confirmedAmount` until the
    ///         trustee lifts it, the rest until `expiresAt`.
    event FreezeMoved(
        ClusterId indexed clusterId,
        address indexed lost,
        address indexed replacement,
        uint256 confirmedAmount,
        uint256 expiresAt
    );
    event OrderProposed(
        uint256 indexed orderId, ClusterId indexed clusterId, address indexed actor, Order order
    );
    event OrderConfirmed(uint256 indexed orderId, address indexed actor);
    event OrderCancelled(uint256 indexed orderId, address indexed actor);
    event OrderExecuted(uint256 indexed orderId, address indexed actor);

    error Enforcement_NoShare(ClusterId clusterId);
    error Enforcement_ZeroReference();
    /// @notice The freeze would be `amount`, not more than the present `frozen`: `unfreeze` lowers it.
    error Enforcement_NotMore(uint256 amount, uint256 frozen);
    /// @notice The freeze would be `amount`, not less than the present `frozen`.
    error Enforcement_NotLess(uint256 amount, uint256 frozen);
    /// @notice The next freeze may begin at `notBefore`.
    error Enforcement_FreezeTooSoon(uint256 notBefore);
    /// @notice The unconfirmed freeze was over at `expiresAt` and can only lapse, be lifted or be confirmed.
    error Enforcement_FreezeOver(uint256 expiresAt);
    /// @notice `amount` is to be confirmed: not more than the `confirmed`, or more than the `frozen`.
    error Enforcement_ConfirmationOutOfRange(uint256 amount, uint256 confirmed, uint256 frozen);
    /// @notice `confirmed` of the freeze is the trustee's to lift; it would be `amount`.
    error Enforcement_ConfirmedFreeze(uint256 amount, uint256 confirmed);
    /// @notice Nothing of the freeze lapses before `expiresAt` (0: ever).
    error Enforcement_FreezeStands(uint256 expiresAt);
    error Enforcement_NoCooldown(ClusterId clusterId, address account);
    /// @notice `account` may send: it is not blocked.
    error Enforcement_NotBlocked(address account);
    /// @notice The account was frozen as blocked before, or what it had was recovered.
    error Enforcement_HeldBefore(ClusterId clusterId, address account);
    /// @notice `amount` is zero, or more than `limit`, all shares that there are.
    error Enforcement_AmountOutOfRange(uint256 amount, uint256 limit);
    error Enforcement_InvalidParties(address owner, address to);
    /// @notice The two wallets are not attested to one investor.
    error Enforcement_AnotherInvestor(bytes16 lostInvestor, bytes16 replacementInvestor);
    error Enforcement_UnknownOrder(uint256 orderId);
    /// @notice The order was executed or cancelled.
    error Enforcement_OrderClosed(uint256 orderId, OrderStatus status);
    error Enforcement_NotConfirmed(uint256 orderId);
    error Enforcement_AlreadyConfirmed(uint256 orderId);
    error Enforcement_TooEarly(uint256 executableAt);
    error Enforcement_TooLate(uint256 expiresAt);
    /// @notice An order takes what is frozen: `frozen`, not `amount`.
    error Enforcement_NotFrozen(address account, uint256 amount, uint256 frozen);
    /// @notice `account` holds neither power over `clusterId`.
    error Enforcement_NotAnOffice(address account, ClusterId clusterId);

    /// @notice Raise what is frozen of `account` to `amount` (2^64 − 1 or more: all of it, and its income). For the
    ///         cluster's TRANSFER_AGENT.
    function freeze(ClusterId clusterId, address account, uint256 amount, bytes32 reference_) external;

    /// @notice Freeze `account` whole, which is blocked in every share since it was lost, so that it cannot take income
    ///         out of a share where it was not recovered yet. It stands until the trustee lifts it or the account is
    ///         recovered. Once an account; open to all.
    function freezeBlocked(ClusterId clusterId, address account) external;

    /// @notice Let `amount` of what is frozen stand until it is lifted. For the cluster's TRUSTEE.
    /// @param amount More than was confirmed before, and at most what is frozen: whatever was frozen unseen is left out.
    function confirmFreeze(ClusterId clusterId, address account, uint256 amount) external;

    /// @notice Lower what is frozen to `amount`. The TRANSFER_AGENT down to what is confirmed, the TRUSTEE to anything.
    function unfreeze(ClusterId clusterId, address account, uint256 amount) external;

    /// @notice Lower an unconfirmed freeze whose time is over to what is confirmed. Open to all.
    function lapseFreeze(ClusterId clusterId, address account) external;

    /// @notice Let the transfer agent freeze `account` again before FREEZE_COOLDOWN is over. For the cluster's TRUSTEE.
    function waiveCooldown(ClusterId clusterId, address account) external;

    /// @notice Propose to move `amount` of `owner`'s frozen shares to `to`, who must be able to receive them when it is
    ///         executed. For the cluster's TRANSFER_AGENT.
    function proposeForcedTransfer(
        ClusterId clusterId,
        address owner,
        address to,
        uint256 amount,
        bytes32 reference_
    ) external returns (uint256 orderId);

    /// @notice Propose to move all that `lost` has to `replacement`, another wallet of the same investor. For the cluster's
    ///         TRANSFER_AGENT, who had better freeze `lost` before. `lost` may have income and no balance.
    function proposeRecovery(ClusterId clusterId, address lost, address replacement, bytes32 reference_)
        external
        returns (uint256 orderId);

    /// @notice For the TRUSTEE of the order's cluster.
    function confirmOrder(uint256 orderId) external;

    /// @notice For the TRANSFER_AGENT or the TRUSTEE of the order's cluster.
    function cancelOrder(uint256 orderId) external;

    /// @notice Open to all, once the order is confirmed and its delay is over. What the share or the holding rules
    ///         refuse comes through as it is, and can be tried again.
    function executeOrder(uint256 orderId) external;

    function freezeOf(ClusterId clusterId, address account) external view returns (Freeze memory);

    /// @notice Number of orders; ids run from 1 to this.
    function orderCount() external view returns (uint256);

    /// @notice The order, or an error if there is none.
    function order(uint256 orderId) external view returns (Order memory);
}
