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

/// @notice A registry of one cluster that stays in Funding until it is retired, so that shares can be issued at any time.
contract FundingForever {
    ClusterStatus private _status = ClusterStatus.Funding;

    function retire() external {
        _status = ClusterStatus.Retired;
    }

    function statusOf(ClusterId) external view returns (ClusterStatus) {
        return _status;
    }

    function cluster(ClusterId) external view returns (Cluster memory) {
        return Cluster(_status, 0, 0, uint64(type(int64).max), address(0));
    }
}

/// @notice Holding rules that admit everybody but whom a test shuts out, and let everybody send but whom it blocks.
contract OpenDoor {
    mapping(address account => bool) public isShutOut;
    mapping(address account => bool) public isBlocked;

    function shutOut(address account) external {
        isShutOut[account] = true;
    }

    function block_(address account) external {
        isBlocked[account] = true;
    }

    function canReceive(address account) public view returns (bool) {
        return !isShutOut[account] && !isBlocked[account];
    }

    function canSend(address account) public view returns (bool) {
        return !isBlocked[account];
    }

    function beforeMove(address from, address to, uint256, uint256, uint256, bool forced) external view {
        if (!forced && !canSend(from)) revert IERC7943Fungible.ERC7943CannotSend(from);
        if (!canReceive(to)) revert IERC7943Fungible.ERC7943CannotReceive(to);
    }

    function refusalOf(address, address from, address to, uint256, uint256, uint256)
        external
        view
        returns (Refusal, uint256)
    {
        if (!canSend(from)) return (Refusal.SenderBlocked, 0);
        return (canReceive(to) ? Refusal.None : Refusal.ReceiverNotAttested, 0);
    }
}

/// @notice A capital book that divides nothing, and remembers whom it was told of and what they held then.
contract NoCapital {
    mapping(address owner => bool) private _told;
    mapping(address owner => uint256) private _held;

    function settle(ClusterId, address owner) external {
        (_told[owner], _held[owner]) = (true, IERC20Metadata(msg.sender).balanceOf(owner));
    }

    function forget(address owner) external {
        _told[owner] = false;
    }

    function wasTold(address owner, uint256 held) external view returns (bool) {
        return _told[owner] && _held[owner] == held;
    }
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
    FundingForever internal cluster;

    /// @dev Unix time, kept by the test: the compiler may take `block.timestamp` for constant within a call.
    uint256 internal time;

    function _open() internal {
        usd = new TestUsd();
        authority = new Authority(address(this));
        authority.grantRole(Powers.CLUSTER_REGISTRY_ROLE, address(this), 0);
        authority.grantRole(Powers.over(Powers.ISSUER, ClusterId.wrap(1)), address(this), 0);
        door = new OpenDoor();
        cluster = new FundingForever();
        _warp(START);
    }

    function _newShare() internal returns (ClusterShare share) {
        share = deployShare(
            authority,
            IClusterRegistry(address(cluster)),
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
