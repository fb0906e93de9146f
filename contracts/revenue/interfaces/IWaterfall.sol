// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterId} from "../../types/ClusterId.sol";
import {IRevenueSink} from "./IRevenueSink.sol";

/// @notice Where every unit of a cluster's income is, in 10⁻⁶ dollars. Exactly:
///         received = undistributed + operatorAssigned + tranchesAssigned + reserveAssigned + holdersAssigned.
/// @param received All that ever came in.
/// @param undistributed Came in since the last distribution.
/// @param operatorAssigned Set aside for operating cost: escrowed, owed and paid.
/// @param operatorEarned Of the cost that is final, the part that is covered (paid or not), rounded down.
/// @param operatorPaid Withdrawn by the operator.
/// @param operatorShortfall Operating cost accrued to now, at its maximum where it is not final, that no income
///        covers yet.
/// @param escrowed operatorAssigned − operatorEarned.
/// @param tranchesAssigned Assigned to all tranches, paid or not.
/// @param tranchesPaid Withdrawn to the tranches.
/// @param reserveAssigned Assigned to the replacement reserve, less what it released at the end.
/// @param reserveDrawn Of that, drawn for replacements.
/// @param holdersAssigned Ever assigned to the holders.
/// @param holdersStreamed Of that, passed on to the share's stream.
struct WaterfallState {
    uint256 received;
    uint256 undistributed;
    uint256 operatorAssigned;
    uint256 operatorEarned;
    uint256 operatorPaid;
    uint256 operatorShortfall;
    uint256 escrowed;
    uint256 tranchesAssigned;
    uint256 tranchesPaid;
    uint256 reserveAssigned;
    uint256 reserveDrawn;
    uint256 holdersAssigned;
    uint256 holdersStreamed;
}

/// @title Waterfall
/// @notice The only splitter of income, one cluster at a time, by seniority: the operator's running cost, the
///         tranches in their order, the replacement reserve up to its target, the holders' stream.
///
///         Every level has a cumulative *due*, a function of the second and of Final reports alone, and a cumulative
///         *assigned*. A distribution at second t raises each level's assigned to its due, in order, as far as income
///         reaches, and passes the rest on. The operator's due is its actual cost for the epochs that are resolved
///         (Final, or past their grace) plus the maximum for the time since: that maximum is the escrow, and a report
///         that shows less releases the difference to the next distribution. Both are reckoned by the specification that
///         was in force at the time, whenever somebody asks.
///
///         Hence a junior is never paid before the senior is known, and the totals after a distribution that leaves
///         no shortfall do not depend on how many distributions there were before it, or when. A draw from the reserve
///         and a new specification, which change what a later distribution does, distribute first.
///
///         Cost of an epoch = min(metered energy, GPUs × maximum power × time) × PUE × tariff
///         + GPUs × contracted rate × time. The minimum is taken over all resolved epochs of one specification
///         together, from its first one, which makes it independent of when it is looked at; reporters also apply it
///         epoch by epoch.
///
///         All payments out are pulled. The stablecoin is one with 6 decimals; what arrives is measured by balance
///         difference.
interface IWaterfall is IRevenueSink {
    /// @notice One distribution: what each level was assigned by it. The operator's is negative where escrow was
    ///         released, the reserve's where a retired cluster's reserve was. `shortfallUsd6` is due to the operator
    ///         and not covered; `finalCostUsd6` is the operating cost of the resolved epochs so far, rounded down: what
    ///         of the operator's is not escrow.
    event IncomeDistributed(
        ClusterId indexed clusterId,
        int256 operatorUsd6,
        uint256 tranchesUsd6,
        int256 reserveUsd6,
        uint256 holdersUsd6,
        uint256 shortfallUsd6,
        uint256 finalCostUsd6
    );
    event TrancheAssigned(
        ClusterId indexed clusterId, address indexed tranche, uint256 amountUsd6, uint256 totalUsd6
    );
    /// @notice `amountUsd6` was passed to the share's stream, `totalUsd6` so far.
    event HoldersStreamed(
        ClusterId indexed clusterId, address indexed share, uint256 amountUsd6, uint256 totalUsd6
    );
    /// @notice `share` did not take `amountUsd6`, for `reason`; it waits for the next distribution.
    event HoldersDeferred(
        ClusterId indexed clusterId, address indexed share, uint256 amountUsd6, bytes reason
    );
    event OperatingCostWithdrawn(
        ClusterId indexed clusterId,
        address indexed operator,
        address indexed payee,
        uint256 amountUsd6,
        uint256 totalUsd6
    );
    event TrancheWithdrawn(
        ClusterId indexed clusterId, address indexed tranche, uint256 amountUsd6, uint256 totalUsd6
    );
    event ReserveDrawn(
        ClusterId indexed clusterId,
        address indexed trustee,
        address indexed payee,
        uint256 amountUsd6,
        bytes32 documentHash,
        uint256 totalUsd6
    );
    event TrancheAppended(ClusterId indexed clusterId, address indexed tranche, uint256 seniority);
    /// @notice The reserve's share and target are those of the specification that acts from `specEpoch`. Cost of all epochs
    ///         up to `sinceEpoch` is booked, each by the specification of its time.
    event SpecApplied(ClusterId indexed clusterId, uint32 specEpoch, uint32 sinceEpoch);

    error Waterfall_NotEarning(ClusterId clusterId);
    error Waterfall_ZeroAmount();
    /// @notice `amountUsd6` is more than `limit`, what is left of all the income that a cluster can have.
    error Waterfall_OverLimit(uint256 amountUsd6, uint256 limit);
    error Waterfall_UnsupportedStablecoin(address stablecoin, uint8 decimals, uint8 required);
    error Waterfall_NothingToWithdraw(ClusterId clusterId, address account);
    error Waterfall_ReserveTooSmall(uint256 amountUsd6, uint256 limit);
    error Waterfall_TooManyTranches(ClusterId clusterId, uint256 limit);
    error Waterfall_TrancheOfAnotherCluster(address tranche, ClusterId trancheClusterId, ClusterId clusterId);
    error Waterfall_TrancheKnown(address tranche);
    error Waterfall_NotATranche(ClusterId clusterId, address tranche);
    /// @notice Debt ranks before the holders, so it is appended before they can have bought: while Proposed.
    error Waterfall_TooLateForDebt(ClusterId clusterId);
    /// @notice Applied is the specification of the epoch after `resolvedEpoch`, the last resolved one, already.
    error Waterfall_NoSpecToApply(ClusterId clusterId, uint32 specEpoch, uint32 resolvedEpoch);

    /// @notice Split what came in since the last distribution, and what reports have released. Open to all.
    /// @return holdersUsd6 What was assigned to the holders.
    function distribute(ClusterId clusterId) external returns (uint256 holdersUsd6);

    /// @notice Pay the operator what is final and covered of the operating cost. For the cluster's OPERATOR.
    function withdrawOperatingCost(ClusterId clusterId, address payee) external returns (uint256 amountUsd6);

    /// @notice Pay a tranche what was assigned to it. Open to all; it goes to the tranche.
    function withdrawTranche(ClusterId clusterId, address tranche) external returns (uint256 amountUsd6);

    /// @notice Distribute, then draw from the replacement reserve for hardware. For the cluster's TRUSTEE. Once a retired
    ///         cluster's last epoch is resolved there is nothing left to draw.
    /// @param documentHash SHA-256 of the purchase document.
    function drawReserve(ClusterId clusterId, uint256 amountUsd6, address payee, bytes32 documentHash)
        external;

    /// @notice Add a tranche below those there are, while the cluster is Proposed, so that whoever buys shares knows
    ///         what ranks before them. For the cluster's ISSUER. At most MAX_TRANCHES.
    function appendTranche(ClusterId clusterId, address tranche) external;

    /// @notice Distribute, then take the reserve's share and target from the newest specification whose first epoch follows
    ///         a resolved one, and book the cost up to it. Open to all. Costs do not wait for it: each epoch costs by the
    ///         specification of its time.
    function applySpec(ClusterId clusterId) external;

    function state(ClusterId clusterId) external view returns (WaterfallState memory);

    /// @notice The tranches by seniority, with what was assigned and paid to each.
    function tranches(ClusterId clusterId)
        external
        view
        returns (address[] memory tranches, uint256[] memory assignedUsd6, uint256[] memory paidUsd6);

    /// @notice What the operator is due at this second: final cost, and the maximum for the time since.
    /// @return finalDown Final cost so far, rounded down.
    /// @return dueUp Final cost and maximum since, rounded up.
    function operatorDueUsd6(ClusterId clusterId) external view returns (uint256 finalDown, uint256 dueUp);
}
