// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterId} from "../../types/ClusterId.sol";

/// @notice That an account is related to a cluster's issuer or operator.
/// @param fromEpoch First epoch of it; meaningless unless `isDeclared`.
/// @param toEpoch Last epoch of it; 0 while it lasts.
struct Relation {
    bool isDeclared;
    uint32 fromEpoch;
    uint32 toEpoch;
}

/// @title RelatedParties
/// @notice Who among a cluster's customers is related to its issuer or operator, so that income which may have been paid
///         from one pocket into another can be told apart. Whoever reads the payments counts it, for every epoch; here
///         nothing depends on it, and no payment costs more.
///
///         A relation is declared by the account itself, the cluster's issuer or the registrar, also for epochs that are
///         over. It is ended by the registrar alone, for epochs to come: nobody can make what was paid look better. What
///         was ever declared stays in the events.
interface IRelatedParties {
    /// @notice `account` is related to the cluster from `fromEpoch` on, as `declarer` says.
    /// @param documentHash SHA-256 of what says how; zero if nothing does.
    event RelationDeclared(
        ClusterId indexed clusterId,
        address indexed account,
        address indexed declarer,
        uint32 fromEpoch,
        bytes32 documentHash
    );
    /// @notice `account` is not related to the cluster any more after `toEpoch`.
    event RelationEnded(
        ClusterId indexed clusterId, address indexed account, uint32 toEpoch, bytes32 documentHash
    );

    error RelatedParties_ZeroAddress();
    error RelatedParties_UnknownCluster(ClusterId clusterId);
    /// @notice `caller` is neither the account, nor the cluster's issuer, nor the registrar.
    error RelatedParties_NotADeclarer(address caller, ClusterId clusterId, address account);
    /// @notice A relation that lasts can only be dated back, to before `limit`.
    error RelatedParties_NotEarlier(uint32 fromEpoch, uint32 limit);
    /// @notice The relation that ended did so with the epoch before `limit`; another begins there at the earliest.
    error RelatedParties_Overlap(uint32 fromEpoch, uint32 limit);
    /// @notice Nobody can be declared for what is beyond `limit`, the present epoch.
    error RelatedParties_InTheFuture(uint32 fromEpoch, uint32 limit);
    error RelatedParties_NotRelated(ClusterId clusterId, address account);

    /// @notice Say that `account` is related to the cluster from `fromEpoch` on; of one that lasts, that it was earlier.
    ///         For the account itself, the cluster's ISSUER and the REGISTRAR_ROLE.
    function declare(ClusterId clusterId, address account, uint32 fromEpoch, bytes32 documentHash) external;

    /// @notice Say that `account` is related no longer, from the next epoch on. For the REGISTRAR_ROLE.
    function end(ClusterId clusterId, address account, bytes32 documentHash) external;

    /// @notice The newest relation of an account.
    function relationOf(ClusterId clusterId, address account) external view returns (Relation memory);

    /// @notice Whether by the newest relation `account` is related to the cluster in `epoch`.
    function isRelatedIn(ClusterId clusterId, address account, uint32 epoch) external view returns (bool);
}
