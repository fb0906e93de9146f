// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Votes} from "@openzeppelin/contracts/governance/utils/Votes.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Authorised} from "../access/Authorised.sol";
import {IHoldingRules} from "../compliance/interfaces/IHoldingRules.sol";
import {IClusterRegistry} from "../registry/interfaces/IClusterRegistry.sol";
import {ClusterId} from "../types/ClusterId.sol";
import {ICapitalBook} from "./interfaces/ICapitalBook.sol";
import {ShareSystem} from "./interfaces/IClusterShare.sol";
import {IERC7943Fungible} from "./interfaces/IERC7943Fungible.sol";
import {Encumbrances} from "./Encumbrances.sol";
import {Holding, IncomeWord, IncomeWordLib, SharesWord} from "./Holding.sol";

/// @notice What the two halves of a share's code have in common: its storage, the system around it, and how shares move.
/// @dev Balances live in this contract's own two words a holder instead of OpenZeppelin's mapping, so that a transfer
///      writes four slots, no more: `_update`, `balanceOf` and `totalSupply` are replaced, everything built upon them
///      (ERC-20, permits, votes) is OpenZeppelin's. All storage is here or below, so that both halves lay it out alike.
abstract contract ShareBase is ERC20, ERC20Permit, Votes, Authorised, ReentrancyGuardTransient, Encumbrances {
    /// @dev Who moves shares, which decides what is asked of the sender.
    enum Mover {
        Owner,
        Taker,
        Order
    }

    IERC20 public immutable STABLECOIN;
    IClusterRegistry public immutable REGISTRY;
    IHoldingRules public immutable IDENTITIES;
    address public immutable WATERFALL;
    address public immutable ENFORCEMENT;
    address public immutable DESK;
    ICapitalBook public immutable CAPITAL;

    mapping(address owner => address) internal _payees;
    mapping(address lost => address replacement) internal _successors;

    constructor(string memory name_, string memory symbol_, ShareSystem memory system)
        ERC20(name_, symbol_)
        ERC20Permit(name_)
        Authorised(system.authority)
    {
        STABLECOIN = IERC20(address(system.stablecoin));
        REGISTRY = system.registry;
        IDENTITIES = system.identities;
        WATERFALL = system.waterfall;
        ENFORCEMENT = system.enforcement;
        DESK = system.desk;
        CAPITAL = system.capital;
    }

    function clusterId() public view virtual returns (ClusterId);

    /// @inheritdoc ERC20
    function _update(address from, address to, uint256 amount) internal override {
        _move(from, to, amount, Mover.Owner);
    }

    /// @dev Settles and moves. Calls the holding rules and, on closed books, the capital book; moves no stablecoin.
    function _move(address from, address to, uint256 amount, Mover mover) internal {
        // Read before the supply changes: what then moves the index is the carried remainder, and belongs to those who
        // hold after the change.
        uint256 index = _currentIndex();
        if (_index.closed) _settleCapital(from, to, mover);
        // The share itself could never hand on what it earned, whoever admits it.
        if (to == address(this)) revert IERC7943Fungible.ERC7943CannotReceive(to);
        Holding storage sender = _holdings[from];
        Holding storage receiver = _holdings[to];
        SharesWord shares;
        if (from != address(0)) {
            shares = sender.shares;
            if (amount > shares.balance()) revert ERC20InsufficientBalance(from, shares.balance(), amount);
            // Of what a taker or an order moves, more was checked before.
            if (mover == Mover.Owner) _checkAvailable(from, shares, amount);
        }
        IDENTITIES.beforeMove(
            from, to, amount, shares.balance(), receiver.shares.balance(), mover == Mover.Order
        );
        uint256 flags;
        if (from == address(0)) {
            _setStreamSupply(totalSupply() + amount);
        } else {
            IncomeWord income = _settled(from, shares, sender.income, index);
            sender.income = income;
            sender.shares = shares.minusBalance(amount);
            flags = IncomeWord.unwrap(income);
        }
        if (to == address(0)) {
            _setStreamSupply(totalSupply() - amount);
        } else {
            // Read after the sender was written: the two may be one.
            shares = receiver.shares;
            IncomeWord income = _settled(to, shares, receiver.income, index);
            receiver.income = income;
            receiver.shares = shares.plusBalance(amount);
            flags |= IncomeWord.unwrap(income);
        }
        emit Transfer(from, to, amount);
        // Two reads saved where neither side delegates; minting and burning also move the votes' total supply.
        if (from == address(0) || to == address(0) || flags & IncomeWordLib.DELEGATED != 0) {
            _transferVotingUnits(from, to, amount);
        }
    }

    /// @dev What is frozen is said first: it outranks what is encumbered.
    function _checkAvailable(address owner, SharesWord shares, uint256 amount) internal pure {
        uint256 available = shares.available();
        if (amount <= available) return;
        uint256 unfrozen = shares.balance() > shares.frozen() ? shares.balance() - shares.frozen() : 0;
        if (amount <= shares.balance() && amount > unfrozen) {
            revert IERC7943Fungible.ERC7943InsufficientUnfrozenBalance(owner, amount, unfrozen);
        }
        revert ClusterShare_InsufficientAvailable(owner, available, amount);
    }

    function _settleCapital(address from, address to, Mover mover) internal {
        if (mover == Mover.Owner) revert ClusterShare_BooksClosed(clusterId());
        CAPITAL.settle(clusterId(), from);
        CAPITAL.settle(clusterId(), to);
    }

    /// @inheritdoc ERC20
    /// @dev None of a recovered wallet, whatever it allowed before or signs afterwards.
    function allowance(address owner, address spender) public view override returns (uint256) {
        if (_holdings[owner].income.has(IncomeWordLib.RECOVERED)) return 0;
        return super.allowance(owner, spender);
    }

    /// @inheritdoc Votes
    function _delegate(address account, address delegatee) internal override {
        Holding storage holding = _holdings[account];
        holding.income = holding.income.with(IncomeWordLib.DELEGATED, delegatee != address(0));
        super._delegate(account, delegatee);
    }

    function _getVotingUnits(address account) internal view override returns (uint256) {
        return balanceOf(account);
    }

    /// @inheritdoc ERC20
    function balanceOf(address account) public view virtual override returns (uint256) {
        return _holdings[account].shares.balance();
    }

    /// @inheritdoc ERC20
    function totalSupply() public view override returns (uint256) {
        return _flow.supply;
    }

    /// @notice ERC-6372: votes are counted by Unix second.
    function clock() public view override returns (uint48) {
        return uint48(block.timestamp);
    }

    /// @notice ERC-6372.
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    /// @inheritdoc ERC20Permit
    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }
}
