// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterFigures} from "../../types/ClusterFigures.sol";
import {ClusterId} from "../../types/ClusterId.sol";
import {MeterReading, PackedReading} from "../../types/MeterReading.sol";
import {Sample} from "../../types/Sample.sol";

/// @notice What is remembered of a report for ever, by its root. One slot.
/// @param epoch The epoch it measures.
/// @param reporterSetId The set of reporters whose quorum signed it.
/// @param postedAt Unix second it was accepted.
/// @param finalAt Unix second from which it is Final.
struct ReportRecord {
    uint32 epoch;
    uint32 reporterSetId;
    uint40 postedAt;
    uint40 finalAt;
}

/// @notice What a report is of.
/// @param reporterSetId The set whose reporters sign it.
/// @param epoch The epoch it measures.
/// @param round The round of the reporters' agreement that it comes from. An honest reporter signs at most one report
///        of a cluster in one round of an epoch: two of them are proof of equivocation.
/// @param root Binds each cluster's figures to the samples behind them; see the contract's notes.
struct ReportHeader {
    uint32 reporterSetId;
    uint32 epoch;
    uint32 round;
    bytes32 root;
}

/// @title MetricsOracle
/// @notice Uptime, utilisation and energy of every cluster, an epoch at a time, as a quorum of reporters signed it.
/// @dev A report is valid only with signatures of at least `quorum()` distinct registered reporters over the same
///      EIP-712 bytes: `Report(uint32 reporterSetId,uint32 epoch,uint32 round,bytes32 root,bytes32 figuresHash)` in the
///      domain ("Rackstream MetricsOracle", "1", chain id, this contract), where `figuresHash` is the keccak256 of
///      the 32-byte words of `figures` in order, and `root` is the Merkle root (OpenZeppelin's standard tree: leaves
///      hashed twice, pairs sorted) over one leaf a cluster:
///      keccak256(keccak256(abi.encode(uint32 clusterId, uint32 epoch, uint256 figures, bytes32 sampleRoot))).
///      A report is Posted, then Final after `disputeWindowSeconds` (0: at once). Counters move only at Final. Within
///      the window the Disputes contract can hold figures, and settle what is counted in their place.
///      The reporters are trusted only as a quorum: fewer than a third of them can neither forge nor stop a report.
interface IMetricsOracle {
    /// @notice A quorum's report of `epoch` with `root` was accepted.
    event ReportPosted(
        bytes32 indexed root,
        uint32 indexed epoch,
        address indexed transmitter,
        uint32 reporterSetId,
        uint40 finalAt
    );
    /// @notice `figures` of one cluster were counted; `reading` is the counter slot after it.
    /// @dev `figures` carries the cluster and all values as counted, so without energy if that lapsed (see
    ///      EnergyLapsed), `reading` the totals; both packed: an event's data is a third of a report's gas.
    event FiguresFinal(
        ClusterId indexed clusterId, uint32 indexed epoch, ClusterFigures figures, PackedReading reading
    );
    /// @notice `figures` of one cluster, as they will be counted, wait for the end of the dispute window.
    event FiguresPosted(
        ClusterId indexed clusterId, uint32 indexed epoch, ClusterFigures figures, uint40 finalAt
    );
    /// @notice A cluster in a report was left out: it needs `expectedEpoch` next (0: it is not measured at all).
    event FiguresSkipped(ClusterId indexed clusterId, uint32 indexed epoch, uint32 expectedEpoch);
    /// @notice The energy of an epoch came after its grace and is not counted; its other figures are.
    event EnergyLapsed(ClusterId indexed clusterId, uint32 indexed epoch, uint32 energyWh);
    /// @notice A dispute holds `figures`, which were posted with `root`: they are not counted until it is settled.
    event FiguresHeld(
        ClusterId indexed clusterId, uint32 indexed epoch, bytes32 root, ClusterFigures figures
    );
    /// @notice A dispute is settled: `figures` will be counted.
    event FiguresSettled(ClusterId indexed clusterId, uint32 indexed epoch, ClusterFigures figures);
    event ReportersChanged(uint32 indexed reporterSetId, address[] reporters, uint256 quorum);
    event DisputeWindowChanged(uint256 previousSeconds, uint256 newSeconds);

    /// @notice The report was signed for `reporterSetId`, which does not count (any more); the present set is `current`.
    error MetricsOracle_WrongReporterSet(uint32 reporterSetId, uint32 current);
    /// @notice Fewer signatures than the quorum.
    error MetricsOracle_NoQuorum(uint256 signatures, uint256 quorum);
    /// @notice Signature number `index` is by `signer`, who is no reporter (zero: no valid signature).
    error MetricsOracle_NotAReporter(uint256 index, address signer);
    /// @notice Two signatures are by `signer`.
    error MetricsOracle_DuplicateSigner(address signer);
    error MetricsOracle_SignaturesMalformed(uint256 length);
    /// @notice `epoch` has not ended; it does at `endsAt`.
    error MetricsOracle_EpochNotOver(uint32 epoch, uint256 endsAt);
    /// @notice A report with this root was posted before.
    error MetricsOracle_Replayed(bytes32 root);
    error MetricsOracle_NoFigures();
    error MetricsOracle_ZeroRoot();
    /// @notice Epoch 0 stands for none: no cluster is ever measured in it.
    error MetricsOracle_ZeroEpoch();
    /// @notice Figures contradict themselves: see ClusterFigures.isCoherent.
    error MetricsOracle_Incoherent(uint256 index, ClusterFigures figures);
    /// @notice Figures must come in ascending order of cluster, each once.
    error MetricsOracle_NotAscending(uint256 index, ClusterId clusterId);
    error MetricsOracle_ReporterCount(uint256 count, uint256 minimum, uint256 maximum);
    error MetricsOracle_BadReporter(address reporter);
    /// @notice No figures of the epoch wait: there are none, or they were counted.
    error MetricsOracle_NotPosted(ClusterId clusterId, uint32 epoch);
    error MetricsOracle_WindowOver(ClusterId clusterId, uint32 epoch, uint256 finalAt);
    error MetricsOracle_Held(ClusterId clusterId, uint32 epoch);
    error MetricsOracle_NotHeld(ClusterId clusterId, uint32 epoch);
    /// @notice The figures that wait did not come with the report of that root.
    error MetricsOracle_OtherReport(ClusterId clusterId, uint32 epoch, bytes32 root);
    /// @notice Epoch `specEpoch` is counted, and it is the cluster's first or no specification acts from it on.
    error MetricsOracle_NoReadingBefore(ClusterId clusterId, uint32 specEpoch);
    error MetricsOracle_WindowOutOfRange(uint256 secondsAsked, uint256 limit);

    /// @notice Post a report. Open to all: the signatures are what counts.
    /// @param header What it is of; the epoch must be over.
    /// @param figures One word a cluster, ascending by cluster. A cluster whose next epoch is another one
    ///        is skipped with FiguresSkipped, not reverted: reporters may catch up cluster by cluster. A report of
    ///        which every cluster is skipped leaves no record, so that posting it too early does not spend it.
    /// @param signatures 65 bytes (r, s, v) a signature, in any order.
    function postReport(
        ReportHeader calldata header,
        ClusterFigures[] calldata figures,
        bytes calldata signatures
    ) external;

    /// @notice Count the Posted figures of a cluster whose window is over, oldest first, at most `limit` epochs.
    ///         Open to all. Returns how many were counted.
    function finalize(ClusterId clusterId, uint256 limit) external returns (uint256 count);

    /// @notice Keep Posted figures from being counted until they are settled. For the Disputes contract, within their
    ///         window.
    /// @param root The root of the report that they were posted with.
    /// @return figures What waits, as it would be counted.
    /// @return late Whether it was posted after its grace, so that no energy is counted whatever is settled.
    function hold(bytes32 root, ClusterId clusterId, uint32 epoch)
        external
        returns (ClusterFigures figures, bool late);

    /// @notice Put `figures` in the place of those that are held, and let them be counted when their window is over;
    ///         without energy if that came late. For the Disputes contract.
    function settle(ClusterId clusterId, uint32 epoch, ClusterFigures figures) external;

    /// @notice Replace the reporters, 1 to 31 distinct accounts. For the ReporterRegistry. Acts at once; reports of the
    ///         previous set count for OVERLAP_SECONDS more, those of the one before it no longer.
    function setReporters(address[] calldata reporters) external;

    /// @notice Set the dispute window of later reports, 0 to 1 day, in seconds. For the ORACLE_ADMIN_ROLE.
    function setDisputeWindow(uint256 newSeconds) external;

    /// @notice What the meters of a cluster show; all zero if it has no Final report.
    function reading(ClusterId clusterId) external view returns (MeterReading memory);

    /// @notice What the meters show of the epochs before `specEpoch`, from which a specification acts and which is not the
    ///         cluster's first: kept when `specEpoch` is counted, and until then `reading`. Its energy cannot change
    ///         once `resolvedEpoch` is `specEpoch` − 1 or later.
    function readingBefore(ClusterId clusterId, uint32 specEpoch) external view returns (MeterReading memory);

    /// @notice The epoch that a cluster's next report must be of; 0 if it is not measured (not Live yet, or
    ///         retired and complete).
    function nextEpoch(ClusterId clusterId) external view returns (uint32);

    /// @notice The last epoch of a cluster whose energy can no longer change: Final, or past its grace without
    ///         a report in time. firstEpoch − 1 if there is none; 0 if the cluster is not Live yet. It never falls,
    ///         and the energy of `reading` is that of all epochs up to it (of a retired cluster: as long as no
    ///         quorum signs epochs after its last, which `nextEpoch` tells it not to do).
    function resolvedEpoch(ClusterId clusterId) external view returns (uint32);

    /// @notice Seconds from the end of the last Final epoch to now; from the start of the first one if none is
    ///         Final; 0 for a cluster that is not measured (not Live yet, or retired and complete).
    function ageSeconds(ClusterId clusterId) external view returns (uint256);

    /// @notice Whether figures of the cluster are disputed, or `ageSeconds` is above STALE_SECONDS: new risk must stop,
    ///         claims and repayment go on.
    function isStale(ClusterId clusterId) external view returns (bool);

    /// @notice Whether some of the cluster's Posted figures are held.
    function isDisputed(ClusterId clusterId) external view returns (bool);

    /// @notice Figures that wait, the Unix second from which they may be counted, and whether a dispute holds them; all
    ///         zero if none of that epoch wait.
    function postedFigures(ClusterId clusterId, uint32 epoch)
        external
        view
        returns (ClusterFigures figures, uint256 finalAt, bool held);

    /// @notice What is remembered of the report with `root`; all zero if there is none.
    function report(bytes32 root) external view returns (ReportRecord memory);

    /// @notice Whether a report with `root` binds these figures and this sample root to the cluster named in them.
    function verifyFigures(
        bytes32 root,
        uint32 epoch,
        ClusterFigures figures,
        bytes32 sampleRoot,
        bytes32[] calldata proof
    ) external view returns (bool);

    /// @notice Whether a report with `root` binds these figures to a set of samples with this one in it.
    /// @param proof From the figures' leaf to `root`, as for `verifyFigures`.
    /// @param sampleProof From the sample's leaf to the root of the cluster's samples of the epoch.
    function verifySample(
        bytes32 root,
        uint32 epoch,
        ClusterFigures figures,
        bytes32[] calldata proof,
        Sample calldata sample,
        bytes32[] calldata sampleProof
    ) external view returns (bool);

    /// @notice The EIP-712 digest that a reporter signs.
    function reportDigest(ReportHeader calldata header, ClusterFigures[] calldata figures)
        external
        view
        returns (bytes32);

    function reporters() external view returns (address[] memory);
    function isReporter(address account) external view returns (bool);
    function reporterSetId() external view returns (uint32);
    /// @notice The Unix second from which reports of a set do not count; 2^256 − 1 for the present set, 0 for one that
    ///         is not there yet, or older than the previous one.
    function reporterSetUntil(uint32 setId) external view returns (uint256);
    /// @notice Signatures that a report needs: floor(2n / 3) + 1 of n reporters.
    function quorum() external view returns (uint256);
    function disputeWindowSeconds() external view returns (uint256);
}
