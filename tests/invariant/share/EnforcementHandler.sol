// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Powers} from "../../../contracts/access/Powers.sol";
import {IHoldingRules} from "../../../contracts/compliance/interfaces/IHoldingRules.sol";
import {Attestation, IIdentityRegistry} from "../../../contracts/compliance/interfaces/IIdentityRegistry.sol";
import {
    Cluster,
    ClusterStatus,
    IClusterRegistry
} from "../../../contracts/registry/interfaces/IClusterRegistry.sol";
import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {Enforcement} from "../../../contracts/share/Enforcement.sol";
import {Freeze, Order, OrderKind, OrderStatus} from "../../../contracts/share/interfaces/IEnforcement.sol";
import {ClusterId} from "../../../contracts/types/ClusterId.sol";
import {vm} from "../Vm.sol";
import {deployShare, OpenDoor, ShareFixture} from "./ShareFixture.sol";

/// @notice A registry of one cluster in Funding, whose share is told to it.
contract OneCluster {
    address private _share;

    function register(address share) external {
        _share = share;
    }

    function statusOf(ClusterId) external pure returns (ClusterStatus) {
        return ClusterStatus.Funding;
    }

    function cluster(ClusterId) external view returns (Cluster memory) {
        return Cluster(ClusterStatus.Funding, 0, 0, uint64(type(int64).max), _share);
    }
}

/// @notice Wallets that all belong to one investor, and may be blocked.
contract OneInvestor is OpenDoor {
    function attestationOf(address wallet) external pure returns (Attestation memory attestation) {
        (attestation.wallet, attestation.investorId) = (wallet, bytes16(uint128(1)));
    }

    function blockWallet(address wallet) external {
        isBlocked[wallet] = true;
    }
}

/// @notice Both offices of a cluster, its holders and strangers, each doing whatever they may or may not, in any order.
/// @dev What is refused is refused: an act that goes through is held against what this folder's README says of it.
contract EnforcementHandler is ShareFixture {
    address private constant AGENT = address(0xA9E27);
    address private constant TRUSTEE = address(0x72057EE);
    uint256 private constant ALL = type(uint64).max;
    uint256 private constant DAYS_30 = 30 days;
    uint256 private constant WALLETS = 5;
    ClusterId private constant CLUSTER = ClusterId.wrap(1);
    bytes32 private constant DOCUMENT = "document";

    Enforcement public immutable ENFORCEMENT;
    ClusterShare public immutable SHARE;

    address[] private _wallets;
    OneInvestor private _identities;

    /// @dev When the freeze of a wallet began to be more than what is confirmed; 0 while it is not.
    mapping(address wallet => uint256) private _aloneSince;
    /// @dev From when the agent may freeze a wallet again.
    mapping(address wallet => uint256) private _aloneFrom;
    mapping(uint256 orderId => uint256) private _proposedAt;
    mapping(uint256 orderId => bool) private _isConfirmed;

    constructor() {
        _open();
        OneCluster registry = new OneCluster();
        _identities = new OneInvestor();
        ENFORCEMENT = new Enforcement(
            authority, IClusterRegistry(address(registry)), IIdentityRegistry(address(_identities))
        );
        SHARE = deployShare(
            authority,
            IClusterRegistry(address(registry)),
            IHoldingRules(address(_identities)),
            address(this),
            IERC20Metadata(address(usd)),
            address(ENFORCEMENT)
        );
        registry.register(address(SHARE));
        authority.grantRole(Powers.REGISTRAR_ROLE, address(this), 0);
        authority.grantRole(Powers.over(Powers.TRUSTEE, CLUSTER), TRUSTEE, 0);
        authority.grantRole(Powers.over(Powers.TRANSFER_AGENT, CLUSTER), AGENT, 0);
        for (uint256 i; i < WALLETS; ++i) {
            _newWallet();
        }
    }

    function _newWallet() private returns (address wallet) {
        wallet = address(uint160(0x3A11E7 + _wallets.length));
        _wallets.push(wallet);
        _issue(SHARE, wallet, 1e6);
    }

    // ------------------------------------------------------------------ freezes

    function wait(uint256 seed) external {
        _warp(time + (seed % 3 == 0 ? _bound(seed >> 8, 1, 1 hours) : _bound(seed >> 8, 1, 20 days)));
    }

    /// @dev Raises, at once, and never the time; nothing while the agent has to wait (E3).
    function freeze(uint256 by, uint256 who, uint256 amount) external {
        (address caller, address wallet) = (_caller(by, AGENT), _wallet(who));
        Freeze memory before = _freezeOf(wallet);
        amount = amount % 4 == 0 ? ALL : before.amount == ALL ? ALL : _bound(amount, 0, 2e6);
        if (!_do(caller, abi.encodeCall(ENFORCEMENT.freeze, (CLUSTER, wallet, amount, DOCUMENT)))) return;

        Freeze memory afterwards = _freezeOf(wallet);
        require(caller == AGENT, "E2: another froze");
        require(afterwards.amount == amount && amount > before.amount, "E1: a freeze that does not raise");
        require(afterwards.confirmedAmount == before.confirmedAmount, "E2: the agent confirmed");
        if (before.amount == before.confirmedAmount) {
            require(time >= _aloneFrom[wallet], "E3: the agent did not wait");
            _aloneSince[wallet] = time;
        } else {
            require(time < before.expiresAt, "E3: an overdue freeze was raised");
        }
    }

    function confirmFreeze(uint256 by, uint256 who, uint256 amount) external {
        (address caller, address wallet) = (_caller(by, TRUSTEE), _wallet(who));
        Freeze memory before = _freezeOf(wallet);
        amount = amount % 2 == 0 ? before.amount : _bound(amount, 0, 2e6);
        if (!_do(caller, abi.encodeCall(ENFORCEMENT.confirmFreeze, (CLUSTER, wallet, amount)))) return;

        require(caller == TRUSTEE, "E2: another confirmed");
        Freeze memory afterwards = _freezeOf(wallet);
        require(afterwards.amount == before.amount, "E1: a confirmation moved the freeze");
        require(afterwards.confirmedAmount == amount, "E2: another amount was confirmed");
        if (amount == before.amount) _aloneSince[wallet] = 0;
    }

    function unfreeze(uint256 by, uint256 who, uint256 amount) external {
        (address caller, address wallet) = (_caller(by, by % 16 < 8 ? AGENT : TRUSTEE), _wallet(who));
        Freeze memory before = _freezeOf(wallet);
        amount = amount % 3 == 0 ? before.confirmedAmount : _bound(amount, 0, 2e6);
        if (!_do(caller, abi.encodeCall(ENFORCEMENT.unfreeze, (CLUSTER, wallet, amount)))) return;

        require(amount < before.amount, "E1: lifting did not lower");
        require(
            caller == TRUSTEE || (caller == AGENT && amount >= before.confirmedAmount),
            "E2: what was confirmed was lifted by another"
        );
        _follow(wallet, before, amount);
    }

    function lapse(uint256 by, uint256 who) external {
        address wallet = _wallet(who);
        Freeze memory before = _freezeOf(wallet);
        if (!_do(_caller(by, AGENT), abi.encodeCall(ENFORCEMENT.lapseFreeze, (CLUSTER, wallet)))) {
            // Whoever is held beyond the time can end it (E3).
            bool isOverdue = _aloneSince[wallet] != 0 && time >= _aloneSince[wallet] + DAYS_30;
            require(!isOverdue, "E3: held longer than the agent may");
            return;
        }
        _follow(wallet, before, before.confirmedAmount);
    }

    function waive(uint256 by, uint256 who) external {
        (address caller, address wallet) = (_caller(by, TRUSTEE), _wallet(who));
        if (!_do(caller, abi.encodeCall(ENFORCEMENT.waiveCooldown, (CLUSTER, wallet)))) return;
        require(caller == TRUSTEE, "E2: another waived the cooldown");
        _aloneFrom[wallet] = 0;
    }

    function freezeBlocked(uint256 by, uint256 who) external {
        address wallet = _wallet(who);
        Freeze memory before = _freezeOf(wallet);
        if (!_do(_caller(by, AGENT), abi.encodeCall(ENFORCEMENT.freezeBlocked, (CLUSTER, wallet)))) return;
        require(_identities.isBlocked(wallet), "E4: a wallet that is not blocked was held");
        require(!before.heldAsBlocked && SHARE.successorOf(wallet) == address(0), "E4: held again");
        require(_freezeOf(wallet).confirmedAmount == ALL, "E4: a blocked wallet is not held for good");
        _aloneSince[wallet] = 0;
    }

    /// @dev As another cluster's recovery does.
    function blockWallet(uint256 who) external {
        if (who % 8 != 0) return;
        _identities.blockWallet(_wallet(who >> 8));
        _newWallet();
    }

    function transfer(uint256 from, uint256 to, uint256 amount) external {
        (address sender, address receiver) = (_wallet(from), _wallet(to));
        uint256 available = SHARE.availableBalanceOf(sender);
        if (!SHARE.canSend(sender) || !SHARE.canReceive(receiver)) return;
        _transfer(SHARE, sender, receiver, _bound(amount, 0, available));
    }

    // ------------------------------------------------------------------ orders

    function propose(uint256 by, uint256 who, uint256 to, uint256 amount) external {
        (address caller, address owner, address receiver) = (_caller(by, AGENT), _wallet(who), _wallet(to));
        bool isRecovery = amount % 3 == 0;
        bytes memory data = isRecovery
            ? abi.encodeCall(ENFORCEMENT.proposeRecovery, (CLUSTER, owner, receiver, DOCUMENT))
            : abi.encodeCall(
                ENFORCEMENT.proposeForcedTransfer,
                (CLUSTER, owner, receiver, _bound(amount, 1, SHARE.balanceOf(owner) + 1), DOCUMENT)
            );
        if (!_do(caller, data)) return;
        require(caller == AGENT, "E5: another proposed");
        _proposedAt[ENFORCEMENT.orderCount()] = time;
    }

    function confirm(uint256 by, uint256 which) external {
        (address caller, uint256 orderId) = (_caller(by, TRUSTEE), _order(which));
        if (!_do(caller, abi.encodeCall(ENFORCEMENT.confirmOrder, (orderId)))) return;
        require(caller == TRUSTEE, "E5: another confirmed an order");
        _isConfirmed[orderId] = true;
    }

    function cancel(uint256 by, uint256 which) external {
        if (which % 8 != 0) return;
        (address caller, uint256 orderId) = (_caller(by, by % 16 < 8 ? AGENT : TRUSTEE), _order(which >> 8));
        if (!_do(caller, abi.encodeCall(ENFORCEMENT.cancelOrder, (orderId)))) return;
        require(caller == AGENT || caller == TRUSTEE, "E5: neither office cancelled");
        _isConfirmed[orderId] = false;
    }

    /// @dev What an order lacks is brought to it, mostly: a signature, time, a freeze.
    function ripen(uint256 seed, uint256 which) external {
        uint256 orderId = _order(which);
        if (orderId == 0) return;
        Order memory order = ENFORCEMENT.order(orderId);
        if (seed % 8 != 0 && order.status == OrderStatus.Proposed) this.confirm(0, which);
        // As much as the order needs, or everything.
        if (seed % 8 != 1) this.freeze(0, _placeOf(order.owner), seed % 2 == 0 ? 0 : order.amount);
        if (time < order.executableAt) _warp(order.executableAt - (seed % 8 == 2 ? 1 : 0));
        this.execute(seed >> 8, which);
    }

    /// @dev Nothing moves without both signatures, the delay, and a freeze; and what is confirmed goes last (E5, E6).
    function execute(uint256 by, uint256 which) external {
        uint256 orderId = _order(which);
        if (orderId == 0) return;
        Order memory order = ENFORCEMENT.order(orderId);
        (Freeze memory before, Freeze memory other) = (_freezeOf(order.owner), _freezeOf(order.to));
        uint256 balance = SHARE.balanceOf(order.owner);
        if (!_do(_caller(by, AGENT), abi.encodeCall(ENFORCEMENT.executeOrder, (orderId)))) return;

        uint256 delay = order.kind == OrderKind.Recovery ? 14 days : 7 days;
        uint256 proposedAt = _proposedAt[orderId];
        require(_isConfirmed[orderId], "E5: without the trustee");
        require(time >= proposedAt + delay && time < proposedAt + delay + 90 days, "E5: not in its time");
        _isConfirmed[orderId] = false;
        if (order.kind == OrderKind.Recovery) {
            require(before.amount == ALL, "E5: a wallet was recovered that was not frozen whole");
            _checkRecovered(order, before, other, balance);
        } else {
            require(before.amount >= order.amount, "E5: shares moved that were not frozen");
            require(SHARE.balanceOf(order.owner) == balance - order.amount, "E5: another amount moved");
            _follow(order.owner, before, before.amount == ALL ? ALL : before.amount - order.amount);
        }
    }

    function _checkRecovered(Order memory order, Freeze memory before, Freeze memory other, uint256 balance)
        private
    {
        Freeze memory afterwards = _freezeOf(order.to);
        uint256 confirmed = uint256(before.confirmedAmount) + other.confirmedAmount;
        if (confirmed > ALL) confirmed = ALL;
        require(SHARE.balanceOf(order.owner) == 0 && SHARE.balanceOf(order.to) >= balance, "E6: left behind");
        require(afterwards.amount == ALL && afterwards.confirmedAmount == confirmed, "E6: other terms");
        require(!SHARE.canSend(order.owner), "E6: a lost wallet may send");
        Freeze memory nothing;
        require(
            keccak256(abi.encode(_freezeOf(order.owner))) == keccak256(abi.encode(nothing)),
            "E6: the freeze stayed behind"
        );
        (uint256 since, uint256 own) = (_aloneSince[order.owner], _aloneSince[order.to]);
        _aloneSince[order.to] = confirmed == ALL ? 0 : since > own ? since : own;
        if (_aloneFrom[order.owner] > _aloneFrom[order.to]) _aloneFrom[order.to] = _aloneFrom[order.owner];
        (_aloneSince[order.owner], _aloneFrom[order.owner]) = (0, 0);
        _newWallet();
    }

    /// @dev A freeze fell to `amount`: of what was confirmed as much is left as can be.
    function _follow(address wallet, Freeze memory before, uint256 amount) private {
        Freeze memory afterwards = _freezeOf(wallet);
        uint256 confirmed = amount < before.confirmedAmount ? amount : before.confirmedAmount;
        require(afterwards.amount == amount, "E1: the freeze fell to something else");
        require(afterwards.confirmedAmount == confirmed, "E2: what is confirmed did not go last");
        if (before.amount > before.confirmedAmount && amount == confirmed) {
            (_aloneSince[wallet], _aloneFrom[wallet]) = (0, time + DAYS_30);
        }
    }

    // ------------------------------------------------------------------ always

    /// @dev E1 and E3 of every wallet.
    function check() external view {
        for (uint256 i; i < _wallets.length; ++i) {
            address wallet = _wallets[i];
            Freeze memory found = _freezeOf(wallet);
            require(found.amount == SHARE.getFrozenTokens(wallet), "E1: record and share disagree");
            require(found.confirmedAmount <= found.amount, "E1: more is confirmed than frozen");
            bool isAlone = found.amount > found.confirmedAmount;
            require((found.expiresAt != 0) == isAlone, "E1: an expiry without its freeze");
            require((_aloneSince[wallet] != 0) == isAlone, "E2: another confirmed or froze");
            require(!isAlone || found.expiresAt == _aloneSince[wallet] + DAYS_30, "E3: another expiry");
        }
    }

    function _freezeOf(address wallet) private view returns (Freeze memory) {
        return ENFORCEMENT.freezeOf(CLUSTER, wallet);
    }

    function _do(address caller, bytes memory data) private returns (bool done) {
        vm.prank(caller);
        (done,) = address(ENFORCEMENT).call(data);
    }

    /// @dev Mostly who may; else the other office or a holder.
    function _caller(uint256 seed, address office) private view returns (address) {
        if (seed % 8 == 7) return _wallet(seed >> 8);
        if (seed % 8 == 6) return office == AGENT ? TRUSTEE : AGENT;
        return office;
    }

    /// @dev Of the newest: the older ones are lost or blocked by and by.
    function _wallet(uint256 seed) private view returns (address) {
        return _wallets[_wallets.length - 1 - seed % WALLETS];
    }

    /// @dev A seed of which `_wallet` makes it, as long as it is one of the newest.
    function _placeOf(address wallet) private view returns (uint256 place) {
        while (place < WALLETS && _wallet(place) != wallet) ++place;
    }

    function _order(uint256 seed) private view returns (uint256) {
        uint256 count = ENFORCEMENT.orderCount();
        return count == 0 ? 0 : _bound(seed, count > 4 ? count - 3 : 1, count);
    }
}
