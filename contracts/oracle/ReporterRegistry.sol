// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Authorised} from "../access/Authorised.sol";
import {IAuthority} from "../access/interfaces/IAuthority.sol";
import {ClusterFigures} from "../types/ClusterFigures.sol";
import {ClusterId} from "../types/ClusterId.sol";
import {IMetricsOracle, ReportHeader} from "./interfaces/IMetricsOracle.sol";
import {IReporterRegistry, Reporter, SignedReport} from "./interfaces/IReporterRegistry.sol";

/// @notice See IReporterRegistry.
contract ReporterRegistry is IReporterRegistry, Authorised, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice Least bond of an operator in a set, in 10⁻⁶ dollars.
    uint256 public constant MINIMUM_BOND_USD6 = 10_000e6;

    /// @notice How long a change of the set or of a key is public before it acts, in seconds.
    uint256 public constant CHANGE_DELAY_SECONDS = 1 days;

    /// @notice How long a bond can still be lost after its operator left, in seconds.
    uint256 public constant EXIT_SECONDS = 14 days;

    /// @notice Most operators in a set.
    uint256 public constant MAX_OPERATORS = 31;

    uint8 private constant STABLECOIN_DECIMALS = 6;

    bytes32 private constant POSSESSION_TYPEHASH = keccak256("Possession(address operator,address signer)");

    IERC20 public immutable STABLECOIN;
    IMetricsOracle public immutable ORACLE;

    /// @notice Whom the part of a forfeited bond goes to that does not reward who proved the fault.
    address public immutable TREASURY;

    mapping(address operator => Reporter) private _reporters;
    mapping(address signer => address operator) private _operatorOf;
    mapping(address account => uint256) private _owedUsd6;
    address[] private _operators;
    address[] private _scheduled;
    uint40 private _scheduledFor;

    /// @param stablecoin What bonds are paid in; it must have 6 decimals.
    constructor(address treasury, IAuthority authority_, IMetricsOracle oracle, IERC20Metadata stablecoin)
        Authorised(authority_)
        EIP712("Rackstream ReporterRegistry", "1")
    {
        uint8 decimals = stablecoin.decimals();
        if (decimals != STABLECOIN_DECIMALS) {
            revert ReporterRegistry_UnsupportedStablecoin(address(stablecoin), decimals, STABLECOIN_DECIMALS);
        }
        if (treasury == address(0)) revert ReporterRegistry_ZeroAddress();
        STABLECOIN = IERC20(address(stablecoin));
        ORACLE = oracle;
        TREASURY = treasury;
    }

    // ------------------------------------------------------------------ operators

    /// @inheritdoc IReporterRegistry
    function register(address signer, bytes calldata possession, uint256 bondUsd6) external nonReentrant {
        Reporter storage entry = _reporters[msg.sender];
        if (entry.signer != address(0)) {
            revert ReporterRegistry_AlreadyRegistered(msg.sender, entry.signer);
        }
        if (bondUsd6 < MINIMUM_BOND_USD6) {
            revert ReporterRegistry_BondTooSmall(msg.sender, bondUsd6, MINIMUM_BOND_USD6);
        }
        _takeKey(signer, possession);
        entry.signer = signer;
        _takeBond(entry, bondUsd6);
        emit ReporterRegistered(msg.sender, signer, bondUsd6);
    }

    /// @inheritdoc IReporterRegistry
    function addBond(uint256 amountUsd6) external nonReentrant {
        Reporter storage entry = _registered(msg.sender);
        _takeBond(entry, amountUsd6);
        emit BondAdded(msg.sender, amountUsd6, entry.bondUsd6);
    }

    /// @inheritdoc IReporterRegistry
    function scheduleSigner(address nextSigner, bytes calldata possession) external {
        Reporter storage entry = _registered(msg.sender);
        _takeKey(nextSigner, possession);
        if (_isInSet(msg.sender)) {
            uint40 dueAt = uint40(block.timestamp + CHANGE_DELAY_SECONDS);
            (entry.nextSigner, entry.nextSignerAt) = (nextSigner, dueAt);
            emit SignerScheduled(msg.sender, nextSigner, dueAt);
        } else {
            emit SignerChanged(msg.sender, entry.signer, nextSigner);
            (entry.signer, entry.nextSigner, entry.nextSignerAt) = (nextSigner, address(0), 0);
        }
    }

    /// @inheritdoc IReporterRegistry
    function requestExit() external {
        Reporter storage entry = _registered(msg.sender);
        if (_isInSet(msg.sender)) revert ReporterRegistry_InSet(msg.sender);
        if (entry.exitAt != 0) revert ReporterRegistry_Exiting(msg.sender, entry.exitAt);
        uint40 exitAt = uint40(block.timestamp + EXIT_SECONDS);
        entry.exitAt = exitAt;
        emit ExitRequested(msg.sender, exitAt);
    }

    /// @inheritdoc IReporterRegistry
    function withdrawBond() external nonReentrant returns (uint256 amountUsd6) {
        Reporter storage entry = _registered(msg.sender);
        uint256 exitAt = entry.exitAt;
        if (exitAt == 0 || block.timestamp < exitAt) {
            revert ReporterRegistry_NotExited(msg.sender, exitAt);
        }
        amountUsd6 = entry.bondUsd6;
        // Its keys stay its own: whoever comes next must not take over a name.
        delete _reporters[msg.sender];
        emit BondWithdrawn(msg.sender, amountUsd6);
        STABLECOIN.safeTransfer(msg.sender, amountUsd6);
    }

    // ------------------------------------------------------------------ the set

    /// @inheritdoc IReporterRegistry
    function scheduleSet(address[] calldata operators_) external restricted {
        if (_scheduledFor != 0) revert ReporterRegistry_SetPending(_scheduledFor);
        if (operators_.length == 0 || operators_.length > MAX_OPERATORS) {
            revert ReporterRegistry_OperatorCount(operators_.length, 1, MAX_OPERATORS);
        }
        for (uint256 i; i < operators_.length; ++i) {
            _checkBonded(operators_[i]);
            for (uint256 j; j < i; ++j) {
                if (operators_[j] == operators_[i]) revert ReporterRegistry_Duplicate(operators_[i]);
            }
        }
        // Nobody relies on a set before the first.
        uint256 delay = _operators.length == 0 ? 0 : CHANGE_DELAY_SECONDS;
        uint40 dueAt = uint40(block.timestamp + delay);
        (_scheduled, _scheduledFor) = (operators_, dueAt);
        emit SetScheduled(operators_, dueAt);
    }

    /// @inheritdoc IReporterRegistry
    function withdrawSet() external restricted {
        if (_scheduledFor == 0) revert ReporterRegistry_NoSetPending();
        emit SetWithdrawn(_scheduledFor);
        delete _scheduled;
        delete _scheduledFor;
    }

    /// @inheritdoc IReporterRegistry
    function activate() external {
        bool isDue = _scheduledFor != 0 && block.timestamp >= _scheduledFor;
        // A set that cannot act must not keep back the keys of the present one.
        address unfit = isDue ? _firstUnfit(_scheduled) : address(0);
        if (unfit != address(0)) isDue = false;
        address[] memory members = isDue ? _scheduled : _operators;
        address[] memory signers = new address[](members.length);
        bool changes = isDue;
        for (uint256 i; i < members.length; ++i) {
            if (_rotate(members[i])) changes = true;
            signers[i] = _reporters[members[i]].signer;
        }
        if (!changes) {
            if (unfit != address(0)) _checkBonded(unfit);
            revert ReporterRegistry_NothingDue(block.timestamp);
        }
        if (isDue) {
            _operators = members;
            delete _scheduled;
            delete _scheduledFor;
            emit SetActivated(members);
        }
        ORACLE.setReporters(signers);
    }

    // ------------------------------------------------------------------ faults

    /// @inheritdoc IReporterRegistry
    function proveEquivocation(
        SignedReport calldata first,
        SignedReport calldata second,
        uint256 firstIndex,
        uint256 secondIndex
    ) external {
        ReportHeader calldata header = first.header;
        if (
            header.reporterSetId != second.header.reporterSetId || header.epoch != second.header.epoch
                || header.round != second.header.round
        ) revert ReporterRegistry_DifferentRounds();
        ClusterId clusterId = _clusterAt(first.figures, firstIndex);
        ClusterId other = _clusterAt(second.figures, secondIndex);
        if (ClusterId.unwrap(clusterId) != ClusterId.unwrap(other)) {
            revert ReporterRegistry_DifferentClusters(clusterId, other);
        }
        address signer = _signerOfBoth(first, second);
        (address operator, uint256 forfeited, uint256 reward) =
            _forfeit(signer, type(uint256).max, msg.sender);
        emit EquivocationProved(
            operator, signer, msg.sender, clusterId, header.epoch, header.round, forfeited, reward
        );
    }

    /// @inheritdoc IReporterRegistry
    function penalise(address signer, uint256 amountUsd6, address challenger)
        external
        restricted
        returns (uint256 forfeitedUsd6)
    {
        address operator;
        uint256 reward;
        (operator, forfeitedUsd6, reward) = _forfeit(signer, amountUsd6, challenger);
        emit Penalised(operator, signer, challenger, forfeitedUsd6, reward);
    }

    /// @inheritdoc IReporterRegistry
    function pay(address account) external nonReentrant returns (uint256 amountUsd6) {
        amountUsd6 = _owedUsd6[account];
        if (amountUsd6 == 0) revert ReporterRegistry_NothingOwed(account);
        delete _owedUsd6[account];
        emit Paid(account, amountUsd6);
        STABLECOIN.safeTransfer(account, amountUsd6);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IReporterRegistry
    function reporter(address operator) external view returns (Reporter memory) {
        return _reporters[operator];
    }

    /// @inheritdoc IReporterRegistry
    function operatorOf(address signer) external view returns (address) {
        return _operatorOf[signer];
    }

    /// @inheritdoc IReporterRegistry
    function operators() external view returns (address[] memory) {
        return _operators;
    }

    /// @inheritdoc IReporterRegistry
    function scheduledSet() external view returns (address[] memory, uint256 dueAt) {
        return (_scheduled, _scheduledFor);
    }

    /// @inheritdoc IReporterRegistry
    function owedUsd6(address account) external view returns (uint256) {
        return _owedUsd6[account];
    }

    /// @inheritdoc IReporterRegistry
    function possessionDigest(address operator, address signer) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(POSSESSION_TYPEHASH, operator, signer)));
    }

    // ------------------------------------------------------------------ private

    function _registered(address operator) private view returns (Reporter storage entry) {
        entry = _reporters[operator];
        if (entry.signer == address(0)) revert ReporterRegistry_NotRegistered(operator);
    }

    /// @dev Make `signer` the caller's for ever, if it shows that it holds the key.
    function _takeKey(address signer, bytes calldata possession) private {
        address owner = _operatorOf[signer];
        if (owner != address(0) && owner != msg.sender) {
            revert ReporterRegistry_SignerTaken(signer, owner);
        }
        address recovered = _recover(possessionDigest(msg.sender, signer), possession);
        if (recovered != signer || signer == address(0)) {
            revert ReporterRegistry_NotPossessed(signer, recovered);
        }
        _operatorOf[signer] = msg.sender;
    }

    /// @dev The stablecoin is called last: what it does cannot find a bond that it has not paid.
    function _takeBond(Reporter storage entry, uint256 amountUsd6) private {
        uint256 total = entry.bondUsd6 + amountUsd6;
        if (total > type(uint64).max) {
            revert ReporterRegistry_BondTooLarge(total, type(uint64).max);
        }
        entry.bondUsd6 = uint64(total);
        uint256 before = STABLECOIN.balanceOf(address(this));
        STABLECOIN.safeTransferFrom(msg.sender, address(this), amountUsd6);
        uint256 received = Math.saturatingSub(STABLECOIN.balanceOf(address(this)), before);
        if (received != amountUsd6) revert ReporterRegistry_Short(amountUsd6, received);
    }

    /// @dev Let the operator's next key take over if it is due.
    function _rotate(address operator) private returns (bool rotated) {
        Reporter storage entry = _reporters[operator];
        uint256 dueAt = entry.nextSignerAt;
        if (dueAt == 0 || block.timestamp < dueAt) return false;
        emit SignerChanged(operator, entry.signer, entry.nextSigner);
        (entry.signer, entry.nextSigner, entry.nextSignerAt) = (entry.nextSigner, address(0), 0);
        return true;
    }

    /// @dev Move up to `limit` of the bond behind a key to who is owed it: half, rounded down, is the reward.
    function _forfeit(address signer, uint256 limit, address challenger)
        private
        returns (address operator, uint256 forfeited, uint256 reward)
    {
        operator = _operatorOf[signer];
        if (operator == address(0)) revert ReporterRegistry_UnknownSigner(signer);
        Reporter storage entry = _reporters[operator];
        forfeited = Math.min(entry.bondUsd6, limit);
        if (forfeited == 0) revert ReporterRegistry_NoBond(operator);
        // No more than the bond, which is of 64 bits.
        entry.bondUsd6 -= uint64(forfeited);
        reward = forfeited / 2;
        _owedUsd6[challenger] += reward;
        _owedUsd6[TREASURY] += forfeited - reward;
    }

    function _checkBonded(address operator) private view {
        Reporter storage entry = _registered(operator);
        if (entry.exitAt != 0) revert ReporterRegistry_Exiting(operator, entry.exitAt);
        if (entry.bondUsd6 < MINIMUM_BOND_USD6) {
            revert ReporterRegistry_BondTooSmall(operator, entry.bondUsd6, MINIMUM_BOND_USD6);
        }
    }

    /// @dev The first who is not registered, is leaving or has too small a bond; zero if there is none.
    function _firstUnfit(address[] storage list) private view returns (address) {
        for (uint256 i; i < list.length; ++i) {
            Reporter storage entry = _reporters[list[i]];
            if (entry.signer == address(0) || entry.exitAt != 0 || entry.bondUsd6 < MINIMUM_BOND_USD6) {
                return list[i];
            }
        }
        return address(0);
    }

    function _isInSet(address operator) private view returns (bool) {
        return _isAmong(operator, _operators) || _isAmong(operator, _scheduled);
    }

    function _isAmong(address operator, address[] storage list) private view returns (bool) {
        for (uint256 i; i < list.length; ++i) {
            if (list[i] == operator) return true;
        }
        return false;
    }

    function _clusterAt(ClusterFigures[] calldata figures, uint256 index) private pure returns (ClusterId) {
        if (index >= figures.length) revert ReporterRegistry_NoSuchFigures(index, figures.length);
        return figures[index].clusterId();
    }

    /// @dev Who signed both; reverts unless they are two reports by one key.
    function _signerOfBoth(SignedReport calldata first, SignedReport calldata second)
        private
        view
        returns (address signer)
    {
        bytes32 digest = ORACLE.reportDigest(first.header, first.figures);
        bytes32 other = ORACLE.reportDigest(second.header, second.figures);
        if (digest == other) revert ReporterRegistry_SameReport(digest);
        signer = _recover(digest, first.signature);
        address second_ = _recover(other, second.signature);
        if (signer != second_ || signer == address(0)) {
            revert ReporterRegistry_DifferentSigners(signer, second_);
        }
    }

    function _recover(bytes32 digest, bytes calldata signature) private pure returns (address signer) {
        // What is wrong with a bad one is left out: its signer is zero.
        // slither-disable-next-line unused-return
        (signer,,) = ECDSA.tryRecoverCalldata(digest, signature);
    }
}
