// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Authorised} from "../access/Authorised.sol";
import {IAuthority} from "../access/interfaces/IAuthority.sol";
import {InflowPausable} from "../access/InflowPausable.sol";
import {Powers} from "../access/Powers.sol";
import {Epochs} from "../libraries/Epochs.sol";
import {OperatingCost} from "../libraries/OperatingCost.sol";
import {IMetricsOracle} from "../oracle/interfaces/IMetricsOracle.sol";
import {
    Cluster,
    ClusterSpec,
    ClusterStatus,
    IClusterRegistry
} from "../registry/interfaces/IClusterRegistry.sol";
import {IClusterShare} from "../share/interfaces/IClusterShare.sol";
import {ClusterId} from "../types/ClusterId.sol";
import {IncomeKind, IRevenueSink} from "./interfaces/IRevenueSink.sol";
import {ITranche} from "./interfaces/ITranche.sol";
import {IWaterfall, WaterfallState} from "./interfaces/IWaterfall.sol";

/// @notice See IWaterfall.
contract Waterfall is IWaterfall, InflowPausable, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice Most tranches a cluster can have: they are read at every distribution.
    uint256 public constant MAX_TRANCHES = 4;

    /// @notice Most income that a cluster can have over its life, in 10⁻⁶ dollars; the share's stream takes as much.
    uint256 public constant MAX_RECEIVED_USD6 = 1e18;

    uint8 private constant STABLECOIN_DECIMALS = 6;
    uint256 private constant BPS = 10_000;

    /// @dev Two slots of totals since the start, in 10⁻⁶ dollars.
    struct Totals {
        uint64 received;
        uint64 operatorAssigned;
        uint64 holdersAssigned;
        uint64 holdersStreamed;
        uint64 tranchesAssigned;
        uint64 reserveAssigned;
        uint64 reserveDrawn;
        uint64 operatorPaid;
    }

    /// @dev What costs are counted from. `baseCost` is the cost of all epochs up to `baseEpoch`, in 1/OperatingCost.SCALE,
    ///      with `baseEnergyWh` of energy. Those after it cost by `terms` until the next specification. Three slots.
    /// @param reserveCarryBps Remainder of the reserve's share, in 1/10,000 of 10⁻⁶ dollars.
    /// @param specEpoch First epoch of the specification that `terms` were taken from.
    struct Costs {
        OperatingCost.Terms terms;
        uint128 baseCost;
        uint64 reserveTargetUsd6;
        uint32 specEpoch;
        uint32 baseEpoch;
        IClusterShare share;
        uint56 baseEnergyWh;
        uint16 reserveShareBps;
        uint16 reserveCarryBps;
    }

    struct TrancheAccount {
        ITranche tranche;
        uint64 assigned;
        uint64 paid;
    }

    IERC20 public immutable STABLECOIN;
    IClusterRegistry public immutable REGISTRY;
    IMetricsOracle public immutable ORACLE;

    mapping(ClusterId clusterId => Totals) private _totals;
    mapping(ClusterId clusterId => Costs) private _costs;
    mapping(ClusterId clusterId => TrancheAccount[]) private _tranches;

    /// @param stablecoin What all income is paid in; it must have 6 decimals.
    constructor(
        IAuthority authority_,
        IClusterRegistry registry,
        IMetricsOracle oracle,
        IERC20Metadata stablecoin
    ) Authorised(authority_) {
        if (stablecoin.decimals() != STABLECOIN_DECIMALS) {
            revert Waterfall_UnsupportedStablecoin(
                address(stablecoin), stablecoin.decimals(), STABLECOIN_DECIMALS
            );
        }
        STABLECOIN = IERC20(address(stablecoin));
        REGISTRY = registry;
        ORACLE = oracle;
    }

    // ------------------------------------------------------------------ in

    /// @inheritdoc IRevenueSink
    function receiveIncome(ClusterId clusterId, uint256 amountUsd6, IncomeKind kind, bytes32 ref)
        external
        nonReentrant
        whenInflowOpen
        returns (uint256 receivedUsd6)
    {
        if (amountUsd6 == 0) revert Waterfall_ZeroAmount();
        if (_costs[clusterId].terms.gpuCount == 0) _open(clusterId);
        uint256 before = STABLECOIN.balanceOf(address(this));
        STABLECOIN.safeTransferFrom(msg.sender, address(this), amountUsd6);
        receivedUsd6 = Math.saturatingSub(STABLECOIN.balanceOf(address(this)), before);
        if (receivedUsd6 == 0) revert Waterfall_ZeroAmount();
        uint256 total = _totals[clusterId].received;
        if (receivedUsd6 > MAX_RECEIVED_USD6 - total) {
            revert Waterfall_OverLimit(receivedUsd6, MAX_RECEIVED_USD6 - total);
        }
        total += receivedUsd6;
        _totals[clusterId].received = uint64(total);
        emit IncomeReceived(clusterId, msg.sender, kind, ref, receivedUsd6, total);
    }

    /// @dev Costs count from the cluster's first epoch, whenever the first income comes.
    function _open(ClusterId clusterId) private {
        Cluster memory cluster = REGISTRY.cluster(clusterId);
        if (cluster.firstEpoch == 0) revert Waterfall_NotEarning(clusterId);
        Costs storage costs = _costs[clusterId];
        costs.share = IClusterShare(cluster.share);
        costs.baseEpoch = cluster.firstEpoch - 1;
        _takeSpec(clusterId, cluster.firstEpoch);
    }

    function _takeSpec(ClusterId clusterId, uint256 epoch) private {
        (ClusterSpec memory spec, uint32 specEpoch) = REGISTRY.specAt(clusterId, epoch);
        Costs storage costs = _costs[clusterId];
        costs.terms = _termsOf(spec);
        costs.reserveShareBps = spec.reserveShareBps;
        costs.reserveTargetUsd6 = spec.reserveTargetUsd6;
        costs.specEpoch = specEpoch;
        emit SpecApplied(clusterId, specEpoch, costs.baseEpoch);
    }

    function _termsOf(ClusterSpec memory spec) private pure returns (OperatingCost.Terms memory) {
        return OperatingCost.Terms({
            gpuCount: spec.gpuCount,
            gpuMaxPowerWatts: spec.gpuMaxPowerWatts,
            pueBps: spec.pueBps,
            tariffUsd6PerKwh: spec.tariffUsd6PerKwh,
            contractedRateUsd6PerGpuHour: spec.contractedRateUsd6PerGpuHour
        });
    }

    /// @inheritdoc IWaterfall
    function applySpec(ClusterId clusterId) external nonReentrant {
        // What came in before is split as if it had been at once, so that the moment of a distribution does not
        // decide which reserve share it meets.
        _distribute(clusterId);
        Costs storage costs = _costs[clusterId];
        uint256 resolved = ORACLE.resolvedEpoch(clusterId);
        uint32 specEpoch = REGISTRY.specEpochAt(clusterId, resolved + 1);
        if (specEpoch == costs.specEpoch) {
            revert Waterfall_NoSpecToApply(clusterId, specEpoch, uint32(resolved));
        }
        if (specEpoch > costs.baseEpoch + 1) {
            uint256 energyWh = ORACLE.readingBefore(clusterId, specEpoch).energyWh;
            (uint256 cost,) = _cost(clusterId, costs, specEpoch - 1, energyWh, 0);
            costs.baseCost = uint128(cost);
            costs.baseEpoch = specEpoch - 1;
            costs.baseEnergyWh = uint56(energyWh);
        }
        _takeSpec(clusterId, specEpoch);
    }

    // ------------------------------------------------------------------ split

    /// @inheritdoc IWaterfall
    function distribute(ClusterId clusterId) external nonReentrant returns (uint256 holdersUsd6) {
        return _distribute(clusterId);
    }

    function _distribute(ClusterId clusterId) private returns (uint256 holdersUsd6) {
        Costs storage costs = _costs[clusterId];
        if (costs.terms.gpuCount == 0) _open(clusterId);
        Totals memory totals = _totals[clusterId];
        uint256 left = _undistributed(totals);
        (uint256 finalDown, uint256 due, bool ended) = _operatorDue(clusterId, costs);
        int256 reserveUsd6;
        if (ended) {
            // Nothing is left to replace: what the reserve holds runs down the waterfall like income.
            uint256 released = totals.reserveAssigned - totals.reserveDrawn;
            left += released;
            totals.reserveAssigned = totals.reserveDrawn;
            reserveUsd6 = -int256(released);
        }

        // With what was assigned before back in hand, the due is taken anew: it falls where a report released escrow.
        left += totals.operatorAssigned;
        int256 operatorUsd6 = -int256(uint256(totals.operatorAssigned));
        totals.operatorAssigned = uint64(Math.min(left, due));
        operatorUsd6 += int256(uint256(totals.operatorAssigned));
        left -= totals.operatorAssigned;
        due -= totals.operatorAssigned;

        uint256 tranchesUsd6 = _assignTranches(clusterId, left);
        left -= tranchesUsd6;
        totals.tranchesAssigned += uint64(tranchesUsd6);
        if (!ended) {
            uint256 kept = _reserveShare(costs, totals, left);
            left -= kept;
            totals.reserveAssigned += uint64(kept);
            reserveUsd6 = int256(kept);
        }
        holdersUsd6 = left;
        totals.holdersAssigned += uint64(left);
        _totals[clusterId] = totals;
        emit IncomeDistributed(
            clusterId, operatorUsd6, tranchesUsd6, reserveUsd6, holdersUsd6, due, finalDown
        );
        _stream(clusterId, costs.share, totals);
    }

    /// @dev Each tranche in its order takes what it is due and was not assigned.
    function _assignTranches(ClusterId clusterId, uint256 left) private returns (uint256 assignedUsd6) {
        TrancheAccount[] storage accounts = _tranches[clusterId];
        uint256 count = accounts.length;
        for (uint256 i; i < count; ++i) {
            TrancheAccount storage account = accounts[i];
            uint256 due = account.tranche.serviceDueUsd6(block.timestamp);
            uint256 assigned = account.assigned;
            uint256 taken = due > assigned ? Math.min(left - assignedUsd6, due - assigned) : 0;
            if (taken == 0) continue;
            assignedUsd6 += taken;
            account.assigned = uint64(assigned + taken);
            emit TrancheAssigned(clusterId, address(account.tranche), taken, assigned + taken);
        }
    }

    /// @dev The reserve's share of `amount`, rounded down with the remainder carried, and no more than its target
    ///      leaves room for.
    function _reserveShare(Costs storage costs, Totals memory totals, uint256 amount)
        private
        returns (uint256 reserveUsd6)
    {
        uint256 scaled = amount * costs.reserveShareBps + costs.reserveCarryBps;
        if (scaled % BPS != costs.reserveCarryBps) costs.reserveCarryBps = uint16(scaled % BPS);
        uint256 held = totals.reserveAssigned - totals.reserveDrawn;
        uint256 target = costs.reserveTargetUsd6;
        return held < target ? Math.min(scaled / BPS, target - held) : 0;
    }

    /// @dev Pass to the share what was assigned to the holders and not streamed. A share that cannot take it (no
    ///      supply, or a stablecoin that refuses it) does not stop the levels above; it is tried again next time.
    function _stream(ClusterId clusterId, IClusterShare share, Totals memory totals) private {
        uint256 amountUsd6 = totals.holdersAssigned - totals.holdersStreamed;
        if (amountUsd6 == 0) return;
        (bool approved, bytes memory reason) = _tryApprove(address(share), amountUsd6);
        if (approved) {
            _totals[clusterId].holdersStreamed = totals.holdersAssigned;
            try share.fund(amountUsd6) {
                emit HoldersStreamed(clusterId, address(share), amountUsd6, totals.holdersAssigned);
                return;
            } catch (bytes memory refusal) {
                reason = refusal;
                _totals[clusterId].holdersStreamed = totals.holdersStreamed;
                STABLECOIN.forceApprove(address(share), 0);
            }
        }
        emit HoldersDeferred(clusterId, address(share), amountUsd6, reason);
    }

    /// @dev A stablecoin that is paused, or has blacklisted the share, refuses the approval already. What it answers is
    ///      not decoded: no boolean would stop the split without a reason.
    function _tryApprove(address share, uint256 amountUsd6) private returns (bool ok, bytes memory answer) {
        (ok, answer) = address(STABLECOIN).call(abi.encodeCall(IERC20.approve, (share, amountUsd6)));
        if (ok && answer.length != 0) ok = answer.length == 32 && uint256(bytes32(answer)) == 1;
    }

    // ------------------------------------------------------------------ out

    /// @inheritdoc IWaterfall
    function withdrawOperatingCost(ClusterId clusterId, address payee)
        external
        nonReentrant
        onlyPower(Powers.OPERATOR, clusterId)
        returns (uint256 amountUsd6)
    {
        Totals storage totals = _totals[clusterId];
        uint256 paid = totals.operatorPaid;
        amountUsd6 = _operatorEarned(clusterId) - paid;
        if (amountUsd6 == 0) revert Waterfall_NothingToWithdraw(clusterId, msg.sender);
        totals.operatorPaid = uint64(paid + amountUsd6);
        emit OperatingCostWithdrawn(clusterId, msg.sender, payee, amountUsd6, paid + amountUsd6);
        STABLECOIN.safeTransfer(payee, amountUsd6);
    }

    /// @inheritdoc IWaterfall
    function withdrawTranche(ClusterId clusterId, address tranche)
        external
        nonReentrant
        returns (uint256 amountUsd6)
    {
        TrancheAccount storage account = _trancheAccount(clusterId, tranche);
        amountUsd6 = account.assigned - account.paid;
        if (amountUsd6 == 0) revert Waterfall_NothingToWithdraw(clusterId, tranche);
        account.paid = account.assigned;
        emit TrancheWithdrawn(clusterId, tranche, amountUsd6, account.paid);
        STABLECOIN.safeTransfer(tranche, amountUsd6);
    }

    /// @inheritdoc IWaterfall
    function drawReserve(ClusterId clusterId, uint256 amountUsd6, address payee, bytes32 documentHash)
        external
        nonReentrant
        onlyPower(Powers.TRUSTEE, clusterId)
    {
        if (amountUsd6 == 0) revert Waterfall_ZeroAmount();
        // What came in before the draw is split before it, so that the moment of a distribution does not decide
        // whether it fills the reserve again.
        _distribute(clusterId);
        Totals storage totals = _totals[clusterId];
        uint256 held = totals.reserveAssigned - totals.reserveDrawn;
        if (amountUsd6 > held) revert Waterfall_ReserveTooSmall(amountUsd6, held);
        totals.reserveDrawn += uint64(amountUsd6);
        emit ReserveDrawn(clusterId, msg.sender, payee, amountUsd6, documentHash, totals.reserveDrawn);
        STABLECOIN.safeTransfer(payee, amountUsd6);
    }

    // ------------------------------------------------------------------ tranches

    /// @inheritdoc IWaterfall
    function appendTranche(ClusterId clusterId, address tranche)
        external
        onlyPower(Powers.ISSUER, clusterId)
    {
        if (REGISTRY.statusOf(clusterId) != ClusterStatus.Proposed) {
            revert Waterfall_TooLateForDebt(clusterId);
        }
        TrancheAccount[] storage accounts = _tranches[clusterId];
        uint256 count = accounts.length;
        if (count == MAX_TRANCHES) revert Waterfall_TooManyTranches(clusterId, MAX_TRANCHES);
        for (uint256 i; i < count; ++i) {
            if (address(accounts[i].tranche) == tranche) revert Waterfall_TrancheKnown(tranche);
        }
        ClusterId of_ = ITranche(tranche).clusterId();
        if (of_ != clusterId) revert Waterfall_TrancheOfAnotherCluster(tranche, of_, clusterId);
        accounts.push(TrancheAccount({tranche: ITranche(tranche), assigned: 0, paid: 0}));
        emit TrancheAppended(clusterId, tranche, count);
    }

    function _trancheAccount(ClusterId clusterId, address tranche)
        private
        view
        returns (TrancheAccount storage)
    {
        TrancheAccount[] storage accounts = _tranches[clusterId];
        uint256 count = accounts.length;
        for (uint256 i; i < count; ++i) {
            if (address(accounts[i].tranche) == tranche) return accounts[i];
        }
        revert Waterfall_NotATranche(clusterId, tranche);
    }

    // ------------------------------------------------------------------ cost

    /// @return finalDown Cost of the resolved epochs, rounded down.
    /// @return dueUp With the maximum for the time since, rounded up; once ended, no more than is final.
    /// @return ended Whether the cluster is retired and its last epoch resolved: no cost will come any more.
    function _operatorDue(ClusterId clusterId, Costs memory costs)
        private
        view
        returns (uint256 finalDown, uint256 dueUp, bool ended)
    {
        uint256 resolved = ORACLE.resolvedEpoch(clusterId);
        (, uint256 lastEpoch) = REGISTRY.epochRange(clusterId);
        ended = lastEpoch != 0 && resolved >= lastEpoch;
        uint256 accruesTo = block.timestamp;
        if (lastEpoch != 0) accruesTo = Math.min(accruesTo, Epochs.endOf(lastEpoch));
        (uint256 finalCost, uint256 maximumSince) =
            _cost(clusterId, costs, resolved, ORACLE.reading(clusterId).energyWh, accruesTo);
        finalDown = finalCost / OperatingCost.SCALE;
        dueUp = ended ? finalDown : Math.ceilDiv(finalCost + maximumSince, OperatingCost.SCALE);
    }

    /// @dev Walk back from the newest specification to the one that the base is counted by, each by its own time: who
    ///      calls what when decides nothing.
    /// @param energyWh Counted energy of all epochs up to `resolved`.
    /// @return finalCost Cost of the epochs up to `resolved`, in 1/OperatingCost.SCALE.
    /// @return maximumSince The most that the time from then to `accruesTo` can cost, likewise.
    function _cost(
        ClusterId clusterId,
        Costs memory costs,
        uint256 resolved,
        uint256 energyWh,
        uint256 accruesTo
    ) private view returns (uint256 finalCost, uint256 maximumSince) {
        finalCost = costs.baseCost;
        uint256 baseEnd = Epochs.endOf(costs.baseEpoch);
        uint256 resolvedEnd = Epochs.endOf(resolved);
        uint256 end = Math.max(accruesTo, resolvedEnd);
        while (end > baseEnd) {
            (OperatingCost.Terms memory terms, uint32 specEpoch) =
                _termsAt(clusterId, costs, Epochs.epochAt(end - 1));
            uint256 start = Math.max(Epochs.startOf(specEpoch), baseEnd);
            if (end > resolvedEnd) {
                uint256 from = Math.max(start, resolvedEnd);
                maximumSince += OperatingCost.maximum(terms, end - from);
                end = from;
            }
            if (end > start) {
                uint256 before = start == baseEnd
                    ? costs.baseEnergyWh
                    : ORACLE.readingBefore(clusterId, specEpoch).energyWh;
                uint256 epochs = (end - start) / Epochs.EPOCH_SECONDS;
                finalCost += OperatingCost.actual(terms, epochs, energyWh - before);
                (end, energyWh) = (start, before);
            }
        }
    }

    /// @dev What costs in `epoch` are counted by, and the epoch from which they are.
    function _termsAt(ClusterId clusterId, Costs memory costs, uint256 epoch)
        private
        view
        returns (OperatingCost.Terms memory, uint32 specEpoch)
    {
        specEpoch = REGISTRY.specEpochAt(clusterId, epoch);
        if (specEpoch == costs.specEpoch) return (costs.terms, specEpoch);
        (ClusterSpec memory spec,) = REGISTRY.specAt(clusterId, specEpoch);
        return (_termsOf(spec), specEpoch);
    }

    function _operatorEarned(ClusterId clusterId) private view returns (uint256) {
        if (_costs[clusterId].terms.gpuCount == 0) return 0;
        (uint256 finalDown,,) = _operatorDue(clusterId, _costs[clusterId]);
        return Math.min(finalDown, _totals[clusterId].operatorAssigned);
    }

    function _undistributed(Totals memory totals) private pure returns (uint256) {
        return uint256(totals.received) - totals.operatorAssigned - totals.tranchesAssigned
            - totals.reserveAssigned - totals.holdersAssigned;
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IWaterfall
    function state(ClusterId clusterId) external view returns (WaterfallState memory) {
        Totals memory totals = _totals[clusterId];
        uint256 dueUp;
        if (_costs[clusterId].terms.gpuCount != 0) (, dueUp,) = _operatorDue(clusterId, _costs[clusterId]);
        uint256 earned = _operatorEarned(clusterId);
        return WaterfallState({
            received: totals.received,
            undistributed: _undistributed(totals),
            operatorAssigned: totals.operatorAssigned,
            operatorEarned: earned,
            operatorPaid: totals.operatorPaid,
            operatorShortfall: dueUp > totals.operatorAssigned ? dueUp - totals.operatorAssigned : 0,
            escrowed: totals.operatorAssigned - earned,
            tranchesAssigned: totals.tranchesAssigned,
            tranchesPaid: _tranchesPaid(clusterId),
            reserveAssigned: totals.reserveAssigned,
            reserveDrawn: totals.reserveDrawn,
            holdersAssigned: totals.holdersAssigned,
            holdersStreamed: totals.holdersStreamed
        });
    }

    function _tranchesPaid(ClusterId clusterId) private view returns (uint256 paid) {
        TrancheAccount[] storage accounts = _tranches[clusterId];
        for (uint256 i; i < accounts.length; ++i) {
            paid += accounts[i].paid;
        }
    }

    /// @inheritdoc IWaterfall
    function tranches(ClusterId clusterId)
        external
        view
        returns (address[] memory tranches_, uint256[] memory assignedUsd6, uint256[] memory paidUsd6)
    {
        TrancheAccount[] storage accounts = _tranches[clusterId];
        uint256 count = accounts.length;
        tranches_ = new address[](count);
        assignedUsd6 = new uint256[](count);
        paidUsd6 = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            tranches_[i] = address(accounts[i].tranche);
            assignedUsd6[i] = accounts[i].assigned;
            paidUsd6[i] = accounts[i].paid;
        }
    }

    /// @inheritdoc IWaterfall
    function operatorDueUsd6(ClusterId clusterId) external view returns (uint256 finalDown, uint256 dueUp) {
        if (_costs[clusterId].terms.gpuCount == 0) return (0, 0);
        (finalDown, dueUp,) = _operatorDue(clusterId, _costs[clusterId]);
    }
}
