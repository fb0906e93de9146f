// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";

/// @title Authority
/// @notice Who may do what: OpenZeppelin's AccessManager, with the powers of `Powers.sol`.
///
///         | role                    | granted and revoked by            |
///         |-------------------------|-----------------------------------|
///         | a power over the system | ADMIN_ROLE                        |
///         | ISSUER of a cluster     | the ClusterRegistry, at registration and on a registrar's order |
///         | OPERATOR of a cluster   | that cluster's ISSUER             |
///         | TRUSTEE of a cluster    | REGISTRAR_ROLE                    |
///         | TRANSFER_AGENT of one   | that cluster's ISSUER             |
interface IAuthority is IAccessManager {
    /// @notice The admin of a cluster's role follows from its id and cannot be set.
    error Authority_AdminIsDerived(uint64 roleId);

    /// @notice A power over a cluster acts at once; `executionDelay` must be 0.
    error Authority_DelayOnClusterRole(uint64 roleId, uint32 executionDelay);
}
