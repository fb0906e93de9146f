// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterId} from "../types/ClusterId.sol";

/// @notice Every power in the system, one line a role.
/// @dev A role id is `power << 32 | clusterId`. A power over the whole system names cluster 0; a power over one
///      cluster is a different role for every cluster, so that holding it for one says nothing of another.
///      OpenZeppelin's own ADMIN_ROLE (0) and PUBLIC_ROLE (2^64 − 1) keep their meaning.
library Powers {
    /// @dev Registers clusters, approves them for funding, suspends and resumes them, appoints trustees.
    uint64 internal constant REGISTRAR_ROLE = 1 << 32;
    /// @dev Pauses inflow and new risk for at most seven days, never claims.
    uint64 internal constant GUARDIAN_ROLE = 2 << 32;
    /// @dev Signs attestations of who may hold.
    uint64 internal constant KYC_PROVIDER_ROLE = 3 << 32;
    /// @dev Revokes attestations.
    uint64 internal constant COMPLIANCE_ROLE = 4 << 32;
    /// @dev Schedules the set of reporters, sets the dispute window.
    uint64 internal constant ORACLE_ADMIN_ROLE = 5 << 32;
    /// @dev The ClusterRegistry itself: it appoints the first issuer of a cluster that it registers.
    uint64 internal constant CLUSTER_REGISTRY_ROLE = 6 << 32;
    /// @dev The Enforcement contract itself: it blocks wallets that were recovered.
    uint64 internal constant ENFORCEMENT_ROLE = 7 << 32;
    /// @dev Modules that shares may be encumbered to.
    uint64 internal constant ENCUMBRANCER_ROLE = 8 << 32;
    /// @dev The ReporterRegistry itself: it names the oracle's reporters.
    uint64 internal constant REPORTER_REGISTRY_ROLE = 9 << 32;
    /// @dev Says what is counted where figures are disputed and the chain cannot tell.
    uint64 internal constant ARBITER_ROLE = 10 << 32;
    /// @dev The Disputes contract itself: it holds and settles figures, and takes penalties from bonds.
    uint64 internal constant DISPUTES_ROLE = 11 << 32;

    /// @dev Issues shares, limits who may hold them, schedules changes of the specification, commissions and retires.
    ///      Appoints operators and transfer agents.
    uint32 internal constant ISSUER = 64;
    /// @dev Runs the machines and takes their running costs.
    uint32 internal constant OPERATOR = 65;
    /// @dev Signs off what is drawn from the replacement reserve. Appointed by the registrar, not by the issuer.
    uint32 internal constant TRUSTEE = 66;
    /// @dev Freezes, and proposes forced transfers and recoveries, which the trustee confirms. Appointed by the issuer.
    uint32 internal constant TRANSFER_AGENT = 67;

    /// @notice The role of holding `power` over `clusterId`.
    function over(uint32 power, ClusterId clusterId) internal pure returns (uint64 roleId) {
        return uint64(power) << 32 | ClusterId.unwrap(clusterId);
    }

    /// @notice Whether `roleId` is a power over one cluster.
    function isOverCluster(uint64 roleId) internal pure returns (bool) {
        return roleId != type(uint64).max && uint32(roleId) != 0;
    }
}
