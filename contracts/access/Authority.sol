// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {IAuthority} from "./interfaces/IAuthority.sol";
import {Powers} from "./Powers.sol";

/// @notice See IAuthority.
/// @dev The admin of a cluster's role is derived from its id instead of being stored, so that registering a
///      cluster needs no configuration and none can be forgotten or changed.
contract Authority is AccessManager, IAuthority {
    constructor(address initialAdmin) AccessManager(initialAdmin) {}

    /// @inheritdoc AccessManager
    function getRoleAdmin(uint64 roleId)
        public
        view
        override(AccessManager, IAccessManager)
        returns (uint64)
    {
        if (!Powers.isOverCluster(roleId)) return super.getRoleAdmin(roleId);
        uint32 power = uint32(roleId >> 32);
        if (power == Powers.ISSUER) return Powers.CLUSTER_REGISTRY_ROLE;
        if (power == Powers.TRUSTEE) return Powers.REGISTRAR_ROLE;
        return uint64(Powers.ISSUER) << 32 | uint32(roleId);
    }

    /// @inheritdoc AccessManager
    function _setRoleAdmin(uint64 roleId, uint64 admin) internal override {
        if (Powers.isOverCluster(roleId)) revert Authority_AdminIsDerived(roleId);
        super._setRoleAdmin(roleId, admin);
    }

    /// @inheritdoc AccessManager
    /// @dev Powers over a cluster are checked inside the function and act at once: an execution delay, which
    ///      only `restricted` functions honour, would promise a delay that nothing keeps.
    function _grantRole(uint64 roleId, address account, uint32 grantDelay, uint32 executionDelay)
        internal
        override
        returns (bool)
    {
        if (Powers.isOverCluster(roleId) && executionDelay != 0) {
            revert Authority_DelayOnClusterRole(roleId, executionDelay);
        }
        return super._grantRole(roleId, account, grantDelay, executionDelay);
    }
}
