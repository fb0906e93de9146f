// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What a share says of its holders, kept again in the plainest way: every sum is added up anew, and what an act
///         does not write here it must not change there.
/// @dev Booked by the handlers after what they know is allowed; the share is compared with it after every act.
abstract contract PlainLedger {
    /// @dev The frozen amount that stands for all, and the expiry that never comes.
    uint256 internal constant ALL = type(uint64).max;
    uint256 internal constant NEVER = type(uint40).max;

    struct Pledge {
        uint256 amount;
        uint256 assigned;
        uint256 expiresAt;
        address payee;
    }

    uint256 public supply;
    mapping(address owner => uint256) public balances;
    mapping(address owner => uint256) public frozen;
    mapping(address owner => uint256) public claims;
    mapping(address owner => mapping(address payee => uint256)) public assignedClaims;
    mapping(address owner => address) public payeeOf;
    mapping(address owner => address) public delegateOf;
    mapping(address lost => address) public successorOf;

    /// @dev Oldest first.
    mapping(address owner => address[]) private _takersOf;
    mapping(address owner => mapping(address taker => Pledge)) private _pledges;

    // ------------------------------------------------------------------ sums

    function takersOf(address owner) public view returns (address[] memory) {
        return _takersOf[owner];
    }

    function pledge(address owner, address taker) public view returns (Pledge memory) {
        return _pledges[owner][taker];
    }

    function encumberedOf(address owner) public view returns (uint256 sum) {
        for (uint256 i; i < _takersOf[owner].length; ++i) {
            sum += _pledges[owner][_takersOf[owner][i]].amount;
        }
    }

    function assignedOf(address owner) public view returns (uint256 sum) {
        for (uint256 i; i < _takersOf[owner].length; ++i) {
            sum += _pledges[owner][_takersOf[owner][i]].assigned;
        }
    }

    /// @notice Shares of `owner` whose income goes to `payee`.
    function unitsOf(address owner, address payee) public view returns (uint256 sum) {
        for (uint256 i; i < _takersOf[owner].length; ++i) {
            Pledge storage one = _pledges[owner][_takersOf[owner][i]];
            if (one.payee == payee) sum += one.assigned;
        }
    }

    function unfrozenOf(address owner) public view returns (uint256) {
        return balances[owner] > frozen[owner] ? balances[owner] - frozen[owner] : 0;
    }

    function availableOf(address owner) public view returns (uint256) {
        uint256 held = encumberedOf(owner) + frozen[owner];
        return balances[owner] > held ? balances[owner] - held : 0;
    }

    /// @notice What `taker` can deliver of its encumbrance: a freeze takes what is free first, then from the newest.
    function deliverableOf(address owner, address taker) public view returns (uint256) {
        uint256 unfrozen = unfrozenOf(owner);
        for (uint256 i; i < _takersOf[owner].length; ++i) {
            uint256 amount = _pledges[owner][_takersOf[owner][i]].amount;
            if (_takersOf[owner][i] == taker) return amount < unfrozen ? amount : unfrozen;
            unfrozen = unfrozen > amount ? unfrozen - amount : 0;
        }
        return 0;
    }

    // ------------------------------------------------------------------ bookings

    /// @dev The zero address stands for shares that are issued or burnt.
    function _bookMove(address from, address to, uint256 amount) internal {
        if (from == address(0)) supply += amount;
        else balances[from] -= amount;
        if (to == address(0)) supply -= amount;
        else balances[to] += amount;
    }

    function _bookPledge(address owner, address taker, uint256 amount, uint256 expiresAt) internal {
        Pledge storage one = _pledges[owner][taker];
        if (one.amount == 0) _takersOf[owner].push(taker);
        if (one.amount == 0 && expiresAt == 0) expiresAt = NEVER;
        if (expiresAt > one.expiresAt) one.expiresAt = expiresAt;
        one.amount += amount;
    }

    function _bookAssignment(address owner, address taker, uint256 units, address payee) internal {
        _pledges[owner][taker].assigned += units;
        _pledges[owner][taker].payee = payee;
    }

    function _bookRelease(address owner, address taker, uint256 amount) internal {
        Pledge storage one = _pledges[owner][taker];
        one.amount -= amount;
        if (one.assigned > one.amount) one.assigned = one.amount;
        if (one.assigned == 0) one.payee = address(0);
        if (one.amount != 0) return;
        delete _pledges[owner][taker];
        address[] memory takers = _takersOf[owner];
        delete _takersOf[owner];
        for (uint256 i; i < takers.length; ++i) {
            if (takers[i] != taker) _takersOf[owner].push(takers[i]);
        }
    }

    /// @dev An order takes `amount`: what is free first, then from the newest encumbrance, then from the one before it.
    function _bookOrder(address from, address to, uint256 amount) internal {
        if (frozen[from] != ALL) frozen[from] -= amount;
        uint256 left = balances[from] - amount;
        while (encumberedOf(from) > left) {
            address newest = _takersOf[from][_takersOf[from].length - 1];
            uint256 over = encumberedOf(from) - left;
            uint256 held = _pledges[from][newest].amount;
            _bookRelease(from, newest, over < held ? over : held);
        }
        _bookMove(from, to, amount);
    }

    /// @dev All but income, which is kept elsewhere.
    function _bookRecovery(address lost, address replacement) internal {
        for (uint256 i; i < _takersOf[lost].length; ++i) {
            address taker = _takersOf[lost][i];
            _pledges[replacement][taker] = _pledges[lost][taker];
            delete _pledges[lost][taker];
        }
        _takersOf[replacement] = _takersOf[lost];
        delete _takersOf[lost];
        balances[replacement] += balances[lost];
        claims[replacement] += claims[lost];
        (balances[lost], claims[lost], frozen[lost], frozen[replacement]) = (0, 0, 0, ALL);
        (payeeOf[lost], delegateOf[lost], successorOf[lost]) = (address(0), address(0), replacement);
    }
}
