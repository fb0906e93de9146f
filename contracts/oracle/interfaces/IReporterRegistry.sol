// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterFigures} from "../../types/ClusterFigures.sol";
import {ClusterId} from "../../types/ClusterId.sol";
import {ReportHeader} from "./IMetricsOracle.sol";

/// @notice An operator who runs a reporter. Two slots and a part of one.
/// @param signer The key that its reports are signed with; zero if it is not registered.
/// @param exitAt Unix second from which the bond may be withdrawn; 0 unless an exit was requested.
/// @param nextSigner The key that takes over; zero if none is scheduled.
/// @param nextSignerAt Unix second from which it may.
/// @param bondUsd6 What can be lost, in 10⁻⁶ dollars.
struct Reporter {
    address signer;
    uint40 exitAt;
    address nextSigner;
    uint40 nextSignerAt;
    uint64 bondUsd6;
}

/// @notice A report as one reporter signed it: the arguments of `MetricsOracle.postReport`.
/// @param signature 65 bytes (r, s, v).
struct SignedReport {
    ReportHeader header;
    ClusterFigures[] figures;
    bytes signature;
}

/// @title ReporterRegistry
/// @notice Who runs the reporters, with what key, and what they stand to lose.
/// @dev An operator registers a signing key that it proves to hold, with a bond. The ORACLE_ADMIN_ROLE schedules a set of
///      operators; after CHANGE_DELAY_SECONDS anyone may activate it, which hands the keys to the MetricsOracle. A key
///      is rotated by its operator with the same delay. The first set of all needs none.
///
///      Possession is proved by the key's signature over `Possession(address operator,address signer)` in the EIP-712
///      domain ("Rackstream ReporterRegistry", "1", chain id, this contract).
///
///      An honest reporter signs at most one report of a cluster in one round of an epoch. Two of them forfeit the
///      bond: half goes to who proves it, half to the treasury. All payments are pulled.
interface IReporterRegistry {
    event ReporterRegistered(address indexed operator, address indexed signer, uint256 bondUsd6);
    event BondAdded(address indexed operator, uint256 amountUsd6, uint256 bondUsd6);
    /// @notice `nextSigner` takes over once somebody activates it, from `dueAt` on.
    event SignerScheduled(address indexed operator, address indexed nextSigner, uint40 dueAt);
    event SignerChanged(address indexed operator, address indexed previousSigner, address indexed newSigner);
    /// @notice The set of `operators` replaces the present one once somebody activates it, from `dueAt` on.
    event SetScheduled(address[] operators, uint40 dueAt);
    event SetWithdrawn(uint40 dueAt);
    event SetActivated(address[] operators);
    event ExitRequested(address indexed operator, uint40 exitAt);
    event BondWithdrawn(address indexed operator, uint256 amountUsd6);
    /// @notice `signer` signed two reports of `clusterId` in one round of `epoch`.
    event EquivocationProved(
        address indexed operator,
        address indexed signer,
        address indexed challenger,
        ClusterId clusterId,
        uint32 epoch,
        uint32 round,
        uint256 forfeitedUsd6,
        uint256 rewardUsd6
    );
    /// @notice `signer` signed figures that were wrong by its own fault, as the Disputes contract found.
    event Penalised(
        address indexed operator,
        address indexed signer,
        address indexed challenger,
        uint256 forfeitedUsd6,
        uint256 rewardUsd6
    );
    event Paid(address indexed account, uint256 amountUsd6);

    error ReporterRegistry_UnsupportedStablecoin(address stablecoin, uint8 decimals, uint8 supported);
    error ReporterRegistry_ZeroAddress();
    error ReporterRegistry_AlreadyRegistered(address operator, address signer);
    error ReporterRegistry_NotRegistered(address operator);
    /// @notice `signer` is or was the key of `operator`.
    error ReporterRegistry_SignerTaken(address signer, address operator);
    /// @notice The proof of possession is signed by `recovered` (zero: no valid signature), not by `signer`.
    error ReporterRegistry_NotPossessed(address signer, address recovered);
    error ReporterRegistry_BondTooSmall(address operator, uint256 bondUsd6, uint256 minimumUsd6);
    error ReporterRegistry_BondTooLarge(uint256 bondUsd6, uint256 limitUsd6);
    /// @notice Of `amountUsd6` that were to come in, `receivedUsd6` did.
    error ReporterRegistry_Short(uint256 amountUsd6, uint256 receivedUsd6);
    error ReporterRegistry_OperatorCount(uint256 count, uint256 minimum, uint256 maximum);
    error ReporterRegistry_Duplicate(address operator);
    /// @notice The operator asked for its bond back and cannot be in a set.
    error ReporterRegistry_Exiting(address operator, uint256 exitAt);
    /// @notice A set is scheduled for `dueAt` already.
    error ReporterRegistry_SetPending(uint256 dueAt);
    error ReporterRegistry_NoSetPending();
    error ReporterRegistry_NothingDue(uint256 time);
    /// @notice The operator is in the present set or in the scheduled one.
    error ReporterRegistry_InSet(address operator);
    error ReporterRegistry_NotExited(address operator, uint256 exitAt);
    /// @notice `index` is not below the number of figures in the report.
    error ReporterRegistry_NoSuchFigures(uint256 index, uint256 count);
    error ReporterRegistry_DifferentRounds();
    error ReporterRegistry_DifferentClusters(ClusterId first, ClusterId second);
    error ReporterRegistry_SameReport(bytes32 digest);
    /// @notice The two signatures are by `first` and `second` (zero: no valid signature).
    error ReporterRegistry_DifferentSigners(address first, address second);
    error ReporterRegistry_UnknownSigner(address signer);
    /// @notice The operator has no bond that could be lost.
    error ReporterRegistry_NoBond(address operator);
    error ReporterRegistry_NothingOwed(address account);

    /// @notice Register the caller as an operator.
    /// @param signer Its key, not the key of anybody else, ever.
    /// @param possession 65 bytes (r, s, v) of that key; see the contract's notes.
    /// @param bondUsd6 At least MINIMUM_BOND_USD6; taken from the caller, who approved it.
    function register(address signer, bytes calldata possession, uint256 bondUsd6) external;

    /// @notice Add to the caller's bond.
    function addBond(uint256 amountUsd6) external;

    /// @notice Have another key take over. At once if the caller is in no set, else from CHANGE_DELAY_SECONDS on,
    ///         when somebody activates it; a later call replaces an earlier one.
    function scheduleSigner(address nextSigner, bytes calldata possession) external;

    /// @notice Schedule the next set, 1 to 31 distinct operators with their bonds. For the ORACLE_ADMIN_ROLE.
    function scheduleSet(address[] calldata operators) external;

    /// @notice Withdraw the scheduled set. For the ORACLE_ADMIN_ROLE.
    function withdrawSet() external;

    /// @notice Put into force what is due: a scheduled set, and keys that take over. Open to all. A member of the new
    ///         set who has lost the bond meanwhile stops it, but no key: the bond is made up, or the set is withdrawn and
    ///         scheduled anew.
    function activate() external;

    /// @notice Ask for the caller's bond, who is in no set. It can be lost for EXIT_SECONDS more.
    function requestExit() external;

    /// @notice Take the bond out, once the exit is over. The caller may register again.
    function withdrawBond() external returns (uint256 amountUsd6);

    /// @notice Prove that a reporter signed two reports of one cluster in one round of an epoch. Its whole bond is
    ///         forfeited; the caller is owed half of it, rounded down. Open to all.
    /// @param firstIndex Where the cluster is in `first.figures`.
    /// @param secondIndex Where it is in `second.figures`.
    function proveEquivocation(
        SignedReport calldata first,
        SignedReport calldata second,
        uint256 firstIndex,
        uint256 secondIndex
    ) external;

    /// @notice Take up to `amountUsd6` from the bond of whoever holds or held `signer`; `challenger` is owed half of it,
    ///         rounded down, the treasury the rest. For the Disputes contract.
    function penalise(address signer, uint256 amountUsd6, address challenger)
        external
        returns (uint256 forfeitedUsd6);

    /// @notice Pay what `account` is owed, to it. Open to all.
    function pay(address account) external returns (uint256 amountUsd6);

    /// @notice An operator's entry; all zero if it is not registered.
    function reporter(address operator) external view returns (Reporter memory);

    /// @notice Whose key `signer` is or was; zero if nobody's.
    function operatorOf(address signer) external view returns (address);

    /// @notice The operators in force, in the order of the oracle's reporters.
    function operators() external view returns (address[] memory);

    /// @notice The set that is scheduled, and the Unix second from which it may be activated; none and 0 if there is none.
    function scheduledSet() external view returns (address[] memory operators, uint256 dueAt);

    /// @notice What `account` can have paid.
    function owedUsd6(address account) external view returns (uint256);

    /// @notice The EIP-712 digest by which a key proves to be `operator`'s.
    function possessionDigest(address operator, address signer) external view returns (bytes32);
}
