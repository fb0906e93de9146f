// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterId} from "../../types/ClusterId.sol";

/// @notice What an order does once it is executed.
enum OrderKind {
    ForcedTransfer,
    Recovery
}

/// @notice A freeze in force.
/// @param amount Frozen in all, as the share has it; 2^64 − 1 stands for all, and holds income too.
/// @param confirmedAmount Of that, what the trustee has confirmed: it stays until it is lifted.
/// @param expiresAt Unix second from which anyone may let the rest lapse; 0 while nothing is unconfirmed.
/// @param notBefore Unix second from which the transfer agent may freeze more again, after a freeze has lapsed.
struct Freeze {
    uint64 amount;
    uint64 confirmedAmount;
    uint40 expiresAt;
    uint40 notBefore;
}

/// @notice An order over shares.
/// @param from Whose shares; for a recovery the lost wallet.
/// @param to Who receives them; for a recovery the wallet that replaces it.
/// @param amount Shares to move; 0 for a recovery, which moves everything.
/// @param reference_ Digest of the legal document that it rests on.
/// @param executableAt Unix second from which it can be executed, if confirmed.
/// @param expiresAt Unix second from which it no longer can.
struct Order {
    ClusterId clusterId;
    OrderKind kind;
    bool confirmed;
    bool closed;
    uint40 executableAt;
    uint40 expiresAt;
    uint64 amount;
    address from;
    address to;
    bytes32 reference_;
}

/// @title Enforcement
/// @notice What the law asks of a share: freezes that act at once but not for ever, and forced transfers and recoveries
///         that take two signatures and time. The only account that shares obey in this.
///
///         **Freezes.** The cluster's TRANSFER_AGENT freezes at once; after FREEZE_SECONDS anyone may let it lapse,
///         unless the TRUSTEE, whom the issuer does not appoint, has confirmed it. After a lapse the same account cannot be
///         frozen further for as long, except by a confirmed amount, so that nobody is held by one office for good.
///
///         **Orders.** The TRANSFER_AGENT proposes with the digest of the legal document, the TRUSTEE confirms, and
///         after the delay of its kind (FORCED_TRANSFER_DELAY, RECOVERY_DELAY) anyone executes it, within ORDER_LIFE.
///         Either office can cancel. A forced transfer takes frozen shares only; a recovery needs the lost wallet frozen
///         whole, and both wallets attested to one investor. A recovered wallet is blocked in every share.
interface IEnforcement {
    event AccountFrozen(
        ClusterId indexed clusterId,
        address indexed account,
        address indexed actor,
        uint256 amount,
        uint256 expiresAt,
        bytes32 reference_
    );
    event FreezeConfirmed(
        ClusterId indexed clusterId, address indexed account, address indexed actor, uint256 confirmedAmount
    );
    /// @notice `amount` is left of the freeze.
    event FreezeLifted(
        ClusterId indexed clusterId, address indexed account, address indexed actor, uint256 amount
    );
    event FreezeLapsed(
        ClusterId indexed clusterId, address indexed account, uint256 amount, uint256 notBefore
    );
    event OrderProposed(
        uint256 indexed orderId, ClusterId indexed clusterId, address indexed actor, Order order
    );
    event OrderConfirmed(uint256 indexed orderId, address indexed actor);
    event OrderCancelled(uint256 indexed orderId, address indexed actor);
    event OrderExecuted(uint256 indexed orderId, address indexed actor);

    error Enforcement_NoShare(ClusterId clusterId);
    error Enforcement_ZeroAmount();
    /// @notice The freeze would be `amount`, not more than the present `frozen`: use `unfreeze` to lower it.
    error Enforcement_NotMore(uint256 amount, uint256 frozen);
    /// @notice The freeze would be `amount`, not less than the present `frozen`.
    error Enforcement_NotLess(uint256 amount, uint256 frozen);
    /// @notice A freeze lapsed; the next may begin at `notBefore`.
    error Enforcement_FreezeTooSoon(uint256 notBefore);
    /// @notice `confirmed` of the freeze needs the trustee; it would be `amount`.
    error Enforcement_ConfirmedFreeze(uint256 amount, uint256 confirmed);
    error Enforcement_NothingToConfirm(ClusterId clusterId, address account);
    /// @notice The freeze stands until `expiresAt` (0: until it is lifted).
    error Enforcement_FreezeStands(uint256 expiresAt);
    error Enforcement_UnknownOrder(uint256 orderId);
    /// @notice The order was executed or cancelled.
    error Enforcement_OrderClosed(uint256 orderId);
    error Enforcement_NotConfirmed(uint256 orderId);
    error Enforcement_AlreadyConfirmed(uint256 orderId);
    error Enforcement_TooEarly(uint256 executableAt);
    error Enforcement_TooLate(uint256 expiresAt);
    error Enforcement_InvalidParties(address from, address to);
    /// @notice The two wallets are not attested to one investor.
    error Enforcement_AnotherInvestor(bytes16 lostInvestor, bytes16 replacementInvestor);
    /// @notice `account` holds neither power over `clusterId`.
    error Enforcement_NotAnOffice(address account, ClusterId clusterId);

    /// @notice Raise what is frozen of `account` to `amount` (2^64 − 1 or more: all of it, and its income). At once, for
    ///         FREEZE_SECONDS. For the cluster's TRANSFER_AGENT.
    function freeze(ClusterId clusterId, address account, uint256 amount, bytes32 reference_) external;

    /// @notice Let the freeze stand until it is lifted. For the cluster's TRUSTEE.
    /// @param amount What the trustee saw frozen, so that nothing is confirmed unseen.
    function confirmFreeze(ClusterId clusterId, address account, uint256 amount) external;

    /// @notice Lower what is frozen to `amount`. The TRANSFER_AGENT down to what is confirmed, the TRUSTEE to anything.
    function unfreeze(ClusterId clusterId, address account, uint256 amount) external;

    /// @notice Lower an unconfirmed freeze whose time is over to what is confirmed. Open to all.
    function lapseFreeze(ClusterId clusterId, address account) external;

    /// @notice For the cluster's TRANSFER_AGENT.
    function proposeForcedTransfer(
        ClusterId clusterId,
        address from,
        address to,
        uint256 amount,
        bytes32 reference_
    ) external returns (uint256 orderId);

    /// @notice For the cluster's TRANSFER_AGENT. `lost` may have income and no balance.
    function proposeRecovery(ClusterId clusterId, address lost, address replacement, bytes32 reference_)
        external
        returns (uint256 orderId);

    /// @notice For the TRUSTEE of the order's cluster.
    function confirmOrder(uint256 orderId) external;

    /// @notice For the TRANSFER_AGENT or the TRUSTEE of the order's cluster.
    function cancelOrder(uint256 orderId) external;

    /// @notice Open to all, once the order is confirmed and its delay is over.
    function executeOrder(uint256 orderId) external;

    function freezeOf(ClusterId clusterId, address account) external view returns (Freeze memory);

    /// @notice Number of orders; ids run from 1 to this.
    function orderCount() external view returns (uint256);
    function order(uint256 orderId) external view returns (Order memory);
}
