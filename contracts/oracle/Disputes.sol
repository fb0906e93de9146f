// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Authorised} from "../access/Authorised.sol";
import {IAuthority} from "../access/interfaces/IAuthority.sol";
import {Epochs} from "../libraries/Epochs.sol";
import {ClusterSpec, IClusterRegistry} from "../registry/interfaces/IClusterRegistry.sol";
import {ClusterFigures} from "../types/ClusterFigures.sol";
import {ClusterId} from "../types/ClusterId.sol";
import {Sample} from "../types/Sample.sol";
import {Dispute, DisputeState, EnergyEvidence, IDisputes} from "./interfaces/IDisputes.sol";
import {IMetricsOracle} from "./interfaces/IMetricsOracle.sol";
import {IReporterRegistry, SignedReport} from "./interfaces/IReporterRegistry.sol";

/// @notice See IDisputes.
contract Disputes is IDisputes, Authorised, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice What a challenge that the chain cannot check costs if the figures stand, in 10⁻⁶ dollars.
    uint256 public constant CHALLENGE_BOND_USD6 = 1_000e6;

    /// @notice What a signer pays for figures that were wrong by its fault, in 10⁻⁶ dollars.
    uint256 public constant PENALTY_USD6 = 1_000e6;

    /// @notice How long the arbiter has, in seconds.
    uint256 public constant ARBITRATION_SECONDS = 7 days;

    /// @notice How long it has at least after figures were refuted that were challenged before, in seconds.
    uint256 public constant REFUTED_SECONDS = 2 days;

    /// @notice Longest statement, in bytes.
    uint256 public constant MAX_STATEMENT_BYTES = 1_000;

    uint8 private constant STABLECOIN_DECIMALS = 6;
    uint256 private constant MJ_PER_WH = 3_600_000;

    IERC20 public immutable STABLECOIN;
    IClusterRegistry public immutable REGISTRY;
    IMetricsOracle public immutable ORACLE;
    IReporterRegistry public immutable REPORTERS;

    /// @notice Whom the bonds of challengers go to whose figures stand.
    address public immutable TREASURY;

    mapping(ClusterId clusterId => mapping(uint32 epoch => Dispute)) private _disputes;
    mapping(ClusterId clusterId => mapping(uint32 epoch => mapping(address signer => bool))) private
        _penalised;
    mapping(address account => uint256) private _owedUsd6;

    /// @param stablecoin What bonds are paid in; it must have 6 decimals.
    constructor(
        address treasury,
        IAuthority authority_,
        IClusterRegistry registry,
        IMetricsOracle oracle,
        IReporterRegistry reporters,
        IERC20Metadata stablecoin
    ) Authorised(authority_) {
        uint8 decimals = stablecoin.decimals();
        if (decimals != STABLECOIN_DECIMALS) {
            revert Disputes_UnsupportedStablecoin(address(stablecoin), decimals, STABLECOIN_DECIMALS);
        }
        if (treasury == address(0)) revert Disputes_ZeroAddress();
        STABLECOIN = IERC20(address(stablecoin));
        REGISTRY = registry;
        ORACLE = oracle;
        REPORTERS = reporters;
        TREASURY = treasury;
    }

    // ------------------------------------------------------------------ disputing

    /// @inheritdoc IDisputes
    function challenge(bytes32 root, ClusterId clusterId, uint32 epoch, string calldata statement)
        external
        nonReentrant
    {
        uint256 length = bytes(statement).length;
        if (length == 0 || length > MAX_STATEMENT_BYTES) {
            revert Disputes_StatementLength(length, 1, MAX_STATEMENT_BYTES);
        }
        DisputeState state = _disputes[clusterId][epoch].state;
        if (state != DisputeState.None) revert Disputes_Disputed(clusterId, epoch, state);
        Dispute storage opened = _disputes[clusterId][epoch];
        opened.bonded = true;
        ClusterFigures figures = _open(opened, root, clusterId, epoch, DisputeState.Open);
        emit Challenged(clusterId, epoch, msg.sender, root, figures, opened.deadlineAt, statement);
        // Called last: what the stablecoin does cannot find a bond that was not paid.
        uint256 before = STABLECOIN.balanceOf(address(this));
        STABLECOIN.safeTransferFrom(msg.sender, address(this), CHALLENGE_BOND_USD6);
        uint256 received = Math.saturatingSub(STABLECOIN.balanceOf(address(this)), before);
        if (received != CHALLENGE_BOND_USD6) revert Disputes_Short(CHALLENGE_BOND_USD6, received);
    }

    /// @inheritdoc IDisputes
    function refuteByRoot(
        bytes32 root,
        ClusterId clusterId,
        uint32 epoch,
        ClusterFigures bound,
        bytes32 sampleRoot,
        bytes32[] calldata proof
    ) external nonReentrant {
        ClusterFigures figures = _refute(root, clusterId, epoch);
        _checkBound(root, epoch, bound, sampleRoot, proof);
        bool isOther = ClusterId.unwrap(bound.clusterId()) == ClusterId.unwrap(clusterId)
            && !_isPostedAs(bound, figures, _disputes[clusterId][epoch].late);
        if (!isOther) revert Disputes_SameFigures(bound);
    }

    /// @inheritdoc IDisputes
    function refuteByHardware(bytes32 root, ClusterId clusterId, uint32 epoch) external nonReentrant {
        ClusterFigures figures = _refute(root, clusterId, epoch);
        uint256 watts = _spec(clusterId, epoch).gpuMaxPowerWatts;
        // Contracted time was rounded down to the second.
        uint256 limitWh = (uint256(figures.contractedGpuSeconds()) + 1) * watts / 1 hours;
        if (figures.energyWh() <= limitWh) {
            revert Disputes_WithinHardware(figures.energyWh(), limitWh);
        }
    }

    /// @inheritdoc IDisputes
    function refuteByEnergy(bytes32 root, ClusterId clusterId, uint32 epoch, EnergyEvidence calldata evidence)
        external
        nonReentrant
    {
        ClusterFigures figures = _refute(root, clusterId, epoch);
        ClusterSpec memory spec = _spec(clusterId, epoch);
        _checkGpu(evidence, spec.gpuSetRoot);
        _checkSamples(evidence, epoch);
        uint256 shownWh = _disputes[clusterId][epoch].late ? 0 : _leastWh(figures, spec, evidence);
        if (figures.energyWh() >= shownWh) revert Disputes_EnergyAgrees(figures.energyWh(), shownWh);
        _checkBound(root, epoch, figures, evidence.sampleRoot, evidence.figuresProof);
    }

    // ------------------------------------------------------------------ settling

    /// @inheritdoc IDisputes
    function rule(ClusterId clusterId, uint32 epoch, ClusterFigures counted, bool blamed)
        external
        restricted
        nonReentrant
    {
        Dispute storage found = _undecided(clusterId, epoch);
        if (block.timestamp >= found.deadlineAt) revert Disputes_DeadlineOver(found.deadlineAt);
        bool isRefuted = found.state == DisputeState.Refuted;
        ClusterFigures figures = _posted(clusterId, epoch);
        // Late energy does not count, and so makes no difference.
        if (found.late) counted = counted.withoutEnergy();
        bool stands = ClusterFigures.unwrap(counted) == ClusterFigures.unwrap(figures);
        if (stands && isRefuted) revert Disputes_Refuted(counted);
        if (stands && blamed) revert Disputes_NothingToBlame(counted);
        if (!stands) _checkPossible(counted, _spec(clusterId, epoch));
        address bondTo = stands ? TREASURY : found.challenger;
        (found.blamed, found.figures) = (blamed || isRefuted, figures);
        _settle(found, clusterId, epoch, counted, bondTo, true);
    }

    /// @inheritdoc IDisputes
    function lapse(ClusterId clusterId, uint32 epoch) external nonReentrant {
        Dispute storage found = _undecided(clusterId, epoch);
        if (block.timestamp < found.deadlineAt) revert Disputes_DeadlineNotOver(found.deadlineAt);
        bool isRefuted = found.state == DisputeState.Refuted;
        ClusterFigures figures = _posted(clusterId, epoch);
        (found.blamed, found.figures) = (isRefuted, figures);
        _settle(found, clusterId, epoch, isRefuted ? figures.silence() : figures, found.challenger, false);
    }

    /// @inheritdoc IDisputes
    function penalise(ClusterId clusterId, uint32 epoch, SignedReport calldata signed, uint256 index)
        external
        nonReentrant
    {
        Dispute storage found = _disputes[clusterId][epoch];
        if (!found.blamed) revert Disputes_NotBlamed(clusterId, epoch);
        if (index >= signed.figures.length) {
            revert Disputes_NoSuchFigures(index, signed.figures.length);
        }
        bool isDisputed =
            signed.header.root == found.root && _isPostedAs(signed.figures[index], found.figures, found.late);
        if (!isDisputed) revert Disputes_OtherFigures(index, found.figures);
        bytes32 digest = ORACLE.reportDigest(signed.header, signed.figures);
        // What is wrong with a bad one is left out: its signer is zero.
        // slither-disable-next-line unused-return
        (address signer,,) = ECDSA.tryRecoverCalldata(digest, signed.signature);
        if (signer == address(0)) revert Disputes_BadSignature();
        if (_penalised[clusterId][epoch][signer]) revert Disputes_PenalisedBefore(signer);
        _penalised[clusterId][epoch][signer] = true;
        uint256 forfeited = REPORTERS.penalise(signer, PENALTY_USD6, found.challenger);
        emit SignerPenalised(clusterId, epoch, signer, forfeited);
    }

    /// @inheritdoc IDisputes
    function pay(address account) external nonReentrant returns (uint256 amountUsd6) {
        amountUsd6 = _owedUsd6[account];
        if (amountUsd6 == 0) revert Disputes_NothingOwed(account);
        delete _owedUsd6[account];
        emit Paid(account, amountUsd6);
        STABLECOIN.safeTransfer(account, amountUsd6);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IDisputes
    function dispute(ClusterId clusterId, uint32 epoch) external view returns (Dispute memory found) {
        found = _disputes[clusterId][epoch];
        if (_isUndecided(found.state)) found.figures = _posted(clusterId, epoch);
    }

    /// @inheritdoc IDisputes
    function owedUsd6(address account) external view returns (uint256) {
        return _owedUsd6[account];
    }

    // ------------------------------------------------------------------ private

    /// @dev While it is not settled the oracle keeps the figures, and keeps them as they are.
    function _open(
        Dispute storage opened,
        bytes32 root,
        ClusterId clusterId,
        uint32 epoch,
        DisputeState state
    ) private returns (ClusterFigures figures) {
        opened.challenger = msg.sender;
        opened.deadlineAt = uint40(block.timestamp + ARBITRATION_SECONDS);
        opened.state = state;
        opened.root = root;
        bool late;
        (figures, late) = ORACLE.hold(root, clusterId, epoch);
        opened.late = late;
    }

    /// @dev Note that figures are refuted, which the caller then has to show. A challenge of them has its bond back.
    function _refute(bytes32 root, ClusterId clusterId, uint32 epoch)
        private
        returns (ClusterFigures figures)
    {
        Dispute storage found = _disputes[clusterId][epoch];
        DisputeState state = found.state;
        if (state == DisputeState.None) {
            figures = _open(found, root, clusterId, epoch, DisputeState.Refuted);
        } else {
            if (state != DisputeState.Open) revert Disputes_Disputed(clusterId, epoch, state);
            if (found.root != root) revert Disputes_OtherReport(root, found.root);
            if (block.timestamp >= found.deadlineAt) revert Disputes_DeadlineOver(found.deadlineAt);
            // Whoever keeps the proof back until the last second leaves time for a ruling all the same.
            found.deadlineAt = uint40(Math.max(found.deadlineAt, block.timestamp + REFUTED_SECONDS));
            _releaseBond(found, found.challenger);
            (found.challenger, found.state) = (msg.sender, DisputeState.Refuted);
            figures = _posted(clusterId, epoch);
        }
        emit Refuted(clusterId, epoch, msg.sender, root, figures, found.deadlineAt);
    }

    function _settle(
        Dispute storage found,
        ClusterId clusterId,
        uint32 epoch,
        ClusterFigures counted,
        address bondTo,
        bool byArbiter
    ) private {
        _releaseBond(found, bondTo);
        found.state = DisputeState.Settled;
        emit DisputeSettled(clusterId, epoch, found.figures, counted, found.blamed, byArbiter);
        ORACLE.settle(clusterId, epoch, counted);
    }

    function _releaseBond(Dispute storage found, address to) private {
        if (!found.bonded) return;
        found.bonded = false;
        _owedUsd6[to] += CHALLENGE_BOND_USD6;
    }

    function _undecided(ClusterId clusterId, uint32 epoch) private view returns (Dispute storage found) {
        found = _disputes[clusterId][epoch];
        DisputeState state = found.state;
        if (!_isUndecided(state)) revert Disputes_NotOpen(clusterId, epoch, state);
    }

    function _isUndecided(DisputeState state) private pure returns (bool) {
        return state == DisputeState.Open || state == DisputeState.Refuted;
    }

    function _posted(ClusterId clusterId, uint32 epoch) private view returns (ClusterFigures figures) {
        // Until when they wait and that they are held is left out.
        // slither-disable-next-line unused-return
        (figures,,) = ORACLE.postedFigures(clusterId, epoch);
    }

    function _checkBound(
        bytes32 root,
        uint32 epoch,
        ClusterFigures figures,
        bytes32 sampleRoot,
        bytes32[] calldata proof
    ) private view {
        if (!ORACLE.verifyFigures(root, epoch, figures, sampleRoot, proof)) {
            revert Disputes_NotBound(root, figures);
        }
    }

    function _spec(ClusterId clusterId, uint32 epoch) private view returns (ClusterSpec memory spec) {
        // From which epoch it acts is left out.
        // slither-disable-next-line unused-return
        (spec,) = REGISTRY.specAt(clusterId, epoch);
    }

    /// @dev What is ruled can be no more than the registered hardware can do in an hour.
    function _checkPossible(ClusterFigures counted, ClusterSpec memory spec) private pure {
        uint256 limitWh = uint256(spec.gpuCount) * spec.gpuMaxPowerWatts;
        if (counted.energyWh() > limitWh) {
            revert Disputes_BeyondHardware("energyWh", counted.energyWh(), limitWh);
        }
        uint256 limitSeconds = uint256(spec.gpuCount) * 1 hours;
        if (counted.contractedGpuSeconds() > limitSeconds) {
            revert Disputes_BeyondHardware(
                "contractedGpuSeconds", counted.contractedGpuSeconds(), limitSeconds
            );
        }
    }

    function _isPostedAs(ClusterFigures signed, ClusterFigures figures, bool late)
        private
        pure
        returns (bool)
    {
        ClusterFigures posted = late ? signed.withoutEnergy() : signed;
        return ClusterFigures.unwrap(posted) == ClusterFigures.unwrap(figures);
    }

    function _checkGpu(EnergyEvidence calldata evidence, bytes32 gpuSetRoot) private pure {
        if (!MerkleProof.verifyCalldata(evidence.gpuProof, gpuSetRoot, evidence.gpu.leaf())) {
            revert Disputes_NotRegistered(evidence.gpu.gpuId, gpuSetRoot);
        }
    }

    /// @dev Energy is counted with the later of two samples, if both lie in service: so all that was drawn between two
    ///      samples of an epoch is counted in it.
    function _checkSamples(EnergyEvidence calldata evidence, uint32 epoch) private pure {
        Sample calldata first = evidence.first;
        Sample calldata second = evidence.second;
        uint256 startMs = Epochs.startOf(epoch) * 1_000;
        uint256 endMs = Epochs.endOf(epoch) * 1_000;
        bool areOfGpu = first.gpuId == evidence.gpu.gpuId && second.gpuId == evidence.gpu.gpuId;
        bool inEpoch = first.atMs >= startMs && first.atMs < second.atMs && second.atMs < endMs;
        bool inService = first.atMs >= evidence.gpu.fromMs && second.atMs <= evidence.gpu.untilMs;
        if (!areOfGpu || !inEpoch || !inService) {
            revert Disputes_SamplesMisfit(first.atMs, second.atMs, startMs, endMs);
        }
        _checkSample(evidence.sampleRoot, first, evidence.firstProof);
        _checkSample(evidence.sampleRoot, second, evidence.secondProof);
    }

    function _checkSample(bytes32 sampleRoot, Sample calldata sample, bytes32[] calldata proof) private pure {
        if (!MerkleProof.verifyCalldata(proof, sampleRoot, sample.leaf())) {
            revert Disputes_NotASample(sample.gpuId, sample.atMs);
        }
    }

    /// @dev What one GPU drew between two samples, at the least; whole watt-hours, rounded down as the counted ones. A
    ///      counter that was reset in between adds more than the difference, never less.
    function _leastWh(ClusterFigures figures, ClusterSpec memory spec, EnergyEvidence calldata evidence)
        private
        pure
        returns (uint256)
    {
        uint256 drawnMj = Math.saturatingSub(evidence.second.energyMj, evidence.first.energyMj);
        uint256 limitMj = uint256(figures.contractedGpuSeconds()) * 1_000 * spec.gpuMaxPowerWatts;
        return Math.min(drawnMj, limitMj) / MJ_PER_WH;
    }
}
