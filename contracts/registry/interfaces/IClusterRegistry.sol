// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterId} from "../../types/ClusterId.sol";

/// @notice The life of a cluster: Proposed → Funding → Live ⇄ Suspended → Retired. None is no cluster.
enum ClusterStatus {
    None,
    Proposed,
    Funding,
    Live,
    Suspended,
    Retired
}

/// @notice The specification of a cluster. Every change acts from a later epoch; see `scheduleSpec`.
/// @param gpuModel Model of the GPUs, 1 to 31 printable ASCII characters, zero-padded, e.g. "H100-SXM5-80GB".
/// @param region Where the machines stand, 1 to 31 printable ASCII characters, zero-padded, e.g. "eu-north-1".
/// @param gpuSetRoot Merkle root of the registered GPUs; see `api/domain/gpu_set.py` for the leaf.
/// @param documentsRoot Merkle root of the SHA-256 digests of title, insurance and serial-number documents.
/// @param gpuCount Number of registered GPUs, 1 to 1,000,000.
/// @param gpuMaxPowerWatts Most that one GPU can draw, in watts, 1 to 65,535.
/// @param gpuIdlePowerWatts What one idle GPU draws, in watts, at most `gpuMaxPowerWatts`.
/// @param pueBps Power usage effectiveness (facility power / IT power) in 1/10,000: 10,000 to 30,000.
/// @param tariffUsd6PerKwh Price of energy in 10⁻⁶ dollars a kilowatt-hour, at most 10,000,000 ($10).
/// @param contractedRateUsd6PerGpuHour Other running cost in 10⁻⁶ dollars a GPU-hour, at most 100,000,000 ($100).
/// @param reserveShareBps Part of the income after operator and lenders that goes to the replacement reserve
///        until it holds its target, in 1/10,000, at most 10,000.
/// @param depreciationLifeSeconds Life over which the hardware is written off, in seconds, 1 to 15 years of 365 days.
/// @param pricePaidUsd6 What the hardware cost, in 10⁻⁶ dollars, at most 10^18.
/// @param reserveTargetUsd6 What the replacement reserve is to hold, in 10⁻⁶ dollars, at most 10^18.
struct ClusterSpec {
    bytes32 gpuModel;
    bytes32 region;
    bytes32 gpuSetRoot;
    bytes32 documentsRoot;
    uint32 gpuCount;
    uint16 gpuMaxPowerWatts;
    uint16 gpuIdlePowerWatts;
    uint16 pueBps;
    uint32 tariffUsd6PerKwh;
    uint32 contractedRateUsd6PerGpuHour;
    uint16 reserveShareBps;
    uint32 depreciationLifeSeconds;
    uint64 pricePaidUsd6;
    uint64 reserveTargetUsd6;
}

/// @notice Where a cluster is in its life, and what belongs to it.
/// @param status Where it is.
/// @param firstEpoch First epoch that is measured and paid; 0 before it is Live.
/// @param lastEpoch Last epoch that is measured and paid; 0 until it is Retired.
/// @param authorisedShares Most shares that may ever be issued, in the share's smallest unit.
/// @param share The cluster's ClusterShare; the zero address until it is registered.
struct Cluster {
    ClusterStatus status;
    uint32 firstEpoch;
    uint32 lastEpoch;
    uint64 authorisedShares;
    address share;
}

/// @title ClusterRegistry
/// @notice What every cluster is: its specification as parameters, and its life. Nothing here moves money.
/// @dev Restricted functions are for the role named in each; powers over one cluster are checked inside.
interface IClusterRegistry {
    event ClusterRegistered(
        ClusterId indexed clusterId, address indexed issuer, uint64 authorisedShares, ClusterSpec spec
    );
    /// @notice `status` replaced `previousStatus`, as ordered by `actor`.
    event ClusterStatusChanged(
        ClusterId indexed clusterId, address indexed actor, ClusterStatus previousStatus, ClusterStatus status
    );
    /// @notice `spec` will replace `previousSpec` from the start of `fromEpoch`.
    event SpecScheduled(
        ClusterId indexed clusterId, uint32 indexed fromEpoch, ClusterSpec previousSpec, ClusterSpec spec
    );
    /// @notice A scheduled specification was withdrawn before it acted.
    event SpecWithdrawn(ClusterId indexed clusterId, uint32 indexed fromEpoch);
    event ShareRegistered(ClusterId indexed clusterId, address indexed share);
    event IssuerReplaced(ClusterId indexed clusterId, address indexed previousIssuer, address indexed issuer);

    error ClusterRegistry_UnknownCluster(ClusterId clusterId);
    error ClusterRegistry_WrongStatus(ClusterId clusterId, ClusterStatus status, ClusterStatus required);
    /// @notice `field` of the specification is `value`, outside [`minimum`, `maximum`].
    error ClusterRegistry_SpecOutOfRange(string field, uint256 value, uint256 minimum, uint256 maximum);
    error ClusterRegistry_SpecTextInvalid(string field, bytes32 value);
    error ClusterRegistry_AuthorisedSharesOutOfRange(uint256 value, uint256 minimum, uint256 maximum);
    /// @notice A change was asked for from `fromEpoch`; the notice that it needs allows `earliest`.
    error ClusterRegistry_SpecTooEarly(uint32 fromEpoch, uint32 earliest);
    error ClusterRegistry_SpecAlreadyScheduled(ClusterId clusterId, uint32 fromEpoch);
    error ClusterRegistry_NoSpecScheduled(ClusterId clusterId);
    error ClusterRegistry_ShareAlreadyRegistered(ClusterId clusterId, address share);
    /// @notice `share` says that it belongs to `shareClusterId`.
    error ClusterRegistry_ShareOfAnotherCluster(address share, ClusterId shareClusterId, ClusterId clusterId);
    error ClusterRegistry_NoShareRegistered(ClusterId clusterId);
    error ClusterRegistry_NoSharesIssued(ClusterId clusterId);
    /// @notice `account` was named as the issuer to replace; the issuer is `issuer`.
    error ClusterRegistry_NotTheIssuer(ClusterId clusterId, address account, address issuer);
    error ClusterRegistry_ZeroAddress();

    /// @notice Register a cluster as Proposed and make `issuer` its ISSUER. For the REGISTRAR_ROLE.
    /// @param issuer The account that will hold the cluster's ISSUER power.
    /// @param authorisedShares Most shares that may ever be issued, in the share's smallest unit
    ///        (MIN_SUPPLY of the share to 2^63 − 1).
    /// @param spec The specification from the start; every field is checked against its range.
    /// @return clusterId The new cluster's id, one above the last.
    function registerCluster(address issuer, uint64 authorisedShares, ClusterSpec calldata spec)
        external
        returns (ClusterId clusterId);

    /// @notice Tie the deployed `share` to its cluster, once, while Proposed. For the REGISTRAR_ROLE, who has
    ///         compared its code and immutables with the release.
    function registerShare(ClusterId clusterId, address share) external;

    /// @notice Proposed → Funding; needs a registered share. For the REGISTRAR_ROLE.
    function openFunding(ClusterId clusterId) external;

    /// @notice Funding → Live; measuring and costs begin with the next epoch. Needs issued shares.
    ///         For the cluster's ISSUER.
    function goLive(ClusterId clusterId) external;

    /// @notice Live → Suspended. Costs and measuring go on; new risk stops. For the REGISTRAR_ROLE.
    function suspend(ClusterId clusterId) external;

    /// @notice Suspended → Live. For the REGISTRAR_ROLE.
    function resume(ClusterId clusterId) external;

    /// @notice Live or Suspended → Retired, with the running epoch as the last. For the cluster's ISSUER.
    function retire(ClusterId clusterId) external;

    /// @notice Schedule `spec` to act from the start of `fromEpoch`. For the cluster's ISSUER, one at a time.
    /// @dev Never backwards. A change that cannot raise what is taken before the holders (GPU set, documents,
    ///      lower counts, powers, rates and reserve) needs one epoch's notice (LIGHT_NOTICE_SECONDS); any other
    ///      needs SPEC_NOTICE_SECONDS, so that a holder can see it and leave. `fromEpoch` must start when the
    ///      notice is over or later. While Proposed, when nobody can hold a share, any change may act from the
    ///      next epoch.
    function scheduleSpec(ClusterId clusterId, uint32 fromEpoch, ClusterSpec calldata spec) external;

    /// @notice Withdraw the scheduled specification before it acts. For the cluster's ISSUER.
    function withdrawSpec(ClusterId clusterId) external;

    /// @notice Replace a cluster's issuer. For the REGISTRAR_ROLE.
    /// @param previousIssuer The present issuer, or the call is refused; it may have renounced its power.
    function replaceIssuer(ClusterId clusterId, address previousIssuer, address issuer) external;

    /// @notice Number of clusters; ids run from 1 to this.
    function clusterCount() external view returns (uint32);

    /// @notice The cluster, or an error if there is none.
    function cluster(ClusterId clusterId) external view returns (Cluster memory);

    /// @notice Cheaper than `cluster` for callers that need no more; None if there is no such cluster.
    function statusOf(ClusterId clusterId) external view returns (ClusterStatus);

    /// @notice The account that the registry last appointed as the cluster's ISSUER, or an error if there is no
    ///         such cluster.
    function issuerOf(ClusterId clusterId) external view returns (address);

    /// @notice First and last epoch that are measured and paid; see `Cluster`. Zeros if there is no such cluster.
    function epochRange(ClusterId clusterId) external view returns (uint32 firstEpoch, uint32 lastEpoch);

    /// @notice The specification in force in `epoch`, and the epoch from which it acts (0 for the first one).
    ///         An error if there is no such cluster, as for the two below.
    function specAt(ClusterId clusterId, uint256 epoch)
        external
        view
        returns (ClusterSpec memory spec, uint32 fromEpoch);

    /// @notice The epoch from which the specification in force in `epoch` acts, without reading it.
    function specEpochAt(ClusterId clusterId, uint256 epoch) external view returns (uint32 fromEpoch);

    /// @notice How many clusters have a specification that acts from `fromEpoch` on, beside their first ones. Of an epoch
    ///         that has begun it is the same for all time. One question about all clusters, for those who go through many.
    function changesAt(uint32 fromEpoch) external view returns (uint256 clusters);

    /// @notice The scheduled specification; `fromEpoch` is 0 when there is none.
    function scheduledSpec(ClusterId clusterId)
        external
        view
        returns (ClusterSpec memory spec, uint32 fromEpoch);
}
