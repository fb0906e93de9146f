// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Authorised} from "../access/Authorised.sol";
import {Powers} from "../access/Powers.sol";
import {IAuthority} from "../access/interfaces/IAuthority.sol";
import {Epochs} from "../libraries/Epochs.sol";
import {ClusterId} from "../types/ClusterId.sol";
import {ClusterStatus, IClusterRegistry} from "./interfaces/IClusterRegistry.sol";
import {IRelatedParties, Relation} from "./interfaces/IRelatedParties.sol";

/// @notice See IRelatedParties.
contract RelatedParties is IRelatedParties, Authorised {
    IClusterRegistry public immutable REGISTRY;

    mapping(ClusterId clusterId => mapping(address account => Relation)) private _relations;

    constructor(IAuthority authority_, IClusterRegistry registry) Authorised(authority_) {
        REGISTRY = registry;
    }

    /// @inheritdoc IRelatedParties
    function declare(ClusterId clusterId, address account, uint32 fromEpoch, bytes32 documentHash) external {
        if (account == address(0)) revert RelatedParties_ZeroAddress();
        if (REGISTRY.statusOf(clusterId) == ClusterStatus.None) {
            revert RelatedParties_UnknownCluster(clusterId);
        }
        if (msg.sender != account && !_holds(Powers.over(Powers.ISSUER, clusterId))) {
            if (!_holds(Powers.REGISTRAR_ROLE)) {
                revert RelatedParties_NotADeclarer(msg.sender, clusterId, account);
            }
        }
        uint32 present = uint32(Epochs.epochAt(block.timestamp));
        if (fromEpoch > present) revert RelatedParties_InTheFuture(fromEpoch, present);
        Relation storage relation = _relations[clusterId][account];
        if (relation.isDeclared) {
            // One that lasts would else begin later than was said, and one that is over be overwritten.
            if (relation.toEpoch == 0) {
                if (fromEpoch >= relation.fromEpoch) {
                    revert RelatedParties_NotEarlier(fromEpoch, relation.fromEpoch);
                }
            } else if (fromEpoch <= relation.toEpoch) {
                revert RelatedParties_Overlap(fromEpoch, relation.toEpoch + 1);
            }
        }
        _relations[clusterId][account] = Relation({isDeclared: true, fromEpoch: fromEpoch, toEpoch: 0});
        emit RelationDeclared(clusterId, account, msg.sender, fromEpoch, documentHash);
    }

    /// @dev The registrar may have an execution delay, which only `restricted` functions honour; a declaration gives and
    ///      takes nothing, so that it need not wait.
    function _holds(uint64 role) private view returns (bool isMember) {
        // slither-disable-next-line unused-return
        (isMember,) = IAuthority(authority()).hasRole(role, msg.sender);
    }

    /// @inheritdoc IRelatedParties
    function end(ClusterId clusterId, address account, bytes32 documentHash) external restricted {
        Relation storage relation = _relations[clusterId][account];
        if (!relation.isDeclared || relation.toEpoch != 0) {
            revert RelatedParties_NotRelated(clusterId, account);
        }
        uint32 toEpoch = uint32(Epochs.epochAt(block.timestamp));
        relation.toEpoch = toEpoch;
        emit RelationEnded(clusterId, account, toEpoch, documentHash);
    }

    /// @inheritdoc IRelatedParties
    function relationOf(ClusterId clusterId, address account) external view returns (Relation memory) {
        return _relations[clusterId][account];
    }

    /// @inheritdoc IRelatedParties
    function isRelatedIn(ClusterId clusterId, address account, uint32 epoch) external view returns (bool) {
        Relation storage relation = _relations[clusterId][account];
        return relation.isDeclared && relation.fromEpoch <= epoch
            && (relation.toEpoch == 0 || epoch <= relation.toEpoch);
    }
}
