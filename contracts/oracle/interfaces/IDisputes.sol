// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterFigures} from "../../types/ClusterFigures.sol";
import {ClusterId} from "../../types/ClusterId.sol";
import {GpuRecord} from "../../types/GpuRecord.sol";
import {Sample} from "../../types/Sample.sol";
import {SignedReport} from "./IReporterRegistry.sol";

/// @notice How far a dispute is.
/// @param None Nobody disputed the figures.
/// @param Open Somebody with a bond says that they are wrong; the arbiter is to say.
/// @param Refuted The chain itself has seen that they are wrong; the arbiter is to say what is counted instead.
/// @param Settled It is said what is counted.
enum DisputeState {
    None,
    Open,
    Refuted,
    Settled
}

/// @notice The dispute of one cluster's figures in one epoch. Three slots.
/// @param challenger Who disputes them, and is rewarded.
/// @param deadlineAt Unix second from which the arbiter can no longer say.
/// @param state How far it is.
/// @param blamed Whether the figures were wrong by the fault of who signed them. Only once it is settled.
/// @param bonded Whether the challenger's bond is in it.
/// @param late Whether the figures came after their grace, so that they have no energy.
/// @param root The report that the figures were posted with.
/// @param figures The figures that are disputed, as they would have been counted.
struct Dispute {
    address challenger;
    uint40 deadlineAt;
    DisputeState state;
    bool blamed;
    bool bonded;
    bool late;
    bytes32 root;
    ClusterFigures figures;
}

/// @notice Two samples of one GPU, and what they are part of: that it drew more than the whole cluster is said to have.
/// @param sampleRoot Root of the cluster's samples of the epoch.
/// @param figuresProof From the figures' leaf to the report's root, as for `MetricsOracle.verifyFigures`.
/// @param gpu The GPU as it is registered.
/// @param gpuProof From its leaf to the `gpuSetRoot` of the specification in force.
/// @param first The earlier sample, in the epoch.
/// @param firstProof From its leaf to `sampleRoot`.
/// @param second The later sample, in the epoch.
/// @param secondProof From its leaf to `sampleRoot`.
struct EnergyEvidence {
    bytes32 sampleRoot;
    bytes32[] figuresProof;
    GpuRecord gpu;
    bytes32[] gpuProof;
    Sample first;
    bytes32[] firstProof;
    Sample second;
    bytes32[] secondProof;
}

/// @title Disputes
/// @notice Posted figures that somebody says are wrong: they are not counted until it is settled what is.
/// @dev Within the dispute window anybody can
///      - `challenge` figures with a bond of CHALLENGE_BOND_USD6 and a statement, which the arbiter decides on, or
///      - refute them by evidence that the chain checks itself, for which no bond is needed, now or when they are
///        challenged already.
///
///      The ARBITER_ROLE has ARBITRATION_SECONDS to say what is counted: the same (the challenger loses the bond to the
///      treasury) or something else (the bond is given back), and whether whoever signed is to blame. Figures that were
///      refuted cannot be confirmed, and their signers are to blame. Without a ruling, challenged figures are counted as
///      they were posted, refuted ones as an epoch without samples, and the bond is given back.
///
///      Signers that are to blame lose PENALTY_USD6 each of their bonds in the ReporterRegistry to whoever challenged
///      (half) and to the treasury. All payments are pulled. Nothing that streams to holders waits for any of this.
interface IDisputes {
    /// @notice `challenger` says that `figures` are wrong, and why. The arbiter has until `deadlineAt`.
    event Challenged(
        ClusterId indexed clusterId,
        uint32 indexed epoch,
        address indexed challenger,
        bytes32 root,
        ClusterFigures figures,
        uint40 deadlineAt,
        string statement
    );
    /// @notice `challenger` has shown that `figures` are wrong. The arbiter has until `deadlineAt`.
    event Refuted(
        ClusterId indexed clusterId,
        uint32 indexed epoch,
        address indexed challenger,
        bytes32 root,
        ClusterFigures figures,
        uint40 deadlineAt
    );
    /// @notice `counted` is what is counted in the place of `figures`; `byArbiter` is false if the deadline passed.
    event DisputeSettled(
        ClusterId indexed clusterId,
        uint32 indexed epoch,
        ClusterFigures figures,
        ClusterFigures counted,
        bool blamed,
        bool byArbiter
    );
    /// @notice `signer` paid for the figures that it signed.
    event SignerPenalised(
        ClusterId indexed clusterId, uint32 indexed epoch, address indexed signer, uint256 amountUsd6
    );
    event Paid(address indexed account, uint256 amountUsd6);

    error Disputes_UnsupportedStablecoin(address stablecoin, uint8 decimals, uint8 supported);
    error Disputes_ZeroAddress();
    error Disputes_StatementLength(uint256 length, uint256 minimum, uint256 maximum);
    /// @notice There was a dispute of these figures already: each is settled once.
    error Disputes_Disputed(ClusterId clusterId, uint32 epoch, DisputeState state);
    /// @notice The dispute is in no state for this.
    error Disputes_NotOpen(ClusterId clusterId, uint32 epoch, DisputeState state);
    /// @notice The dispute is about the report with root `disputed`.
    error Disputes_OtherReport(bytes32 root, bytes32 disputed);
    /// @notice The root does not bind these figures to this proof.
    error Disputes_NotBound(bytes32 root, ClusterFigures figures);
    /// @notice The root binds the very figures that were posted.
    error Disputes_SameFigures(ClusterFigures figures);
    /// @notice The energy that is counted is no more than the hardware can draw.
    error Disputes_WithinHardware(uint256 energyWh, uint256 limitWh);
    /// @notice The GPU is not under the cluster's `gpuSetRoot`.
    error Disputes_NotRegistered(bytes32 gpuId, bytes32 gpuSetRoot);
    /// @notice The sample is not under the cluster's sample root.
    error Disputes_NotASample(bytes32 gpuId, uint64 atMs);
    /// @notice The samples are not two of the GPU, one after the other, in service and in the epoch [startMs, endMs).
    error Disputes_SamplesMisfit(uint64 firstMs, uint64 secondMs, uint256 startMs, uint256 endMs);
    /// @notice Energy of the epoch does not count, or no less is counted than what the samples show.
    error Disputes_EnergyAgrees(uint256 energyWh, uint256 shownWh);
    error Disputes_DeadlineOver(uint256 deadlineAt);
    error Disputes_DeadlineNotOver(uint256 deadlineAt);
    /// @notice The chain has seen that these figures are wrong: they cannot be confirmed.
    error Disputes_Refuted(ClusterFigures figures);
    /// @notice The registered hardware cannot do in an hour what was ruled: `field` is `value`.
    error Disputes_BeyondHardware(string field, uint256 value, uint256 limit);
    /// @notice Figures that stand are nobody's fault.
    error Disputes_NothingToBlame(ClusterFigures figures);
    error Disputes_NotBlamed(ClusterId clusterId, uint32 epoch);
    /// @notice `index` is not below the number of figures in the report.
    error Disputes_NoSuchFigures(uint256 index, uint256 count);
    /// @notice The report that was signed is not the disputed one, or its figures at `index` are others.
    error Disputes_OtherFigures(uint256 index, ClusterFigures disputed);
    error Disputes_BadSignature();
    error Disputes_PenalisedBefore(address signer);
    /// @notice Of the bond of `amountUsd6` only `receivedUsd6` came in.
    error Disputes_Short(uint256 amountUsd6, uint256 receivedUsd6);
    error Disputes_NothingOwed(address account);

    /// @notice Say that Posted figures are wrong, with a bond of CHALLENGE_BOND_USD6, which the caller approved.
    /// @param root The report that they were posted with.
    /// @param statement What is wrong and where the evidence is, 1 to 1,000 bytes.
    function challenge(bytes32 root, ClusterId clusterId, uint32 epoch, string calldata statement) external;

    /// @notice Show that the report's own root binds other figures to the cluster than were posted.
    function refuteByRoot(
        bytes32 root,
        ClusterId clusterId,
        uint32 epoch,
        ClusterFigures bound,
        bytes32 sampleRoot,
        bytes32[] calldata proof
    ) external;

    /// @notice Show that more energy was posted than the contracted GPUs can draw:
    ///         energyWh × 3,600 > (contractedGpuSeconds + 1) × gpuMaxPowerWatts.
    function refuteByHardware(bytes32 root, ClusterId clusterId, uint32 epoch) external;

    /// @notice Show that less energy was posted than one GPU drew between two samples, both at most capped by the
    ///         hardware: energyWh < ⌊min(Δ mJ, contractedGpuSeconds × 1,000 × gpuMaxPowerWatts) / 3,600,000⌋.
    function refuteByEnergy(bytes32 root, ClusterId clusterId, uint32 epoch, EnergyEvidence calldata evidence)
        external;

    /// @notice Say what is counted. For the ARBITER_ROLE, before the deadline.
    /// @param counted The same figures or others, coherent and of the cluster; others of no more energy and contracted
    ///        time than the registered hardware has in an hour. Energy that came late is left out.
    /// @param blamed Whether whoever signed the disputed ones is to blame, if they do not stand.
    function rule(ClusterId clusterId, uint32 epoch, ClusterFigures counted, bool blamed) external;

    /// @notice Settle a dispute that the arbiter left undecided. Open to all, from the deadline on.
    function lapse(ClusterId clusterId, uint32 epoch) external;

    /// @notice Have a signer who is to blame pay: PENALTY_USD6, or what is left of the bond, once a signer and dispute.
    ///         Open to all.
    /// @param signed The disputed report as it signed it.
    /// @param index Where the cluster is in its figures.
    function penalise(ClusterId clusterId, uint32 epoch, SignedReport calldata signed, uint256 index) external;

    /// @notice Pay what `account` is owed, to it. Open to all. Rewards are paid by the ReporterRegistry.
    function pay(address account) external returns (uint256 amountUsd6);

    /// @notice The dispute of a cluster's figures in an epoch; all zero if there was none.
    function dispute(ClusterId clusterId, uint32 epoch) external view returns (Dispute memory);

    /// @notice What `account` can have paid.
    function owedUsd6(address account) external view returns (uint256);
}
