// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Authorised} from "../access/Authorised.sol";
import {IAuthority} from "../access/interfaces/IAuthority.sol";
import {Epochs} from "../libraries/Epochs.sol";
import {IClusterRegistry} from "../registry/interfaces/IClusterRegistry.sol";
import {ClusterFigures} from "../types/ClusterFigures.sol";
import {ClusterId} from "../types/ClusterId.sol";
import {MeterReading, PackedReading} from "../types/MeterReading.sol";
import {IMetricsOracle, ReportRecord} from "./interfaces/IMetricsOracle.sol";
import {ReporterSet} from "./ReporterSet.sol";

/// @dev What every report reads, in one slot.
/// @param reporterSet Where the reporters are kept; zero before the first are set.
/// @param reporterSetId Counts the sets; 0 before the first.
/// @param disputeWindowSeconds What later reports wait before they count.
/// @param pendingCount Epochs of all clusters that wait in a queue. While it is zero no report looks for queues.
struct Settings {
    address reporterSet;
    uint32 reporterSetId;
    uint32 disputeWindowSeconds;
    uint32 pendingCount;
}

/// @dev A cluster's Posted epochs, in order: those after its last Final epoch, up to `lastEpoch`. Empty if that is
///      not the higher of the two; then the rest of the slot is of the past.
/// @param lastEpoch The last epoch that was queued.
/// @param lastFinalAt When it may be counted; a later one never may sooner.
/// @param firstTimely The first queued epoch that was posted within its grace; 0 if there is none.
/// @param lastTimely The last one, if there is one.
struct PendingQueue {
    uint32 lastEpoch;
    uint40 lastFinalAt;
    uint32 firstTimely;
    uint32 lastTimely;
}

/// @dev One Posted epoch of one cluster.
/// @param values The figures without their cluster.
/// @param finalAt Unix second from which it may be counted.
/// @param nextTimely The next queued epoch that was posted within its grace; 0 if there is none.
struct PendingFigures {
    uint160 values;
    uint40 finalAt;
    uint32 nextTimely;
}

/// @notice See IMetricsOracle.
contract MetricsOracle is IMetricsOracle, Authorised, EIP712 {
    /// @notice Age above which a cluster's reading is stale, in seconds.
    uint256 public constant STALE_SECONDS = 3 * Epochs.EPOCH_SECONDS;

    /// @notice Longest dispute window, in seconds.
    uint256 public constant MAX_DISPUTE_WINDOW_SECONDS = 1 days;

    /// @notice Most reporters in a set.
    uint256 public constant MAX_REPORTERS = 31;

    /// @notice Where clusters and their epochs are registered.
    IClusterRegistry public immutable REGISTRY;

    bytes32 private constant REPORT_TYPEHASH =
        keccak256("Report(uint32 reporterSetId,uint32 epoch,bytes32 root,bytes32 figuresHash)");

    uint256 private constant SIGNATURE_BYTES = 65;

    Settings private _settings;
    mapping(ClusterId clusterId => PackedReading) private _readings;
    mapping(ClusterId clusterId => PendingQueue) private _queues;
    mapping(ClusterId clusterId => mapping(uint32 epoch => PendingFigures)) private _pending;
    mapping(bytes32 root => ReportRecord) private _reports;

    constructor(IAuthority authority_, IClusterRegistry registry_)
        Authorised(authority_)
        EIP712("Rackstream MetricsOracle", "1")
    {
        REGISTRY = registry_;
    }

    /// @inheritdoc IMetricsOracle
    function postReport(
        uint32 reporterSetId_,
        uint32 epoch,
        bytes32 root,
        ClusterFigures[] calldata figures,
        bytes calldata signatures
    ) external {
        Settings memory settings = _settings;
        if (reporterSetId_ != settings.reporterSetId) {
            revert MetricsOracle_WrongReporterSet(reporterSetId_, settings.reporterSetId);
        }
        if (figures.length == 0) revert MetricsOracle_NoFigures();
        if (root == 0) revert MetricsOracle_ZeroRoot();
        if (block.timestamp < Epochs.endOf(epoch)) {
            revert MetricsOracle_EpochNotOver(epoch, Epochs.endOf(epoch));
        }
        if (_reports[root].postedAt != 0) revert MetricsOracle_Replayed(root);
        _checkFigures(figures);
        _checkQuorum(
            _digest(reporterSetId_, epoch, root, figures), signatures, _reportersOf(settings.reporterSet)
        );

        // Lapsed in the very second in which `resolvedEpoch` passes it: energy that came later could change what
        // somebody has already settled.
        bool late = epoch <= Epochs.lastLapsedAt(block.timestamp);
        uint256 finalAt = block.timestamp;
        bool accepted;
        if (settings.disputeWindowSeconds == 0 && settings.pendingCount == 0) {
            accepted = _count(figures, epoch, late);
        } else {
            (accepted, finalAt) = _queueOrCount(figures, epoch, late, settings);
        }

        // A record of a report that changed nothing would spend its root, and with it the only bytes that honest
        // reporters ever sign for its epoch: whoever posts it before its turn could stop a cluster's meters.
        if (!accepted) return;
        _reports[root] = ReportRecord({
            epoch: epoch,
            reporterSetId: reporterSetId_,
            postedAt: uint40(block.timestamp),
            finalAt: uint40(finalAt)
        });
        emit ReportPosted(root, epoch, msg.sender, reporterSetId_, uint40(finalAt));
    }

    /// @inheritdoc IMetricsOracle
    function finalize(ClusterId clusterId, uint256 limit) external returns (uint256 count) {
        PackedReading meter = _readings[clusterId];
        PendingQueue memory queue = _queues[clusterId];
        if (queue.lastEpoch <= meter.epoch()) return 0;

        uint32 epoch = _epochAfter(clusterId, meter.epoch());
        for (; count < limit && epoch <= queue.lastEpoch; ++epoch) {
            PendingFigures memory pending = _pending[clusterId][epoch];
            if (block.timestamp < pending.finalAt) break;
            delete _pending[clusterId][epoch];
            if (epoch == queue.firstTimely) queue.firstTimely = pending.nextTimely;

            ClusterFigures figures =
                ClusterFigures.wrap(uint256(ClusterId.unwrap(clusterId)) << 160 | pending.values);
            meter = meter.plus(figures, epoch);
            emit FiguresFinal(clusterId, epoch, figures, meter);
            ++count;
        }
        if (count == 0) return 0;
        _readings[clusterId] = meter;
        _queues[clusterId] = queue;
        // Every one of the `count` was added to it when it was queued.
        _settings.pendingCount -= uint32(count);
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
        _settings.reporterSet = address(new ReporterSet(reporters_));
        uint32 setId = ++_settings.reporterSetId;
        emit ReportersChanged(setId, reporters_, _quorumOf(reporters_.length));
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
        return _readings[clusterId].unpack();
    }

    /// @inheritdoc IMetricsOracle
    function nextEpoch(ClusterId clusterId) external view returns (uint32) {
        (uint32 firstEpoch, uint32 lastEpoch) = REGISTRY.epochRange(clusterId);
        uint32 posted = _lastPosted(clusterId);
        uint32 next = posted == 0 ? firstEpoch : posted + 1;
        return lastEpoch != 0 && next > lastEpoch ? 0 : next;
    }

    /// @inheritdoc IMetricsOracle
    function resolvedEpoch(ClusterId clusterId) external view returns (uint32) {
        (uint32 firstEpoch, uint32 lastEpoch) = REGISTRY.epochRange(clusterId);
        if (firstEpoch == 0) return 0;

        uint256 resolved = Epochs.lastLapsedAt(block.timestamp);
        if (resolved < firstEpoch - 1) resolved = firstEpoch - 1;
        uint32 lastFinal = _readings[clusterId].epoch();
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
        uint32 lastFinal = _readings[clusterId].epoch();
        uint256 measuredUntil = lastFinal == 0 ? Epochs.startOf(firstEpoch) : Epochs.endOf(lastFinal);
        bool complete = lastEpoch != 0 && measuredUntil >= Epochs.endOf(lastEpoch);
        return complete || block.timestamp < measuredUntil ? 0 : block.timestamp - measuredUntil;
    }

    /// @inheritdoc IMetricsOracle
    function isStale(ClusterId clusterId) external view returns (bool) {
        return ageSeconds(clusterId) > STALE_SECONDS;
    }

    /// @inheritdoc IMetricsOracle
    function report(bytes32 root) external view returns (ReportRecord memory) {
        return _reports[root];
    }

    /// @inheritdoc IMetricsOracle
    function verifyFigures(
        bytes32 root,
        uint32 epoch,
        ClusterFigures figures,
        bytes32 sampleRoot,
        bytes32[] calldata proof
    ) external view returns (bool) {
        ReportRecord memory record = _reports[root];
        if (record.postedAt == 0 || record.epoch != epoch) return false;
        bytes32 leaf =
            keccak256(bytes.concat(keccak256(abi.encode(figures.clusterId(), epoch, figures, sampleRoot))));
        return MerkleProof.verifyCalldata(proof, root, leaf);
    }

    /// @inheritdoc IMetricsOracle
    function reportDigest(
        uint32 reporterSetId_,
        uint32 epoch,
        bytes32 root,
        ClusterFigures[] calldata figures
    ) external view returns (bytes32) {
        return _digest(reporterSetId_, epoch, root, figures);
    }

    /// @inheritdoc IMetricsOracle
    function reporters() external view returns (address[] memory) {
        return _reportersOf(_settings.reporterSet);
    }

    /// @inheritdoc IMetricsOracle
    function isReporter(address account) external view returns (bool) {
        address[] memory members = _reportersOf(_settings.reporterSet);
        return _indexOf(members, account) != members.length;
    }

    /// @inheritdoc IMetricsOracle
    function reporterSetId() external view returns (uint32) {
        return _settings.reporterSetId;
    }

    /// @inheritdoc IMetricsOracle
    function quorum() external view returns (uint256) {
        return _quorumOf(_reportersOf(_settings.reporterSet).length);
    }

    /// @inheritdoc IMetricsOracle
    function disputeWindowSeconds() external view returns (uint256) {
        return _settings.disputeWindowSeconds;
    }

    /// @dev Count the figures of every cluster whose turn it is; no queue exists.
    function _count(ClusterFigures[] calldata figures, uint32 epoch, bool late)
        private
        returns (bool accepted)
    {
        for (uint256 i; i < figures.length; ++i) {
            ClusterFigures measured = figures[i];
            ClusterId clusterId = measured.clusterId();
            PackedReading meter = _readings[clusterId];
            uint32 expected = _epochAfter(clusterId, meter.epoch());
            if (expected != epoch) {
                emit FiguresSkipped(clusterId, epoch, expected);
                continue;
            }
            accepted = true;
            if (late) measured = _withoutEnergy(measured, clusterId, epoch);
            meter = meter.plus(measured, epoch);
            _readings[clusterId] = meter;
            emit FiguresFinal(clusterId, epoch, measured, meter);
        }
    }

    /// @dev As `_count`, but figures wait if there is a window, or if earlier ones of their cluster wait.
    function _queueOrCount(
        ClusterFigures[] calldata figures,
        uint32 epoch,
        bool late,
        Settings memory settings
    ) private returns (bool accepted, uint256 lastFinalAt) {
        uint256 earliest = block.timestamp + settings.disputeWindowSeconds;
        uint32 queued;
        for (uint256 i; i < figures.length; ++i) {
            ClusterFigures measured = figures[i];
            ClusterId clusterId = measured.clusterId();
            uint32 expected = _epochAfter(clusterId, _lastPosted(clusterId));
            if (expected != epoch) {
                emit FiguresSkipped(clusterId, epoch, expected);
                continue;
            }
            accepted = true;
            if (late) measured = _withoutEnergy(measured, clusterId, epoch);

            PackedReading meter = _readings[clusterId];
            uint256 finalAt = block.timestamp;
            if (settings.disputeWindowSeconds == 0 && _queues[clusterId].lastEpoch <= meter.epoch()) {
                meter = meter.plus(measured, epoch);
                _readings[clusterId] = meter;
                emit FiguresFinal(clusterId, epoch, measured, meter);
            } else {
                finalAt = _enqueue(clusterId, epoch, measured, late, earliest);
                ++queued;
            }
            if (finalAt > lastFinalAt) lastFinalAt = finalAt;
        }
        if (queued != 0) _settings.pendingCount = settings.pendingCount + queued;
    }

    /// @dev Put figures at the end of their cluster's queue, to be counted at `earliest` or, if that is later, when
    ///      those before them are.
    function _enqueue(ClusterId clusterId, uint32 epoch, ClusterFigures figures, bool late, uint256 earliest)
        private
        returns (uint256 finalAt)
    {
        PendingQueue memory queue = _queues[clusterId];
        finalAt = earliest > queue.lastFinalAt ? earliest : queue.lastFinalAt;
        queue.lastEpoch = epoch;
        queue.lastFinalAt = uint40(finalAt);
        if (!late) {
            if (queue.firstTimely == 0) queue.firstTimely = epoch;
            else _pending[clusterId][queue.lastTimely].nextTimely = epoch;
            queue.lastTimely = epoch;
        }
        _queues[clusterId] = queue;
        _pending[clusterId][epoch] = PendingFigures({
            values: uint160(ClusterFigures.unwrap(figures)), finalAt: uint40(finalAt), nextTimely: 0
        });
        emit FiguresPosted(clusterId, epoch, figures, uint40(finalAt));
    }

    function _withoutEnergy(ClusterFigures figures, ClusterId clusterId, uint32 epoch)
        private
        returns (ClusterFigures)
    {
        emit EnergyLapsed(clusterId, epoch, figures.energyWh());
        return figures.withoutEnergy();
    }

    /// @dev The epoch after `epoch`, or the cluster's first one if that is zero; 0 if it is not measured. The registry
    ///      is asked for a first epoch only: asking it whether a cluster has retired would cost a third of a report.
    function _epochAfter(ClusterId clusterId, uint32 epoch) private view returns (uint32) {
        if (epoch != 0) return epoch + 1;
        (uint32 firstEpoch, uint32 lastEpoch) = REGISTRY.epochRange(clusterId);
        return lastEpoch != 0 && firstEpoch > lastEpoch ? 0 : firstEpoch;
    }

    /// @dev The last epoch that is Final or Posted; 0 if there is none.
    function _lastPosted(ClusterId clusterId) private view returns (uint32) {
        uint32 lastFinal = _readings[clusterId].epoch();
        uint32 lastQueued = _queues[clusterId].lastEpoch;
        return lastQueued > lastFinal ? lastQueued : lastFinal;
    }

    function _checkFigures(ClusterFigures[] calldata figures) private pure {
        uint32 previous;
        for (uint256 i; i < figures.length; ++i) {
            ClusterFigures measured = figures[i];
            if (!measured.isCoherent()) revert MetricsOracle_Incoherent(i, measured);
            uint32 id = ClusterId.unwrap(measured.clusterId());
            if (id <= previous) revert MetricsOracle_NotAscending(i, measured.clusterId());
            previous = id;
        }
    }

    /// @dev Every signature must be good, so that those who post are told of a bad one, and by its number.
    function _checkQuorum(bytes32 digest, bytes calldata signatures, address[] memory members) private pure {
        if (signatures.length % SIGNATURE_BYTES != 0) {
            revert MetricsOracle_SignaturesMalformed(signatures.length);
        }
        uint256 count = signatures.length / SIGNATURE_BYTES;
        uint256 needed = _quorumOf(members.length);
        if (count < needed) revert MetricsOracle_NoQuorum(count, needed);

        uint256 seen;
        for (uint256 i; i < count; ++i) {
            uint256 start = i * SIGNATURE_BYTES;
            // The error is told by the zero address, which is no reporter.
            (address signer,,) = ECDSA.tryRecoverCalldata(digest, signatures[start:start + SIGNATURE_BYTES]);
            uint256 index = _indexOf(members, signer);
            if (index == members.length) revert MetricsOracle_NotAReporter(i, signer);
            if (seen >> index & 1 != 0) revert MetricsOracle_DuplicateSigner(signer);
            seen |= 1 << index;
        }
    }

    /// @dev Where `account` is among `members`; their number if it is not.
    function _indexOf(address[] memory members, address account) private pure returns (uint256 index) {
        while (index < members.length && members[index] != account) ++index;
    }

    function _reportersOf(address reporterSet) private view returns (address[] memory) {
        return reporterSet == address(0) ? new address[](0) : abi.decode(reporterSet.code, (address[]));
    }

    function _quorumOf(uint256 count) private pure returns (uint256) {
        return 2 * count / 3 + 1;
    }

    function _digest(uint32 setId, uint32 epoch, bytes32 root, ClusterFigures[] calldata figures)
        private
        view
        returns (bytes32)
    {
        bytes32 figuresHash = keccak256(abi.encodePacked(figures));
        return _hashTypedDataV4(keccak256(abi.encode(REPORT_TYPEHASH, setId, epoch, root, figuresHash)));
    }
}
