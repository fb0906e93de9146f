// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Authorised} from "../access/Authorised.sol";
import {Powers} from "../access/Powers.sol";
import {IAuthority} from "../access/interfaces/IAuthority.sol";
import {Epochs} from "../libraries/Epochs.sol";
import {ClusterId} from "../types/ClusterId.sol";
import {ClusterSpecs} from "./ClusterSpecs.sol";
import {Cluster, ClusterSpec, ClusterStatus, IClusterRegistry} from "./interfaces/IClusterRegistry.sol";
import {IRegisteredShare} from "./interfaces/IRegisteredShare.sol";

/// @notice See IClusterRegistry.
/// @dev The specifications of a cluster are kept for ever, by the epoch from which they act. `_specEpochs` lists
///      those epochs in ascending order; the newest two are also in the cluster's first slot, so that the one in
///      force now or a few epochs ago is found without reading the list.
contract ClusterRegistry is IClusterRegistry, Authorised {
    /// @notice Notice, in seconds, of a change that may raise what is taken before the holders.
    uint256 public constant SPEC_NOTICE_SECONDS = 7 days;

    /// @notice Notice, in seconds, of any other change once shares can be held.
    uint256 public constant LIGHT_NOTICE_SECONDS = Epochs.EPOCH_SECONDS;

    /// @notice Fewest and most shares that a cluster may be authorised for, in the share's smallest unit.
    uint256 public constant MIN_AUTHORISED_SHARES = 1e6;
    uint256 public constant MAX_AUTHORISED_SHARES = uint64(type(int64).max);

    /// @dev | slot | fields                                                                     | bits |
    ///      |------|----------------------------------------------------------------------------|------|
    ///      | 0    | status, firstEpoch, lastEpoch, authorisedShares, specEpoch, priorSpecEpoch | 200  |
    ///      | 1    | share                                                                      | 160  |
    ///      | 2    | issuer                                                                     | 160  |
    struct Entry {
        ClusterStatus status;
        uint32 firstEpoch;
        uint32 lastEpoch;
        uint64 authorisedShares;
        uint32 specEpoch;
        uint32 priorSpecEpoch;
        address share;
        address issuer;
    }

    /// @inheritdoc IClusterRegistry
    uint32 public clusterCount;

    mapping(ClusterId clusterId => Entry) private _entries;
    mapping(ClusterId clusterId => uint32[]) private _specEpochs;
    mapping(ClusterId clusterId => mapping(uint32 fromEpoch => ClusterSpec)) private _specs;

    /// @inheritdoc IClusterRegistry
    mapping(uint32 fromEpoch => uint256 clusters) public changesAt;

    constructor(IAuthority authority_) Authorised(authority_) {}

    /// @inheritdoc IClusterRegistry
    function registerCluster(address issuer, uint64 authorisedShares, ClusterSpec calldata spec)
        external
        restricted
        returns (ClusterId clusterId)
    {
        if (issuer == address(0)) revert ClusterRegistry_ZeroAddress();
        if (authorisedShares < MIN_AUTHORISED_SHARES || authorisedShares > MAX_AUTHORISED_SHARES) {
            revert ClusterRegistry_AuthorisedSharesOutOfRange(
                authorisedShares, MIN_AUTHORISED_SHARES, MAX_AUTHORISED_SHARES
            );
        }
        ClusterSpecs.check(spec);

        clusterId = ClusterId.wrap(++clusterCount);
        Entry storage entry = _entries[clusterId];
        entry.authorisedShares = authorisedShares;
        entry.issuer = issuer;
        _specEpochs[clusterId].push(0);
        _specs[clusterId][0] = spec;

        emit ClusterRegistered(clusterId, issuer, authorisedShares, spec);
        _setStatus(clusterId, entry, ClusterStatus.Proposed);
        IAuthority(authority()).grantRole(Powers.over(Powers.ISSUER, clusterId), issuer, 0);
    }

    /// @inheritdoc IClusterRegistry
    function registerShare(ClusterId clusterId, address share) external restricted {
        Entry storage entry = _entryIn(clusterId, ClusterStatus.Proposed);
        if (share == address(0)) revert ClusterRegistry_ZeroAddress();
        if (entry.share != address(0)) revert ClusterRegistry_ShareAlreadyRegistered(clusterId, entry.share);
        ClusterId shareClusterId = _clusterIdOf(share);
        if (shareClusterId != clusterId) {
            revert ClusterRegistry_ShareOfAnotherCluster(share, shareClusterId, clusterId);
        }
        entry.share = share;
        emit ShareRegistered(clusterId, share);
    }

    /// @inheritdoc IClusterRegistry
    function openFunding(ClusterId clusterId) external restricted {
        Entry storage entry = _entryIn(clusterId, ClusterStatus.Proposed);
        if (entry.share == address(0)) revert ClusterRegistry_NoShareRegistered(clusterId);
        _setStatus(clusterId, entry, ClusterStatus.Funding);
    }

    /// @inheritdoc IClusterRegistry
    function goLive(ClusterId clusterId) external onlyPower(Powers.ISSUER, clusterId) {
        Entry storage entry = _entryIn(clusterId, ClusterStatus.Funding);
        if (IRegisteredShare(entry.share).totalSupply() == 0) {
            revert ClusterRegistry_NoSharesIssued(clusterId);
        }
        entry.firstEpoch = _currentEpoch() + 1;
        _setStatus(clusterId, entry, ClusterStatus.Live);
    }

    /// @inheritdoc IClusterRegistry
    function suspend(ClusterId clusterId) external restricted {
        _setStatus(clusterId, _entryIn(clusterId, ClusterStatus.Live), ClusterStatus.Suspended);
    }

    /// @inheritdoc IClusterRegistry
    function resume(ClusterId clusterId) external restricted {
        _setStatus(clusterId, _entryIn(clusterId, ClusterStatus.Suspended), ClusterStatus.Live);
    }

    /// @inheritdoc IClusterRegistry
    function retire(ClusterId clusterId) external onlyPower(Powers.ISSUER, clusterId) {
        Entry storage entry = _entries[clusterId];
        if (entry.status != ClusterStatus.Suspended) _entryIn(clusterId, ClusterStatus.Live);
        uint32 running = _currentEpoch();
        entry.lastEpoch = running < entry.firstEpoch ? entry.firstEpoch : running;
        _setStatus(clusterId, entry, ClusterStatus.Retired);
    }

    /// @inheritdoc IClusterRegistry
    function scheduleSpec(ClusterId clusterId, uint32 fromEpoch, ClusterSpec calldata spec)
        external
        onlyPower(Powers.ISSUER, clusterId)
    {
        Entry storage entry = _entries[clusterId];
        if (entry.status == ClusterStatus.Retired) {
            revert ClusterRegistry_WrongStatus(clusterId, ClusterStatus.Retired, ClusterStatus.Live);
        }
        uint32 inForce = entry.specEpoch;
        if (inForce > _currentEpoch()) revert ClusterRegistry_SpecAlreadyScheduled(clusterId, inForce);
        ClusterSpecs.check(spec);
        ClusterSpec memory previousSpec = _specs[clusterId][inForce];
        uint32 earliest = _earliestEpoch(entry.status, previousSpec, spec);
        if (fromEpoch < earliest) revert ClusterRegistry_SpecTooEarly(fromEpoch, earliest);

        entry.priorSpecEpoch = inForce;
        entry.specEpoch = fromEpoch;
        _specEpochs[clusterId].push(fromEpoch);
        _specs[clusterId][fromEpoch] = spec;
        ++changesAt[fromEpoch];
        emit SpecScheduled(clusterId, fromEpoch, previousSpec, spec);
    }

    /// @inheritdoc IClusterRegistry
    function withdrawSpec(ClusterId clusterId) external onlyPower(Powers.ISSUER, clusterId) {
        Entry storage entry = _entries[clusterId];
        uint32 fromEpoch = entry.specEpoch;
        if (fromEpoch <= _currentEpoch()) revert ClusterRegistry_NoSpecScheduled(clusterId);

        uint32[] storage epochs = _specEpochs[clusterId];
        epochs.pop();
        delete _specs[clusterId][fromEpoch];
        --changesAt[fromEpoch];
        uint256 count = epochs.length;
        entry.specEpoch = epochs[count - 1];
        entry.priorSpecEpoch = count > 1 ? epochs[count - 2] : 0;
        emit SpecWithdrawn(clusterId, fromEpoch);
    }

    /// @inheritdoc IClusterRegistry
    function replaceIssuer(ClusterId clusterId, address previousIssuer, address issuer) external restricted {
        Entry storage entry = _existing(clusterId);
        if (issuer == address(0)) revert ClusterRegistry_ZeroAddress();
        // The caller names whom it takes for the issuer, so that an order signed before another replacement fails.
        if (previousIssuer != entry.issuer) {
            revert ClusterRegistry_NotTheIssuer(clusterId, previousIssuer, entry.issuer);
        }
        entry.issuer = issuer;
        emit IssuerReplaced(clusterId, previousIssuer, issuer);
        // Revoked first: appointing the same account again (it may have renounced its role) leaves it appointed.
        uint64 roleId = Powers.over(Powers.ISSUER, clusterId);
        IAuthority(authority()).revokeRole(roleId, previousIssuer);
        IAuthority(authority()).grantRole(roleId, issuer, 0);
    }

    /// @inheritdoc IClusterRegistry
    function cluster(ClusterId clusterId) external view returns (Cluster memory) {
        Entry storage entry = _existing(clusterId);
        return Cluster({
            status: entry.status,
            firstEpoch: entry.firstEpoch,
            lastEpoch: entry.lastEpoch,
            authorisedShares: entry.authorisedShares,
            share: entry.share
        });
    }

    /// @inheritdoc IClusterRegistry
    function statusOf(ClusterId clusterId) external view returns (ClusterStatus) {
        return _entries[clusterId].status;
    }

    /// @inheritdoc IClusterRegistry
    function issuerOf(ClusterId clusterId) external view returns (address) {
        return _existing(clusterId).issuer;
    }

    /// @inheritdoc IClusterRegistry
    function epochRange(ClusterId clusterId) external view returns (uint32 firstEpoch, uint32 lastEpoch) {
        Entry storage entry = _entries[clusterId];
        return (entry.firstEpoch, entry.lastEpoch);
    }

    /// @inheritdoc IClusterRegistry
    function specAt(ClusterId clusterId, uint256 epoch)
        external
        view
        returns (ClusterSpec memory spec, uint32 fromEpoch)
    {
        fromEpoch = specEpochAt(clusterId, epoch);
        spec = _specs[clusterId][fromEpoch];
    }

    /// @inheritdoc IClusterRegistry
    function specEpochAt(ClusterId clusterId, uint256 epoch) public view returns (uint32 fromEpoch) {
        Entry storage entry = _existing(clusterId);
        if (epoch >= entry.specEpoch) return entry.specEpoch;
        if (epoch >= entry.priorSpecEpoch) return entry.priorSpecEpoch;

        uint32[] storage epochs = _specEpochs[clusterId];
        // The answer is at `low`, below `high`; the first entry is 0, so there always is one.
        uint256 low = 0;
        uint256 high = epochs.length - 2;
        while (high - low > 1) {
            uint256 middle = (low + high) / 2;
            if (epochs[middle] <= epoch) low = middle;
            else high = middle;
        }
        return epochs[low];
    }

    /// @inheritdoc IClusterRegistry
    function scheduledSpec(ClusterId clusterId)
        external
        view
        returns (ClusterSpec memory spec, uint32 fromEpoch)
    {
        uint32 newest = _existing(clusterId).specEpoch;
        if (newest > _currentEpoch()) return (_specs[clusterId][newest], newest);
    }

    function _setStatus(ClusterId clusterId, Entry storage entry, ClusterStatus status) private {
        emit ClusterStatusChanged(clusterId, msg.sender, entry.status, status);
        entry.status = status;
    }

    function _existing(ClusterId clusterId) private view returns (Entry storage entry) {
        entry = _entries[clusterId];
        if (entry.status == ClusterStatus.None) revert ClusterRegistry_UnknownCluster(clusterId);
    }

    function _entryIn(ClusterId clusterId, ClusterStatus required)
        private
        view
        returns (Entry storage entry)
    {
        entry = _existing(clusterId);
        if (entry.status != required) revert ClusterRegistry_WrongStatus(clusterId, entry.status, required);
    }

    function _earliestEpoch(ClusterStatus status, ClusterSpec memory current, ClusterSpec calldata next)
        private
        view
        returns (uint32)
    {
        // Nobody can hold a share of a Proposed cluster, so there is nobody to give notice to.
        if (status == ClusterStatus.Proposed) return _currentEpoch() + 1;
        uint256 notice = ClusterSpecs.isLighter(current, next) ? LIGHT_NOTICE_SECONDS : SPEC_NOTICE_SECONDS;
        // The first epoch that starts when the notice is over, or later.
        return uint32(Epochs.epochAt(block.timestamp + notice + Epochs.EPOCH_SECONDS - 1));
    }

    function _currentEpoch() private view returns (uint32) {
        return uint32(Epochs.epochAt(block.timestamp));
    }

    /// @dev What is no share (no code, another answer) belongs to cluster 0, which is no cluster.
    function _clusterIdOf(address share) private view returns (ClusterId) {
        (bool ok, bytes memory answer) = share.staticcall(abi.encodeCall(IRegisteredShare.clusterId, ()));
        if (!ok || answer.length != 32) return ClusterId.wrap(0);
        uint256 id = abi.decode(answer, (uint256));
        return ClusterId.wrap(id > type(uint32).max ? 0 : uint32(id));
    }
}
