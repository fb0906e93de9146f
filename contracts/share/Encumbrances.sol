// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Holding, IncomeWord, IncomeWordLib, SharesWord} from "./Holding.sol";
import {RevenueStream} from "./RevenueStream.sol";
import {Encumbrance} from "./interfaces/IClusterShare.sol";
import {IClusterShareNotices} from "./interfaces/IClusterShareNotices.sol";
import {IERC7246} from "./interfaces/IERC7246.sol";

/// @notice The holders' accounts, and what of them is pledged: shares to takers, their income to payees.
/// @dev Shares whose income is assigned earn in an account of their own, the interest of (owner, payee); the owner's
///      account earns for the rest. Both are settled before units pass from one to the other, so that
///      Σ units = Σ balances at any second and the stream's sums hold. Assigned ≤ encumbered ≤ balance, for each taker and in
///      all.
abstract contract Encumbrances is RevenueStream, IClusterShareNotices {
    /// @notice Most takers that one owner can have at a time; bounds the work of orders and recovery.
    uint256 public constant MAX_TAKERS = 8;

    /// @notice The expiry that never comes.
    uint40 internal constant NEVER = type(uint40).max;

    /// @param units Shares of the owner whose income goes to the payee.
    /// @param claimedUsd6 Paid to the payee so far.
    struct Interest {
        IncomeWord income;
        uint64 units;
        uint64 claimedUsd6;
    }

    mapping(address owner => Holding) internal _holdings;
    mapping(address owner => address[]) internal _takers;
    mapping(address owner => mapping(address taker => Encumbrance)) internal _encumbrances;
    mapping(address owner => mapping(address payee => Interest)) internal _interests;
    /// @dev Sum of the units of an owner's interests; read only when the owner's word says that there are some.
    mapping(address owner => uint256) internal _assignedUnits;

    /// @dev The income word of `owner`, holding `shares`, brought to `index`.
    function _settled(address owner, SharesWord shares, IncomeWord income, uint256 index)
        internal
        view
        returns (IncomeWord)
    {
        uint256 units = shares.balance();
        if (income.has(IncomeWordLib.ASSIGNS)) units -= _assignedUnits[owner];
        return income.settled(units, index);
    }

    /// @dev The caller has checked that `amount` is available and that `taker` may be one.
    function _encumber(address owner, address taker, uint256 amount, uint256 expiresAt) internal {
        Encumbrance storage encumbrance = _encumbrances[owner][taker];
        if (encumbrance.amount == 0) {
            if (_takers[owner].length == MAX_TAKERS) revert ClusterShare_TooManyTakers(owner, MAX_TAKERS);
            _takers[owner].push(taker);
            if (expiresAt == 0) expiresAt = NEVER;
        }
        if (expiresAt > encumbrance.expiresAt) encumbrance.expiresAt = uint40(expiresAt);
        encumbrance.amount += uint64(amount);
        _holdings[owner].shares = _holdings[owner].shares.plusEncumbered(amount);
        emit IERC7246.Encumber(owner, taker, amount);
        emit EncumbranceExtended(owner, taker, encumbrance.amount, encumbrance.expiresAt);
    }

    /// @dev Give up `amount`, of at most what is encumbered; the income assigned beyond the rest returns to the owner.
    function _release(address owner, address taker, uint256 amount) internal {
        if (amount == 0) return;
        Encumbrance storage encumbrance = _encumbrances[owner][taker];
        uint256 rest = encumbrance.amount - amount;
        if (encumbrance.assigned > rest) {
            _moveUnits(owner, encumbrance.payee, encumbrance.assigned - rest, false);
            encumbrance.assigned = uint64(rest);
            emit IncomeAssigned(owner, taker, encumbrance.payee, rest);
            if (rest == 0) encumbrance.payee = address(0);
        }
        encumbrance.amount = uint64(rest);
        if (rest == 0) {
            encumbrance.expiresAt = 0;
            _forget(_takers[owner], taker);
        }
        _holdings[owner].shares = _holdings[owner].shares.minusEncumbered(amount);
        emit IERC7246.Release(owner, taker, amount);
    }

    /// @dev Give up `amount` over all takers, newest first.
    function _releaseNewest(address owner, uint256 amount) internal {
        address[] storage takers = _takers[owner];
        while (amount != 0) {
            address taker = takers[takers.length - 1];
            uint256 part = _encumbrances[owner][taker].amount;
            if (part > amount) part = amount;
            _release(owner, taker, part);
            amount -= part;
        }
    }

    function _assign(address owner, address taker, uint256 units, address payee) internal {
        if (payee == address(0) || payee == owner || payee == address(this)) {
            revert ClusterShare_InvalidPayee(payee);
        }
        Encumbrance storage encumbrance = _encumbrances[owner][taker];
        uint256 limit = encumbrance.amount - encumbrance.assigned;
        if (units == 0 || units > limit) {
            revert ClusterShare_AssignmentOverEncumbrance(taker, units, limit);
        }
        if (encumbrance.assigned == 0) encumbrance.payee = payee;
        else if (encumbrance.payee != payee) revert ClusterShare_AssignedToAnother(taker, encumbrance.payee);
        encumbrance.assigned += uint64(units);
        _moveUnits(owner, payee, units, true);
        emit IncomeAssigned(owner, taker, payee, encumbrance.assigned);
    }

    /// @dev Let `units` of `owner`'s shares earn for `payee` from now on, or for the owner again.
    function _moveUnits(address owner, address payee, uint256 units, bool toPayee) private {
        uint256 index = _currentIndex();
        Holding storage holding = _holdings[owner];
        IncomeWord income = _settled(owner, holding.shares, holding.income, index);
        Interest storage interest = _interests[owner][payee];
        interest.income = interest.income.settled(interest.units, index);
        uint256 assigned = _assignedUnits[owner];
        if (toPayee) {
            interest.units += uint64(units);
            assigned += units;
        } else {
            interest.units -= uint64(units);
            assigned -= units;
        }
        _assignedUnits[owner] = assigned;
        holding.income = income.with(IncomeWordLib.ASSIGNS, assigned != 0);
    }

    /// @dev Hand `lost`'s encumbrances and the interests that stand on them to `replacement`, which has none. Both
    ///      accounts are settled to `index`; their words are the caller's to write.
    function _moveEncumbrances(address lost, address replacement, uint256 index) internal {
        address[] memory takers = _takers[lost];
        for (uint256 i; i < takers.length; ++i) {
            address taker = takers[i];
            Encumbrance memory encumbrance = _encumbrances[lost][taker];
            delete _encumbrances[lost][taker];
            _encumbrances[replacement][taker] = encumbrance;
            if (encumbrance.assigned != 0) {
                _moveInterest(
                    _interests[lost][encumbrance.payee], _interests[replacement][encumbrance.payee], index
                );
                emit IncomeAssigned(replacement, taker, encumbrance.payee, encumbrance.assigned);
            }
            emit IERC7246.Release(lost, taker, encumbrance.amount);
            emit IERC7246.Encumber(replacement, taker, encumbrance.amount);
            emit EncumbranceExtended(replacement, taker, encumbrance.amount, encumbrance.expiresAt);
        }
        _takers[replacement] = takers;
        delete _takers[lost];
        _assignedUnits[replacement] = _assignedUnits[lost];
        delete _assignedUnits[lost];
    }

    /// @dev An interest that stands on several encumbrances moves whole with the first of them.
    function _moveInterest(Interest storage from, Interest storage to, uint256 index) private {
        IncomeWord settled = from.income.settled(from.units, index);
        to.income = to.income.settled(to.units, index).plusEarned(settled.earned());
        from.income = settled.minusEarned(settled.earned());
        to.units += from.units;
        to.claimedUsd6 += from.claimedUsd6;
        from.units = 0;
        from.claimedUsd6 = 0;
    }

    /// @dev Keeps the order: the newest taker is the last.
    function _forget(address[] storage takers, address taker) private {
        uint256 last = takers.length - 1;
        uint256 i;
        while (takers[i] != taker) ++i;
        for (; i < last; ++i) {
            takers[i] = takers[i + 1];
        }
        takers.pop();
    }
}
