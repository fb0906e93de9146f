// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC1271Wallet} from "../../../contracts/mocks/ERC1271Wallet.sol";
import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {AccountState, Encumbrance, StreamState} from "../../../contracts/share/interfaces/IClusterShare.sol";
import {PlainLedger} from "./PlainLedger.sol";
import {ShareFixture} from "./ShareFixture.sol";

/// @notice A share, all who have to do with it, and what was last seen of everybody's income.
/// @dev Every act ends with one look at everything. The numbers in the comments are those of the README.
abstract contract ShareWorld is PlainLedger, ShareFixture {
    address internal constant KEEPER = address(0xEE9E4);
    address internal constant ATTACKER = address(0xA77AC);
    address internal constant SHUT_OUT = address(0x0DD);
    uint256 private constant OWNERS = 6;

    ClusterShare public immutable SHARE;

    /// @dev The first is a contract. A recovered wallet's place is taken by another.
    address[OWNERS] public owners;
    address[3] public takers = [address(0x7A1), address(0x7A2), address(0x7A3)];

    /// @dev Everybody who ever held, and every interest that ever was.
    address[] public accounts;
    address[2][] public interests;

    mapping(address account => bool) private _isAccount;
    mapping(address owner => mapping(address payee => bool)) private _isInterest;

    /// @dev As last seen, claimed and not, in 1/SCALE.
    mapping(address owner => uint256) private _incomes;
    mapping(address owner => mapping(address payee => uint256)) private _assignedIncomes;
    StreamState private _stream;

    constructor() {
        _open();
        SHARE = _newShare();
        door.shutOut(SHUT_OUT);
        owners[0] = address(new ERC1271Wallet(address(this)));
        _meet(owners[0]);
        for (uint256 i = 1; i < OWNERS; ++i) {
            owners[i] = _newWallet();
        }
        _stream = SHARE.streamState();
    }

    // ------------------------------------------------------------------ looking

    /// @dev At one second, with the supply as it was: nobody's income moves (10, 11), nor does the index; what is to
    ///      stream changes by `fundedUsd6` and nothing else, whole (6).
    function _lookAtOnce(uint256 fundedUsd6) internal {
        (StreamState memory was, StreamState memory is_) = _look();
        require(is_.index == was.index, "11: an act moved the index");
        require(is_.indexRemainder == was.indexRemainder, "11: an act moved the index's remainder");
        require(is_.fundedUsd6 == was.fundedUsd6 + fundedUsd6, "6: something else was funded");
        require(
            is_.unstreamed + is_.fundingRemainder
                == was.unstreamed + was.fundingRemainder + fundedUsd6 * SCALE,
            "6: a funding is not streamed whole"
        );
        require(fundedUsd6 != 0 || is_.ratePerSecond == was.ratePerSecond, "12: an act moved the rate");
    }

    /// @dev At one second, with another supply: what was too little to move the index may now be enough, for those who
    ///      hold after the change (13).
    function _lookAtNewSupply() internal {
        (StreamState memory was, StreamState memory is_) = _look();
        require(
            was.indexRemainder == is_.indexRemainder + (is_.index - was.index) * supply,
            "13: a new supply lost the remainder"
        );
        require(
            is_.unstreamed == was.unstreamed && is_.ratePerSecond == was.ratePerSecond,
            "13: a new supply changed what is to stream"
        );
    }

    /// @dev After a wait: what streams reaches the index or its remainder, not faster than the rate said (5); while
    ///      nobody holds the clock stands still (14).
    function _lookAfter(uint256 duration) internal {
        (StreamState memory was, StreamState memory is_) = _look();
        uint256 streamed = was.unstreamed - is_.unstreamed;
        require(streamed <= (was.ratePerSecond << 20) * duration, "5: more than the rate streamed");
        require(
            streamed + was.indexRemainder == (is_.index - was.index) * supply + is_.indexRemainder,
            "5: the index lost something"
        );
        require(is_.ratePerSecond <= was.ratePerSecond, "5: the rate rose by itself");
        require(is_.fundingRemainder == was.fundingRemainder, "5: time moved a carried fraction");
        require(supply != 0 || streamed == 0, "14: money streamed to nobody");
    }

    /// @dev Everybody's income has grown by the index and by nothing else (4), and every fraction of a unit that came in is
    ///      somewhere (1, 2).
    function _look() private returns (StreamState memory was, StreamState memory is_) {
        (was, is_) = (_stream, SHARE.streamState());
        require(is_.index >= was.index, "4: the index fell");
        (uint256 incomes, uint256 claimed) = _lookAtAccounts(is_.index - was.index);
        (uint256 assignedIncomes, uint256 assignedClaimed) = _lookAtInterests(is_.index - was.index);
        require(
            is_.fundedUsd6 * SCALE
                == incomes + assignedIncomes + is_.indexRemainder + is_.unstreamed + is_.fundingRemainder,
            "1: income is not conserved"
        );
        _checkSupply();
        uint256 held = usd.balanceOf(address(SHARE));
        require(held == is_.fundedUsd6 - claimed - assignedClaimed, "2: the share holds something else");
        _stream = is_;
    }

    function _lookAtAccounts(uint256 step) private returns (uint256 incomes, uint256 claimed) {
        for (uint256 i; i < accounts.length; ++i) {
            address account = accounts[i];
            AccountState memory state = SHARE.accountState(account);
            _checkHolding(account, state);
            uint256 income = state.claimedUsd6 * SCALE + state.earned;
            require(
                income == _incomes[account] + step * (state.balance - state.assigned), "4, 11: income moved"
            );
            if (step != 0) _incomes[account] = income;
            incomes += income;
            claimed += state.claimedUsd6;
        }
    }

    function _lookAtInterests(uint256 step) private returns (uint256 incomes, uint256 claimed) {
        for (uint256 i; i < interests.length; ++i) {
            (address owner, address payee) = (interests[i][0], interests[i][1]);
            (uint256 units, uint256 earned, uint256 paid) = SHARE.interestState(owner, payee);
            require(units == unitsOf(owner, payee), "29: units are not what is assigned");
            require(paid == assignedClaims[owner][payee], "8: assigned claims moved");
            uint256 income = paid * SCALE + earned;
            require(income == _assignedIncomes[owner][payee] + step * units, "4, 11: assigned income moved");
            if (step != 0) _assignedIncomes[owner][payee] = income;
            incomes += income;
            claimed += paid;
        }
    }

    /// @dev Nothing but what was booked has changed, of anybody (8, 12, 31).
    function _checkHolding(address account, AccountState memory state) private view {
        require(state.balance == balances[account], "12: a balance moved");
        require(state.frozen == frozen[account], "12: what is frozen moved");
        require(state.encumbered == encumberedOf(account), "26: encumbered is not the sum over takers");
        require(state.assigned == assignedOf(account), "28: assigned is not the sum over takers");
        require(state.claimedUsd6 == claims[account], "8: claims moved");
        address payee = payeeOf[account];
        require(state.payee == (payee == address(0) ? account : payee), "12: a payee moved");
    }

    function _checkSupply() private view {
        uint256 balances_;
        uint256 earning;
        for (uint256 i; i < accounts.length; ++i) {
            balances_ += balances[accounts[i]];
            earning += balances[accounts[i]] - assignedOf(accounts[i]);
        }
        for (uint256 i; i < interests.length; ++i) {
            earning += unitsOf(interests[i][0], interests[i][1]);
        }
        require(SHARE.totalSupply() == supply && balances_ == supply, "23: balances are not the supply");
        require(supply == 0 || supply >= SHARE.MIN_SUPPLY(), "23: the supply is too small");
        require(earning == supply, "30: what earns is not the supply");
    }

    // ------------------------------------------------------------------ at any time

    /// @notice What holds beside incomes and balances, which each act looks at.
    function check() external view {
        for (uint256 i; i < accounts.length; ++i) {
            _checkPledges(accounts[i]);
            _checkVotes(accounts[i]);
        }
        _checkEnds();
    }

    /// @dev Encumbrances are what was pledged less what was given up, to the same takers in the same order (35, 36); of
    ///      them at most all are assigned (28); all of them are at most the balance (27); and what is left is available
    ///      (31).
    function _checkPledges(address owner) private view {
        address[] memory all = takersOf(owner);
        require(
            keccak256(abi.encode(SHARE.takersOf(owner))) == keccak256(abi.encode(all)), "35: other takers"
        );
        for (uint256 i; i < all.length; ++i) {
            Encumbrance memory one = SHARE.encumbranceOf(owner, all[i]);
            Pledge memory booked = pledge(owner, all[i]);
            require(
                one.amount == booked.amount && one.assigned == booked.assigned
                    && one.expiresAt == booked.expiresAt && one.payee == booked.payee,
                "36: an encumbrance is not what was pledged less what was given up"
            );
            require(one.amount != 0 && one.assigned <= one.amount, "28: assigned is more than encumbered");
        }
        require(encumberedOf(owner) <= balances[owner], "27: more is encumbered than there is");
        require(SHARE.availableBalanceOf(owner) == availableOf(owner), "31: available is something else");
    }

    /// @dev 24.
    function _checkVotes(address delegatee) private view {
        uint256 delegated;
        for (uint256 i; i < accounts.length; ++i) {
            if (delegateOf[accounts[i]] == delegatee) delegated += balances[accounts[i]];
        }
        require(SHARE.getVotes(delegatee) == delegated, "24: votes are not what was delegated");
    }

    /// @dev 15.
    function _checkEnds() private view {
        (uint256[] memory ends, uint256[] memory rates) = SHARE.streamEnds();
        require(ends.length <= 7, "15: more than seven ends");
        uint256 sum;
        for (uint256 i; i < ends.length; ++i) {
            require(ends[i] % BOUNDARY == 0, "15: an end off the grid");
            require(i == 0 || ends[i] > ends[i - 1], "15: ends out of order");
            require(rates[i] != 0, "15: an end of nothing");
            sum += rates[i];
        }
        require(ends.length == 0 || ends[ends.length - 1] - ends[0] <= 6 * BOUNDARY, "15: ends too far apart");
        require(sum == SHARE.streamState().ratePerSecond, "15: rates are not the rate");
    }

    // ------------------------------------------------------------------ people

    function _owner(uint256 seed) internal view returns (address) {
        return owners[seed % OWNERS];
    }

    /// @dev As a rule one who holds shares.
    function _holder(uint256 seed) internal view returns (address) {
        for (uint256 i; i < OWNERS; ++i) {
            address owner = owners[(seed % OWNERS + i) % OWNERS];
            if (balances[owner] != 0) return owner;
        }
        return _owner(seed);
    }

    /// @dev As a rule an owner and a taker between whom something is pledged.
    function _pledger(uint256 seed) internal view returns (address owner, address taker) {
        if (seed % 8 == 0) return (_owner(seed / 8), _taker(seed / 64));
        for (uint256 i; i < OWNERS; ++i) {
            owner = owners[(seed % OWNERS + i) % OWNERS];
            address[] memory all = takersOf(owner);
            if (all.length != 0) return (owner, all[seed / 8 % all.length]);
        }
        return (_owner(seed), _taker(seed / 8));
    }

    /// @dev One in sixteen may not receive.
    function _receiver(uint256 seed) internal view returns (address) {
        return seed % 16 == 15 ? SHUT_OUT : _owner(seed / 16);
    }

    function _taker(uint256 seed) internal view returns (address) {
        return takers[seed % takers.length];
    }

    /// @dev Two strangers, or an owner.
    function _payee(uint256 seed) internal view returns (address) {
        return seed % 3 == 0 ? address(0x9A1) : seed % 3 == 1 ? address(0x9A2) : owners[1];
    }

    /// @dev Whoever it is, it makes no difference.
    function _anyone(uint256 seed) internal view returns (address) {
        return seed % 3 == 0 ? KEEPER : seed % 3 == 1 ? ATTACKER : _owner(seed / 3);
    }

    function _newWallet() internal returns (address wallet) {
        wallet = address(uint160(0x1000 + accounts.length));
        _meet(wallet);
    }

    function _meet(address account) private {
        if (_isAccount[account]) return;
        _isAccount[account] = true;
        accounts.push(account);
    }

    function _meetInterest(address owner, address payee) internal {
        if (_isInterest[owner][payee]) return;
        _isInterest[owner][payee] = true;
        interests.push([owner, payee]);
    }

    /// @dev All that `lost` had is `replacement`'s, whose place in turn a new wallet takes if it has one already (47).
    function _succeed(uint256 place, address replacement) internal {
        address lost = owners[place];
        for (uint256 i; i < interests.length; ++i) {
            address payee = interests[i][1];
            if (interests[i][0] != lost || unitsOf(lost, payee) == 0) continue;
            _meetInterest(replacement, payee);
            _assignedIncomes[replacement][payee] += _assignedIncomes[lost][payee];
            assignedClaims[replacement][payee] += assignedClaims[lost][payee];
            (_assignedIncomes[lost][payee], assignedClaims[lost][payee]) = (0, 0);
        }
        _incomes[replacement] += _incomes[lost];
        _incomes[lost] = 0;
        _bookRecovery(lost, replacement);
        owners[place] = replacement;
        for (uint256 i; i < OWNERS; ++i) {
            if (i != place && owners[i] == replacement) owners[place] = _newWallet();
        }
    }

    // ------------------------------------------------------------------ amounts

    /// @dev All of `whole`, nothing, or anything between.
    function _part(uint256 seed, uint256 whole) internal pure returns (uint256) {
        if (seed % 8 == 0) return whole;
        if (seed % 16 == 1) return 0;
        return _bound(seed >> 8, 0, whole);
    }

    /// @dev As a rule a part of `limit`; one in eight is more, of those one in two within `whole`.
    function _around(uint256 seed, uint256 limit, uint256 whole) internal pure returns (uint256) {
        if (seed % 8 != 7) return _part(seed >> 8, limit);
        if (seed % 16 == 7 && limit < whole) return _bound(seed >> 8, limit + 1, whole);
        return _bound(seed >> 8, limit + 1, limit + ALL);
    }
}
