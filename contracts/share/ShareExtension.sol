// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IAuthority} from "../access/interfaces/IAuthority.sol";
import {Powers} from "../access/Powers.sol";
import {IHoldingRules} from "../compliance/interfaces/IHoldingRules.sol";
import {ClusterStatus, IClusterRegistry} from "../registry/interfaces/IClusterRegistry.sol";
import {ClusterId} from "../types/ClusterId.sol";
import {ICapitalBook} from "./interfaces/ICapitalBook.sol";
import {IClusterShare, ShareSystem} from "./interfaces/IClusterShare.sol";
import {IERC7943Fungible} from "./interfaces/IERC7943Fungible.sol";
import {Holding, IncomeWord, IncomeWordLib, SharesWord, SharesWordLib} from "./Holding.sol";
import {ShareBase} from "./ShareBase.sol";

/// @notice The half of a share's code that is used seldom: encumbrances, orders, the end. It is deployed once; every
///         ClusterShare runs it on its own storage (EIP-170 allows no contract that is large enough for both halves).
/// @dev Runs by delegatecall alone: `address(this)` is the share, and what is immutable here is of the whole system and
///      the same for all shares, which take it from here. Nothing here can be replaced.
contract ShareExtension is ShareBase {
    /// @dev Kept for the shares' constructors.
    ShareSystem private _system;

    constructor(
        IAuthority authority_,
        IClusterRegistry registry,
        IHoldingRules identities,
        address waterfall,
        IERC20Metadata stablecoin,
        address enforcement,
        address desk,
        ICapitalBook capital
    )
        ShareBase(
            "",
            "",
            ShareSystem(authority_, registry, identities, waterfall, stablecoin, enforcement, desk, capital)
        )
    {
        _system =
            ShareSystem(authority_, registry, identities, waterfall, stablecoin, enforcement, desk, capital);
    }

    modifier onlyEnforcement() {
        if (msg.sender != ENFORCEMENT) revert ClusterShare_NotEnforcement(msg.sender);
        _;
    }

    /// @notice The system around every share that runs this code.
    function system() external view returns (ShareSystem memory) {
        return _system;
    }

    function clusterId() public view override returns (ClusterId) {
        return IClusterShare(address(this)).clusterId();
    }

    // ------------------------------------------------------------------ encumbrance

    /// @dev See IERC7246.
    function encumber(address taker, uint256 amount) external {
        _pledge(msg.sender, taker, amount, 0);
    }

    /// @dev See IERC7246.
    function encumberFrom(address owner, address taker, uint256 amount) external {
        _spendAllowance(owner, msg.sender, amount);
        _pledge(owner, taker, amount, 0);
    }

    /// @dev See IClusterShare.
    function encumberUntil(address taker, uint256 amount, uint40 expiresAt) external {
        _pledgeUntil(msg.sender, taker, amount, expiresAt);
    }

    /// @dev See IClusterShare.
    function encumberFor(
        address owner,
        address taker,
        uint256 amount,
        uint40 expiresAt,
        uint256 units,
        address payee
    ) external {
        if (msg.sender != DESK) revert ClusterShare_NotTheDesk(msg.sender);
        _pledgeUntil(owner, taker, amount, expiresAt);
        if (units != 0) _assign(owner, taker, units, payee);
    }

    /// @dev See IClusterShare.
    function assignIncome(address taker, uint256 units, address payee) external {
        _checkMaySend(msg.sender);
        // Whoever has the key of a lost wallet could give its income away before it is recovered.
        if (_holdings[msg.sender].shares.frozen() == SharesWordLib.ALL) {
            revert ClusterShare_IncomeFrozen(msg.sender);
        }
        _assign(msg.sender, taker, units, payee);
    }

    /// @dev See IERC7246.
    function release(address owner, uint256 amount) external {
        uint256 limit = _encumbrances[owner][msg.sender].amount;
        _release(owner, msg.sender, amount < limit ? amount : limit);
    }

    /// @dev See IClusterShare.
    function releaseExpired(address owner, address taker) external {
        uint256 expiresAt = _encumbrances[owner][taker].expiresAt;
        if (block.timestamp < expiresAt) revert ClusterShare_EncumbranceStands(owner, taker, expiresAt);
        _release(owner, taker, _encumbrances[owner][taker].amount);
    }

    /// @notice A taker delivers what was encumbered to it, or takes more by its allowance.
    /// @dev The share comes here only for takers; everybody else's transfers are its own.
    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        if (to == address(0)) revert ERC20InvalidReceiver(to);
        _checkEncumbrancer(msg.sender);
        uint256 expiresAt = _encumbrances[from][msg.sender].expiresAt;
        if (block.timestamp >= expiresAt) {
            revert ClusterShare_EncumbranceExpired(from, msg.sender, expiresAt);
        }
        uint256 spent = _encumbrances[from][msg.sender].amount;
        if (spent > amount) spent = amount;
        _checkDelivery(from, amount, spent);
        if (amount != spent) _spendAllowance(from, msg.sender, amount - spent);
        _release(from, msg.sender, spent);
        _move(from, to, amount, Mover.Taker);
        return true;
    }

    /// @dev What is not `spent` from the taker's encumbrance must be available. Where a freeze reaches into encumbrances it
    ///      does so as an order would, newest first: a taker can deliver what that would leave it, whoever comes first.
    function _checkDelivery(address owner, uint256 amount, uint256 spent) private view {
        SharesWord shares = _holdings[owner].shares;
        uint256 balance = shares.balance();
        if (amount > balance) revert ERC20InsufficientBalance(owner, balance, amount);
        uint256 unfrozen = balance > shares.frozen() ? balance - shares.frozen() : 0;
        if (amount == spent && shares.encumbered() > unfrozen) {
            address[] storage takers = _takers[owner];
            for (uint256 i; takers[i] != msg.sender; ++i) {
                uint256 older = _encumbrances[owner][takers[i]].amount;
                unfrozen = unfrozen > older ? unfrozen - older : 0;
            }
        }
        if (amount > unfrozen) {
            revert IERC7943Fungible.ERC7943InsufficientUnfrozenBalance(owner, amount, unfrozen);
        }
        if (amount - spent > shares.available()) {
            revert ClusterShare_InsufficientAvailable(owner, shares.available(), amount - spent);
        }
    }

    function _pledgeUntil(address owner, address taker, uint256 amount, uint40 expiresAt) private {
        if (expiresAt <= block.timestamp) revert ClusterShare_ExpiryInPast(expiresAt, block.timestamp);
        _pledge(owner, taker, amount, expiresAt);
    }

    function _pledge(address owner, address taker, uint256 amount, uint256 expiresAt) private {
        if (amount == 0) revert ClusterShare_ZeroEncumbrance();
        _checkMaySend(owner);
        // What is over is not pledged again by what is new.
        if (block.timestamp >= _encumbrances[owner][taker].expiresAt) {
            _release(owner, taker, _encumbrances[owner][taker].amount);
        }
        SharesWord shares = _holdings[owner].shares;
        if (amount > shares.balance()) revert ERC20InsufficientBalance(owner, shares.balance(), amount);
        _checkAvailable(owner, shares, amount);
        _checkEncumbrancer(taker);
        _encumber(owner, taker, amount, expiresAt);
    }

    /// @dev A blocked wallet is not its investor's any more: what it pledged could not be delivered, and whom it assigned
    ///      income to would keep it after a recovery.
    function _checkMaySend(address owner) private view {
        if (!IDENTITIES.canSend(owner)) revert IERC7943Fungible.ERC7943CannotSend(owner);
    }

    function _checkEncumbrancer(address taker) private view {
        // A delay of the role is one of calls that the Authority guards; none of the share's is.
        // slither-disable-next-line unused-return
        (bool isTaker,) = IAuthority(authority()).hasRole(Powers.ENCUMBRANCER_ROLE, taker);
        if (!isTaker) revert ClusterShare_NotAnEncumbrancer(taker);
    }

    // ------------------------------------------------------------------ orders

    /// @dev See IERC7943Fungible.
    function setFrozenTokens(address account, uint256 amount) external onlyEnforcement returns (bool) {
        if (amount > SharesWordLib.ALL) amount = SharesWordLib.ALL;
        _setFrozen(account, amount);
        return true;
    }

    /// @dev See IERC7943Fungible.
    function forcedTransfer(address from, address to, uint256 amount)
        external
        onlyEnforcement
        returns (bool)
    {
        if (from == to || to == address(0)) {
            revert IERC7943Fungible.ERC7943CannotTransfer(from, to, amount);
        }
        SharesWord shares = _holdings[from].shares;
        if (amount > shares.balance()) revert ERC20InsufficientBalance(from, shares.balance(), amount);
        uint256 frozen = shares.frozen();
        if (amount > frozen) revert ClusterShare_NotFrozen(from, frozen, amount);
        _setFrozen(from, frozen == SharesWordLib.ALL ? frozen : frozen - amount);
        uint256 rest = shares.balance() - amount;
        if (shares.encumbered() > rest) _releaseNewest(from, shares.encumbered() - rest);
        _move(from, to, amount, Mover.Order);
        emit IERC7943Fungible.ForcedTransfer(from, to, amount);
        return true;
    }

    /// @dev See IClusterShare.
    function recover(address lost, address replacement) external onlyEnforcement {
        uint256 index = _currentIndex();
        Holding memory from = _holdings[lost];
        Holding memory to = _holdings[replacement];
        if (
            lost == address(0) || replacement == address(0) || replacement == address(this)
                || lost == replacement || from.income.has(IncomeWordLib.RECOVERED)
                || to.income.has(IncomeWordLib.RECOVERED) || to.shares.encumbered() != 0
        ) revert ClusterShare_CannotRecover(lost, replacement);
        uint256 balance = from.shares.balance();
        if (from.shares.frozen() != SharesWordLib.ALL) {
            revert ClusterShare_NotFrozen(lost, from.shares.frozen(), SharesWordLib.ALL);
        }
        if (_index.closed) _settleCapital(lost, replacement, Mover.Order);
        IDENTITIES.beforeMove(lost, replacement, balance, balance, to.shares.balance(), true);

        from.income = _settled(lost, from.shares, from.income, index);
        to.income = _settled(replacement, to.shares, to.income, index);
        uint256 encumbered = from.shares.encumbered();
        uint256 earned = from.income.earned();
        _moveEncumbrances(lost, replacement, index);
        _transferVotingUnits(lost, replacement, balance);
        if (from.income.has(IncomeWordLib.HAS_PAYEE)) {
            emit PayeeChanged(lost, _payees[lost], lost);
            delete _payees[lost];
        }
        _holdings[replacement] = Holding({
            shares: to.shares.plusBalance(balance).plusEncumbered(encumbered)
                .plusClaimed(from.shares.claimedUsd6()),
            income: to.income.plusEarned(earned)
                .with(IncomeWordLib.ASSIGNS, from.income.has(IncomeWordLib.ASSIGNS))
        });
        _holdings[lost] = Holding({
            shares: SharesWord.wrap(0), income: IncomeWord.wrap(0).with(IncomeWordLib.RECOVERED, true)
        });
        _successors[lost] = replacement;
        emit Transfer(lost, replacement, balance);
        emit IERC7943Fungible.Frozen(lost, 0);
        _setFrozen(replacement, SharesWordLib.ALL);
        emit HolderRecovered(lost, replacement, balance, encumbered, earned);
        // Without units by now: it is the delegate's name alone that goes.
        if (from.income.has(IncomeWordLib.DELEGATED)) super._delegate(lost, address(0));
    }

    function _setFrozen(address account, uint256 amount) private {
        _holdings[account].shares = _holdings[account].shares.withFrozen(amount);
        emit IERC7943Fungible.Frozen(account, amount);
    }

    /// @dev See IClusterShare.
    function closeBooks() external {
        if (REGISTRY.statusOf(clusterId()) != ClusterStatus.Retired) {
            revert ClusterShare_NotRetired(clusterId());
        }
        if (_index.closed) revert ClusterShare_BooksClosed(clusterId());
        _index.closed = true;
        emit BooksClosed(totalSupply());
    }
}
