// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Authority} from "../../../contracts/access/Authority.sol";
import {Powers} from "../../../contracts/access/Powers.sol";
import {IHoldingRules} from "../../../contracts/compliance/interfaces/IHoldingRules.sol";
import {TestUsd} from "../../../contracts/mocks/TestUsd.sol";
import {
    Cluster,
    ClusterStatus,
    IClusterRegistry
} from "../../../contracts/registry/interfaces/IClusterRegistry.sol";
import {CapitalProceeds} from "../../../contracts/revenue/CapitalProceeds.sol";
import {ProceedsKind} from "../../../contracts/revenue/interfaces/ICapitalProceeds.sol";
import {IWaterfall} from "../../../contracts/revenue/interfaces/IWaterfall.sol";
import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {ShareExtension} from "../../../contracts/share/ShareExtension.sol";
import {ClusterId} from "../../../contracts/types/ClusterId.sol";
import {OpenDoor} from "../share/ShareFixture.sol";
import {vm} from "../Vm.sol";

/// @notice Clusters whose status and share the test sets.
contract RegistryStub {
    mapping(ClusterId => Cluster) private _clusters;

    function set(ClusterId clusterId, ClusterStatus status, address share) external {
        _clusters[clusterId] = Cluster(status, 0, 0, uint64(type(int64).max), share);
    }

    function statusOf(ClusterId clusterId) external view returns (ClusterStatus) {
        return _clusters[clusterId].status;
    }

    function cluster(ClusterId clusterId) external view returns (Cluster memory) {
        return _clusters[clusterId];
    }
}

/// @notice Clusters with real shares and their capital proceeds. Whoever inherits is issuer, enforcement, taker of
///         encumbrances, payer, and a waterfall of no tranches.
abstract contract CapitalFixture {
    uint256 internal constant SCALE = 2 ** 72;
    uint256 internal constant ALL = type(uint64).max;

    TestUsd internal usd;
    Authority internal authority;
    RegistryStub internal registry;
    CapitalProceeds internal capital;
    ShareExtension internal extension;

    function _open() internal {
        vm.warp(1_800_000_000);
        usd = new TestUsd();
        authority = new Authority(address(this));
        authority.grantRole(Powers.CLUSTER_REGISTRY_ROLE, address(this), 0);
        authority.grantRole(Powers.ENCUMBRANCER_ROLE, address(this), 0);
        registry = new RegistryStub();
        capital = new CapitalProceeds(
            IClusterRegistry(address(registry)), IWaterfall(address(this)), IERC20Metadata(address(usd))
        );
        extension = new ShareExtension(
            authority,
            IClusterRegistry(address(registry)),
            IHoldingRules(address(new OpenDoor())),
            address(this),
            IERC20Metadata(address(usd)),
            address(this),
            address(this),
            capital
        );
        usd.approve(address(capital), type(uint256).max);
    }

    /// @dev What the waterfall says of a cluster without lenders.
    function tranches(ClusterId)
        external
        pure
        returns (address[] memory, uint256[] memory, uint256[] memory)
    {}

    function _newShare(ClusterId clusterId, address[] memory holders, uint256[] memory amounts)
        internal
        returns (ClusterShare share)
    {
        share = new ClusterShare("Share", "SHARE", clusterId, extension);
        authority.grantRole(Powers.over(Powers.ISSUER, clusterId), address(this), 0);
        registry.set(clusterId, ClusterStatus.Funding, address(share));
        share.issue(holders, amounts);
    }

    function _retire(ClusterShare share) internal {
        registry.set(share.clusterId(), ClusterStatus.Retired, address(share));
    }

    function _deposit(ClusterId clusterId, uint256 amountUsd6) internal {
        usd.mint(address(this), amountUsd6);
        capital.depositProceeds(clusterId, amountUsd6, ProceedsKind.Sale, bytes32(0));
    }

    /// @dev `value` brought into [low, high].
    function _bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + value % (high - low + 1);
    }
}
