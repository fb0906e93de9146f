// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Authorised} from "../access/Authorised.sol";
import {IAuthority} from "../access/interfaces/IAuthority.sol";
import {Epochs} from "../libraries/Epochs.sol";
import {IClusterRegistry} from "../registry/interfaces/IClusterRegistry.sol";
import {ClusterFigures} from "../types/ClusterFigures.sol";
import {ClusterId} from "../types/ClusterId.sol";
import {MeterReading, PackedReading} from "../types/MeterReading.sol";
import {Sample} from "../types/Sample.sol";
import {IMetricsOracle, ReportHeader, ReportRecord} from "./interfaces/IMetricsOracle.sol";
import {Hold, PendingFigures, PendingQueue, PendingQueues} from "./PendingQueue.sol";
import {Quorum} from "./Quorum.sol";
import {ReporterSet, members} from "./ReporterSet.sol";

/// @dev What every report reads, in one slot.
/// @param reporterSet Where the reporters are kept; zero before the first are set.
/// @param reporterSetId Counts the sets; 0 before the first.
/// @param disputeWindowSeconds What later reports wait before they count.
/// @param pendingCount Epochs of all clusters that wait in a queue. While it is zero no report looks for queues.
struct Settings {
    ReporterSet reporterSet;
    uint32 reporterSetId;
    uint32 disputeWindowSeconds;
    uint32 pendingCount;
}

/// @dev The set before the present one, whose reports count a while longer.
/// @param validUntil Unix second from which they do not.
struct PreviousSet {
    ReporterSet reporterSet;
    uint40 validUntil;
}

/// @dev A struct, so that the slot's place is computed once where it is read and written.
struct Meter {
    PackedReading reading;
}

/// @dev A ReportRecord in one word, written at once: the compiler would write each field by itself.
///      From bit 144 down: epoch (32), reporterSetId (32), postedAt (40), finalAt (40).
type PackedRecord is uint256;

/// @notice See IMetricsOracle.
contract MetricsOracle is IMetricsOracle, Authorised, EIP712 {
    using PendingQueues for PendingQueue;
    using PendingQueues for PendingFigures;
    using {members} for ReporterSet;

    /// @notice Age above which a cluster's reading is stale, in seconds.
    uint256 public constant STALE_SECONDS = 3 * Epochs.EPOCH_SECONDS;

    /// @notice Longest dispute window, in seconds.
    uint256 public constant MAX_DISPUTE_WINDOW_SECONDS = 1 days;

    /// @notice How long reports of the previous set count after a change, in seconds: those that were being agreed on.
    uint256 public constant OVERLAP_SECONDS = Epochs.EPOCH_SECONDS;

    /// @notice Most reporters in a set.
    uint256 public constant MAX_REPORTERS = 31;

    /// @notice Where clusters and their epochs are registered.
    IClusterRegistry public immutable REGISTRY;

    bytes32 private constant REPORT_TYPEHASH =
        keccak256("Report(uint32 reporterSetId,uint32 epoch,uint32 round,bytes32 root,bytes32 figuresHash)");

    Settings private _settings;
    PreviousSet private _previous;
    mapping(ClusterId clusterId => Meter) private _meters;
    // Written through PendingQueues.push, which slither does not follow.
    // slither-disable-next-line uninitialized-state
    mapping(ClusterId clusterId => PendingQueue) private _queues;
    mapping(bytes32 root => PackedRecord) private _records;

    /// @dev What the meters showed when the first epoch of a specification was counted, without that epoch.
    mapping(ClusterId clusterId => mapping(uint32 specEpoch => PackedReading)) private _readingsBefore;

    /// @dev Of each epoch the reports of which figures were queued: which one some came with must be exact.
    mapping(uint32 epoch => bytes32[] roots) private _queuedRoots;

    constructor(IAuthority authority_, IClusterRegistry registry_)
        Authorised(authority_)
        EIP712("Rackstream MetricsOracle", "1")
    {
        REGISTRY = registry_;
    }

    /// @inheritdoc IMetricsOracle
    function postReport(
        ReportHeader calldata header,
        ClusterFigures[] calldata figures,
        bytes calldata signatures
    ) external {
        Settings memory settings = _settings;
        (uint32 setId, uint32 epoch, bytes32 root) = (header.reporterSetId, header.epoch, header.root);
        if (setId != settings.reporterSetId) {
            settings.reporterSet = _previousSet(setId, settings.reporterSetId);
        }
        if (figures.length == 0) revert MetricsOracle_NoFigures();
        if (root == 0) revert MetricsOracle_ZeroRoot();
        // A cluster that is not measured expects epoch 0.
        if (epoch == 0) revert MetricsOracle_ZeroEpoch();
        if (block.timestamp < Epochs.endOf(epoch)) {
            revert MetricsOracle_EpochNotOver(epoch, Epochs.endOf(epoch));
        }
        if (PackedRecord.unwrap(_records[root]) != 0) revert MetricsOracle_Replayed(root);
        Quorum.check(_digest(header, figures), signatures, settings.reporterSet.members());
        // One question about all clusters: one about each would cost a third of a report.
        if (REGISTRY.changesAt(epoch) != 0) _keepReadings(figures, epoch);

        // Lapsed in the very second in which `resolvedEpoch` passes it: energy that came later could change what
        // somebody has already settled.
        bool late = epoch <= Epochs.lastLapsedAt(block.timestamp);
        uint256 finalAt = block.timestamp;
        bool accepted;
        if (settings.disputeWindowSeconds == 0 && settings.pendingCount == 0) {
            accepted = _count(figures, epoch, late);
        } else {
            (accepted, finalAt) = _queueOrCount(figures, epoch, root, late, settings);
        }

        // A record of a report that changed nothing would spend its root, and with it the only bytes that honest
        // reporters ever sign for its epoch: whoever posts it before its turn could stop a cluster's meters.
        if (!accepted) return;
        _records[root] =
            PackedRecord.wrap(uint256(epoch) << 112 | uint256(setId) << 80 | block.timestamp << 40 | finalAt);
        emit ReportPosted(root, epoch, msg.sender, setId, uint40(finalAt));
    }

    /// @inheritdoc IMetricsOracle
    function finalize(ClusterId clusterId, uint256 limit) external returns (uint256 count) {
        Meter storage meter = _meters[clusterId];
        PendingQueue storage queue = _queues[clusterId];
        PackedReading counters = meter.reading;
        uint32 lastEpoch = queue.lastEpoch;
        if (lastEpoch <= counters.epoch()) return 0;

        bool changes = REGISTRY.specEpochAt(clusterId, lastEpoch) > counters.epoch();
        uint32 epoch = _epochAfter(clusterId, counters.epoch());
        for (; count < limit && epoch <= lastEpoch; ++epoch) {
            (bool over, ClusterFigures figures) = queue.pop(clusterId, epoch);
            if (!over) break;
            if (changes) _keepReading(clusterId, epoch, counters);
            counters = counters.plus(figures, epoch);
            emit FiguresFinal(clusterId, epoch, figures, counters);
            ++count;
        }
        if (count == 0) return 0;
        meter.reading = counters;
        // Each of the `count` was added when it was queued.
        _settings.pendingCount -= uint32(count);
    }

    /// @inheritdoc IMetricsOracle
    function hold(bytes32 root, ClusterId clusterId, uint32 epoch)
        external
        restricted
        returns (ClusterFigures figures, bool late)
    {
        PendingQueue storage queue = _queues[clusterId];
        PendingFigures memory pending = queue.posted[epoch];
        if (pending.finalAt == 0) revert MetricsOracle_NotPosted(clusterId, epoch);
        if (block.timestamp >= pending.finalAt) {
            revert MetricsOracle_WindowOver(clusterId, epoch, pending.finalAt);
        }
        if (queue.held[epoch] != Hold.None) revert MetricsOracle_Held(clusterId, epoch);
        if (_queuedRoots[epoch][pending.rootIndex] != root) {
            revert MetricsOracle_OtherReport(clusterId, epoch, root);
        }
        late = queue.hold(epoch);
        figures = pending.figures(clusterId);
        emit FiguresHeld(clusterId, epoch, root, figures);
    }

    /// @inheritdoc IMetricsOracle
    function settle(ClusterId clusterId, uint32 epoch, ClusterFigures figures) external restricted {
        PendingQueue storage queue = _queues[clusterId];
        if (queue.held[epoch] == Hold.None) revert MetricsOracle_NotHeld(clusterId, epoch);
        if (!figures.isCoherent() || ClusterId.unwrap(figures.clusterId()) != ClusterId.unwrap(clusterId)) {
            revert MetricsOracle_Incoherent(0, figures);
        }
        emit FiguresSettled(clusterId, epoch, queue.settle(epoch, figures));
    }

    /// @inheritdoc IMetricsOracle
    function setReporters(address[] calldata reporters_) external restricted {
        if (reporters_.length == 0 || reporters_.length > MAX_REPORTERS) {
            revert MetricsOracle_ReporterCount(reporters_.length, 1, MAX_REPORTERS);
        }
        for (uint256 i; i < reporters_.length; ++i) {
            address reporter = reporters_[i];
            if (reporter == address(0)) revert MetricsOracle_BadReporter(reporter);
            for (uint256 j; j < i; ++j) {
                if (reporters_[j] == reporter) revert MetricsOracle_BadReporter(reporter);
            }
        }
        if (_settings.reporterSetId != 0) {
            _previous = PreviousSet(_settings.reporterSet, uint40(block.timestamp + OVERLAP_SECONDS));
        }
        _settings.reporterSet = new ReporterSet(reporters_);
        uint32 setId = ++_settings.reporterSetId;
        emit ReportersChanged(setId, reporters_, Quorum.size(reporters_.length));
    }

    /// @inheritdoc IMetricsOracle
    function setDisputeWindow(uint256 newSeconds) external restricted {
        if (newSeconds > MAX_DISPUTE_WINDOW_SECONDS) {
            revert MetricsOracle_WindowOutOfRange(newSeconds, MAX_DISPUTE_WINDOW_SECONDS);
        }
        emit DisputeWindowChanged(_settings.disputeWindowSeconds, newSeconds);
        _settings.disputeWindowSeconds = uint32(newSeconds);
    }

    /// @inheritdoc IMetricsOracle
    function reading(ClusterId clusterId) external view returns (MeterReading memory) {
        return _meters[clusterId].reading.unpack();
    }

    /// @inheritdoc IMetricsOracle
    function readingBefore(ClusterId clusterId, uint32 specEpoch)
        external
        view
        returns (MeterReading memory)
    {
        PackedReading counters = _meters[clusterId].reading;
        if (counters.epoch() >= specEpoch) {
            counters = _readingsBefore[clusterId][specEpoch];
            if (counters.epoch() == 0) revert MetricsOracle_NoReadingBefore(clusterId, specEpoch);
        }
        return counters.unpack();
    }

    /// @inheritdoc IMetricsOracle
    function nextEpoch(ClusterId clusterId) external view returns (uint32) {
        (uint32 firstEpoch, uint32 lastEpoch) = REGISTRY.epochRange(clusterId);
        uint32 posted = _meters[clusterId].reading.epoch();
        uint32 lastQueued = _queues[clusterId].lastEpoch;
        if (lastQueued > posted) posted = lastQueued;
        uint32 next = posted == 0 ? firstEpoch : posted + 1;
        return lastEpoch != 0 && next > lastEpoch ? 0 : next;
    }

    /// @inheritdoc IMetricsOracle
    function resolvedEpoch(ClusterId clusterId) external view returns (uint32) {
        (uint32 firstEpoch, uint32 lastEpoch) = REGISTRY.epochRange(clusterId);
        if (firstEpoch == 0) return 0;

        uint256 resolved = Epochs.lastLapsedAt(block.timestamp);
        if (resolved < firstEpoch - 1) resolved = firstEpoch - 1;
        uint32 lastFinal = _meters[clusterId].reading.epoch();
        if (resolved < lastFinal) resolved = lastFinal;

        // Energy that came in time and waits will count, however late its window ends.
        uint32 firstTimely = _queues[clusterId].firstTimely;
        if (firstTimely != 0 && resolved >= firstTimely) resolved = firstTimely - 1;

        if (lastEpoch != 0 && resolved > lastEpoch) resolved = lastEpoch;
        return uint32(resolved);
    }

    /// @inheritdoc IMetricsOracle
    function ageSeconds(ClusterId clusterId) public view returns (uint256) {
        (uint32 firstEpoch, uint32 lastEpoch) = REGISTRY.epochRange(clusterId);
        if (firstEpoch == 0) return 0;
        uint32 lastFinal = _meters[clusterId].reading.epoch();
        uint256 measuredUntil = lastFinal == 0 ? Epochs.startOf(firstEpoch) : Epochs.endOf(lastFinal);
        bool complete = lastEpoch != 0 && measuredUntil >= Epochs.endOf(lastEpoch);
        return complete || block.timestamp < measuredUntil ? 0 : block.timestamp - measuredUntil;
    }

    /// @inheritdoc IMetricsOracle
    function isStale(ClusterId clusterId) external view returns (bool) {
        return isDisputed(clusterId) || ageSeconds(clusterId) > STALE_SECONDS;
    }

    /// @inheritdoc IMetricsOracle
    function isDisputed(ClusterId clusterId) public view returns (bool) {
        return _queues[clusterId].heldCount != 0;
    }

    /// @inheritdoc IMetricsOracle
    function postedFigures(ClusterId clusterId, uint32 epoch)
        external
        view
        returns (ClusterFigures figures, uint256 finalAt, bool held)
    {
        PendingQueue storage queue = _queues[clusterId];
        PendingFigures memory pending = queue.posted[epoch];
        if (pending.finalAt == 0) return (figures, 0, false);
        return (pending.figures(clusterId), pending.finalAt, queue.held[epoch] != Hold.None);
    }

    /// @inheritdoc IMetricsOracle
    function report(bytes32 root) external view returns (ReportRecord memory) {
        return _record(root);
    }

    /// @inheritdoc IMetricsOracle
    function verifyFigures(
        bytes32 root,
        uint32 epoch,
        ClusterFigures figures,
        bytes32 sampleRoot,
        bytes32[] calldata proof
    ) public view returns (bool) {
        // No report is of epoch 0, which an empty record shows.
        if (epoch == 0 || _record(root).epoch != epoch) return false;
        bytes32 leaf =
            keccak256(bytes.concat(keccak256(abi.encode(figures.clusterId(), epoch, figures, sampleRoot))));
        return MerkleProof.verifyCalldata(proof, root, leaf);
    }

    /// @inheritdoc IMetricsOracle
    function verifySample(
        bytes32 root,
        uint32 epoch,
        ClusterFigures figures,
        bytes32[] calldata proof,
        Sample calldata sample,
        bytes32[] calldata sampleProof
    ) external view returns (bool) {
        bytes32 sampleRoot = MerkleProof.processProofCalldata(sampleProof, sample.leaf());
        return verifyFigures(root, epoch, figures, sampleRoot, proof);
    }

    /// @inheritdoc IMetricsOracle
    function reportDigest(ReportHeader calldata header, ClusterFigures[] calldata figures)
        external
        view
        returns (bytes32)
    {
        return _digest(header, figures);
    }

    /// @inheritdoc IMetricsOracle
    function reporters() external view returns (address[] memory) {
        return _settings.reporterSet.members();
    }

    /// @inheritdoc IMetricsOracle
    function isReporter(address account) external view returns (bool) {
        address[] memory present = _settings.reporterSet.members();
        return Quorum.indexOf(present, account, 0) != present.length;
    }

    /// @inheritdoc IMetricsOracle
    function reporterSetId() external view returns (uint32) {
        return _settings.reporterSetId;
    }

    /// @inheritdoc IMetricsOracle
    function reporterSetUntil(uint32 setId) external view returns (uint256) {
        uint32 current = _settings.reporterSetId;
        if (setId == 0 || setId > current) return 0;
        if (setId == current) return type(uint256).max;
        return setId == current - 1 ? _previous.validUntil : 0;
    }

    /// @inheritdoc IMetricsOracle
    function quorum() external view returns (uint256) {
        return Quorum.size(_settings.reporterSet.members().length);
    }

    /// @inheritdoc IMetricsOracle
    function disputeWindowSeconds() external view returns (uint256) {
        return _settings.disputeWindowSeconds;
    }

    /// @dev The set before `current` if it is `setId` and still counts.
    function _previousSet(uint32 setId, uint32 current) private view returns (ReporterSet) {
        PreviousSet memory previous = _previous;
        if (uint256(setId) + 1 != current || block.timestamp >= previous.validUntil) {
            revert MetricsOracle_WrongReporterSet(setId, current);
        }
        return previous.reporterSet;
    }

    /// @dev Costs are priced apart on both sides of a specification's first epoch, so what the meters show between them
    ///      is kept, of each cluster in a report whose next epoch that is. Of others it is when their turn comes.
    function _keepReadings(ClusterFigures[] calldata figures, uint32 epoch) private {
        for (uint256 i; i < figures.length; ++i) {
            ClusterId clusterId = _at(figures, i).clusterId();
            _keepReading(clusterId, epoch, _meters[clusterId].reading);
        }
    }

    function _keepReading(ClusterId clusterId, uint32 epoch, PackedReading counters) private {
        if (counters.epoch() + 1 == epoch && REGISTRY.specEpochAt(clusterId, epoch) == epoch) {
            _readingsBefore[clusterId][epoch] = counters;
        }
    }

    /// @dev Count the figures of every cluster whose turn it is, at once. Only while nothing waits in a queue.
    ///      The busiest loop there is: it checks figures itself instead of by `_checkFigures`, and finds the expected
    ///      epoch itself instead of by `_epochAfter`; either call would cost a hundredth of a report.
    function _count(ClusterFigures[] calldata figures, uint32 epoch, bool late)
        private
        returns (bool accepted)
    {
        uint256 previous = 0;
        for (uint256 i; i < figures.length; ++i) {
            ClusterFigures measured = _at(figures, i);
            if (!measured.isCoherent()) revert MetricsOracle_Incoherent(i, measured);
            uint256 id = ClusterFigures.unwrap(measured) >> 160;
            if (id <= previous) revert MetricsOracle_NotAscending(i, measured.clusterId());
            previous = id;
            ClusterId clusterId = ClusterId.wrap(uint32(id));
            Meter storage meter = _meters[clusterId];
            PackedReading counters = meter.reading;
            uint32 expected;
            // Final epochs are of the past, so there is one after them.
            unchecked {
                expected = counters.epoch() + 1;
            }
            if (expected == 1) expected = _firstEpoch(clusterId);
            if (expected != epoch) {
                emit FiguresSkipped(clusterId, epoch, expected);
                continue;
            }
            accepted = true;
            if (late) measured = _lapseEnergy(measured, clusterId, epoch);
            counters = counters.plus(measured, epoch);
            meter.reading = counters;
            emit FiguresFinal(clusterId, epoch, measured, counters);
        }
    }

    /// @dev As `_count`, but figures wait if there is a window, or if earlier ones of their cluster wait.
    /// @return accepted Whether it was any cluster's turn.
    /// @return lastFinalAt When the last of the accepted may be counted.
    function _queueOrCount(
        ClusterFigures[] calldata figures,
        uint32 epoch,
        bytes32 root,
        bool late,
        Settings memory settings
    ) private returns (bool accepted, uint256 lastFinalAt) {
        _checkFigures(figures);
        bytes32[] storage roots = _queuedRoots[epoch];
        uint24 rootIndex = uint24(roots.length);
        uint32 queued = 0;
        for (uint256 i; i < figures.length; ++i) {
            (bool waits, uint256 finalAt) =
                _queueOrCount(_at(figures, i), epoch, rootIndex, late, settings.disputeWindowSeconds);
            if (waits) ++queued;
            if (finalAt > lastFinalAt) lastFinalAt = finalAt;
        }
        if (queued != 0) {
            _settings.pendingCount = settings.pendingCount + queued;
            roots.push(root);
        }
        accepted = lastFinalAt != 0;
    }

    /// @dev One cluster's part of it.
    /// @return waits Whether the figures were queued.
    /// @return finalAt When they may be counted; 0 if they were skipped.
    function _queueOrCount(
        ClusterFigures measured,
        uint32 epoch,
        uint24 rootIndex,
        bool late,
        uint256 windowSeconds
    ) private returns (bool waits, uint256 finalAt) {
        ClusterId clusterId = measured.clusterId();
        PendingQueue storage queue = _queues[clusterId];
        PackedReading counters = _meters[clusterId].reading;
        uint32 posted = counters.epoch();
        waits = windowSeconds != 0;
        if (queue.lastEpoch > posted) (waits, posted) = (true, queue.lastEpoch);

        uint32 expected = _epochAfter(clusterId, posted);
        if (expected != epoch) {
            emit FiguresSkipped(clusterId, epoch, expected);
            return (false, 0);
        }
        if (late) measured = _lapseEnergy(measured, clusterId, epoch);
        if (waits) {
            finalAt = queue.push(measured, epoch, rootIndex, late, block.timestamp + windowSeconds);
            emit FiguresPosted(clusterId, epoch, measured, uint40(finalAt));
        } else {
            finalAt = block.timestamp;
            counters = counters.plus(measured, epoch);
            _meters[clusterId].reading = counters;
            emit FiguresFinal(clusterId, epoch, measured, counters);
        }
    }

    function _record(bytes32 root) private view returns (ReportRecord memory) {
        uint256 word = PackedRecord.unwrap(_records[root]);
        return ReportRecord({
            epoch: uint32(word >> 112),
            reporterSetId: uint32(word >> 80),
            postedAt: uint40(word >> 40),
            finalAt: uint40(word)
        });
    }

    function _lapseEnergy(ClusterFigures figures, ClusterId clusterId, uint32 epoch)
        private
        returns (ClusterFigures)
    {
        emit EnergyLapsed(clusterId, epoch, figures.energyWh());
        return figures.withoutEnergy();
    }

    /// @dev The epoch after `epoch`, or the cluster's first one if that is zero; 0 if it is not measured. The registry
    ///      is asked for a first epoch only: asking it whether a cluster has retired would cost a third of a report.
    function _epochAfter(ClusterId clusterId, uint32 epoch) private view returns (uint32) {
        return epoch == 0 ? _firstEpoch(clusterId) : epoch + 1;
    }

    function _firstEpoch(ClusterId clusterId) private view returns (uint32 firstEpoch) {
        // The last epoch is left to the views: see the README on retirement.
        // slither-disable-next-line unused-return
        (firstEpoch,) = REGISTRY.epochRange(clusterId);
    }

    /// @dev `figures[i]` for an `i` below their number, without checking that again.
    function _at(ClusterFigures[] calldata figures, uint256 i)
        private
        pure
        returns (ClusterFigures measured)
    {
        assembly ("memory-safe") {
            measured := calldataload(add(figures.offset, shl(5, i)))
        }
    }

    /// @dev Reverts unless all figures are coherent and ascend by cluster.
    function _checkFigures(ClusterFigures[] calldata figures) private pure {
        uint256 previous = 0;
        for (uint256 i; i < figures.length; ++i) {
            ClusterFigures measured = _at(figures, i);
            if (!measured.isCoherent()) revert MetricsOracle_Incoherent(i, measured);
            // Coherent figures are zero above their cluster.
            uint256 id = ClusterFigures.unwrap(measured) >> 160;
            if (id <= previous) revert MetricsOracle_NotAscending(i, measured.clusterId());
            previous = id;
        }
    }

    function _digest(ReportHeader calldata header, ClusterFigures[] calldata figures)
        private
        view
        returns (bytes32)
    {
        bytes32 figuresHash;
        // As `keccak256(abi.encodePacked(figures))`, which would copy word by word.
        assembly ("memory-safe") {
            let words := mload(0x40)
            let size := shl(5, figures.length)
            calldatacopy(words, figures.offset, size)
            figuresHash := keccak256(words, size)
        }
        return _hashTypedDataV4(keccak256(abi.encode(REPORT_TYPEHASH, header, figuresHash)));
    }
}
