// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Authority} from "../../../contracts/access/Authority.sol";
import {Powers} from "../../../contracts/access/Powers.sol";
import {IHoldingRules, Refusal} from "../../../contracts/compliance/interfaces/IHoldingRules.sol";
import {TestUsd} from "../../../contracts/mocks/TestUsd.sol";
import {
    Cluster,
    ClusterStatus,
    IClusterRegistry
} from "../../../contracts/registry/interfaces/IClusterRegistry.sol";
import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {ShareExtension} from "../../../contracts/share/ShareExtension.sol";
import {ICapitalBook} from "../../../contracts/share/interfaces/ICapitalBook.sol";
import {AccountState, StreamState} from "../../../contracts/share/interfaces/IClusterShare.sol";
import {IERC7943Fungible} from "../../../contracts/share/interfaces/IERC7943Fungible.sol";
import {ClusterId} from "../../../contracts/types/ClusterId.sol";
import {vm} from "../Vm.sol";

/// @notice A registry of one cluster that stays in Funding, so that shares can be issued at any time.
contract FundingForever {
    function statusOf(ClusterId) external pure returns (ClusterStatus) {
        return ClusterStatus.Funding;
    }

    function cluster(ClusterId) external pure returns (Cluster memory) {
        return Cluster(ClusterStatus.Funding, 0, 0, uint64(type(int64).max), address(0));
    }
}

/// @notice Holding rules that admit everybody but whom a test shuts out.
contract OpenDoor {
    mapping(address account => bool) public isShutOut;

    function shutOut(address account) external {
        isShutOut[account] = true;
    }

    function canReceive(address account) public view returns (bool) {
        return !isShutOut[account];
    }

    function canSend(address) external pure returns (bool) {
        return true;
    }

    function beforeMove(address, address to, uint256, uint256, uint256, bool) external view {
        if (!canReceive(to)) revert IERC7943Fungible.ERC7943CannotReceive(to);
    }

    function refusalOf(address, address, address to, uint256, uint256, uint256)
        external
        view
        returns (Refusal, uint256)
    {
        return (canReceive(to) ? Refusal.None : Refusal.ReceiverNotAttested, 0);
    }
}

/// @notice A capital book that writes nothing.
contract NoCapital {
    function settle(ClusterId, address) external {}
}

/// @notice The one place where forge's tests construct a share, of cluster 1; the caller enforces, and is the desk.
function deployShare(
    Authority authority,
    IClusterRegistry registry,
    IHoldingRules identities,
    address waterfall,
    IERC20Metadata stablecoin,
    address enforcement
) returns (ClusterShare) {
    ShareExtension extension = new ShareExtension(
        authority,
        registry,
        identities,
        waterfall,
        stablecoin,
        enforcement,
        enforcement,
        ICapitalBook(address(new NoCapital()))
    );
    return new ClusterShare("Share", "SHARE", ClusterId.wrap(1), extension);
}

/// @notice Shares without the rest of the house: whoever inherits is issuer and waterfall at once.
abstract contract ShareFixture {
    uint256 internal constant SCALE = 2 ** 72;
    uint256 internal constant BOUNDARY = 4 hours;
    uint256 internal constant STREAM = 1 days;
    /// @dev A boundary, so that tests place themselves relative to it.
    uint256 internal constant START = 1_800_000_000 / BOUNDARY * BOUNDARY;

    TestUsd internal usd;
    Authority internal authority;
    OpenDoor internal door;

    /// @dev Unix time, kept by the test: the compiler may take `block.timestamp` for constant within a call.
    uint256 internal time;

    function _open() internal {
        usd = new TestUsd();
        authority = new Authority(address(this));
        authority.grantRole(Powers.CLUSTER_REGISTRY_ROLE, address(this), 0);
        authority.grantRole(Powers.over(Powers.ISSUER, ClusterId.wrap(1)), address(this), 0);
        door = new OpenDoor();
        _warp(START);
    }

    function _newShare() internal returns (ClusterShare share) {
        share = deployShare(
            authority,
            IClusterRegistry(address(new FundingForever())),
            IHoldingRules(address(door)),
            address(this),
            IERC20Metadata(address(usd)),
            address(this)
        );
        usd.approve(address(share), type(uint256).max);
    }

    function _warp(uint256 to) internal {
        time = to;
        vm.warp(to);
    }

    function _issue(ClusterShare share, address holder, uint256 amount) internal {
        address[] memory holders = new address[](1);
        uint256[] memory amounts = new uint256[](1);
        (holders[0], amounts[0]) = (holder, amount);
        share.issue(holders, amounts);
    }

    function _fund(ClusterShare share, uint256 amountUsd6) internal {
        usd.mint(address(this), amountUsd6);
        share.fund(amountUsd6);
    }

    function _transfer(ClusterShare share, address from, address to, uint256 amount) internal {
        vm.prank(from);
        share.transfer(to, amount);
    }

    /// @dev `value` brought into [low, high].
    function _bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + value % (high - low + 1);
    }
}
