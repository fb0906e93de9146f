// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IClusterShareNotices} from "../../../contracts/share/interfaces/IClusterShareNotices.sol";
import {IERC7943Fungible} from "../../../contracts/share/interfaces/IERC7943Fungible.sol";
import {ClusterId} from "../../../contracts/types/ClusterId.sol";
import {vm} from "../Vm.sol";
import {NoCapital} from "./ShareFixture.sol";
import {ShareWorld} from "./ShareWorld.sol";

/// @notice Time, money, and what owners do with shares and income.
/// @dev What is allowed must happen; what is not must be refused, with its reason. No act reverts.
abstract contract HoldingActs is ShareWorld {
    uint256 private constant MAX_YEARS = 100;
    uint256 private constant MAX_ISSUE = 1e15;
    uint256 private constant MAX_FUNDING = 1e13;
    uint256 private constant MAX_FUNDED = 1e18;

    // ------------------------------------------------------------------ time and money

    function waitMinutes(uint256 seed) external {
        _wait(_bound(seed, 1, 10 minutes));
    }

    function waitHours(uint256 seed) external {
        _wait(_bound(seed, 1, 2 * BOUNDARY));
    }

    function waitDays(uint256 seed) external {
        _wait(_bound(seed, 1, 2 * STREAM));
    }

    /// @dev To the second before, of or after it.
    function waitToBoundary(uint256 seed) external {
        _wait(BOUNDARY - time % BOUNDARY + seed % 3 - 1);
    }

    function waitYears(uint256 seed) external {
        if (seed % 8 == 0) _wait(_bound(seed >> 8, 1, 10 * 365 days));
    }

    function fund(uint256 amount) external {
        _pay(_bound(amount, 1, MAX_FUNDING));
    }

    function fundDust(uint256 amount) external {
        _pay(_bound(amount, 1, 1000));
    }

    /// @dev Earlier money keeps its ends and its rates (7); nothing comes faster than over a day (6).
    function _pay(uint256 amountUsd6) private {
        if (MAX_FUNDED - SHARE.streamState().fundedUsd6 < amountUsd6) return;
        usd.mint(address(this), amountUsd6);
        if (supply == 0) {
            vm.expectRevert(
                abi.encodeWithSelector(IClusterShareNotices.ClusterShare_SupplyTooSmall.selector, 0, 1e6)
            );
            SHARE.fund(amountUsd6);
            return _lookAtOnce(0);
        }
        (uint256[] memory ends, uint256[] memory rates) = SHARE.streamEnds();
        SHARE.fund(amountUsd6);
        (uint256[] memory newEnds, uint256[] memory newRates) = SHARE.streamEnds();
        uint256 added;
        uint256 kept;
        for (uint256 i; i < newEnds.length; ++i) {
            bool stood = kept < ends.length && ends[kept] == newEnds[i];
            uint256 rise = newRates[i] - (stood ? rates[kept] : 0);
            if (stood) ++kept;
            require(added == 0 || rise == 0, "7: a funding ends twice");
            added += rise;
        }
        require(kept == ends.length, "7: a funding moved an earlier end");
        // What the last one carried is less than its own length, which is less than twice the shortest.
        require(added <= (amountUsd6 << 52) / STREAM + 2, "6: a funding is a cliff");
        _lookAtOnce(amountUsd6);
    }

    function _wait(uint256 duration) private {
        if (duration == 0 || time + duration > START + MAX_YEARS * 365 days) return;
        _warp(time + duration);
        _lookAfter(duration);
    }

    // ------------------------------------------------------------------ shares

    function transfer(uint256 from, uint256 to, uint256 amount) external {
        (address sender, address receiver) = (_holder(from), _receiver(to));
        amount = _around(amount, availableOf(sender), balances[sender]);
        bytes memory refusal = _refusalOfMove(sender, receiver, amount);
        _expect(refusal);
        vm.prank(sender);
        SHARE.transfer(receiver, amount);
        if (refusal.length == 0) _bookMove(sender, receiver, amount);
        _lookAtOnce(0);
    }

    /// @dev By allowance of one who is no taker of the owner's.
    function transferFrom(uint256 by, uint256 from, uint256 to, uint256 amount) external {
        (address spender, address sender, address receiver) = (_anyone(by), _holder(from), _receiver(to));
        amount = _around(amount, availableOf(sender), balances[sender]);
        bytes memory refusal = _refusalOfMove(sender, receiver, amount);
        vm.prank(sender);
        SHARE.approve(spender, amount);
        _expect(refusal);
        vm.prank(spender);
        SHARE.transferFrom(sender, receiver, amount);
        if (refusal.length == 0) _bookMove(sender, receiver, amount);
        _lookAtOnce(0);
    }

    function burn(uint256 who, uint256 amount) external {
        address owner = _holder(who);
        amount = _around(amount, availableOf(owner), balances[owner]);
        bytes memory refusal = _refusalOfMove(owner, address(0), amount);
        if (refusal.length == 0 && supply != amount && supply - amount < SHARE.MIN_SUPPLY()) {
            refusal = abi.encodeWithSelector(
                IClusterShareNotices.ClusterShare_SupplyTooSmall.selector, supply - amount, SHARE.MIN_SUPPLY()
            );
        }
        _expect(refusal);
        vm.prank(owner);
        SHARE.burn(amount);
        if (refusal.length == 0) _bookMove(owner, address(0), amount);
        _lookAtNewSupply();
    }

    function issue(uint256 who, uint256 amount) public {
        address owner = _owner(who);
        amount = _bound(amount, SHARE.MIN_SUPPLY(), MAX_ISSUE);
        if (_closed()) {
            vm.expectPartialRevert(IClusterShareNotices.ClusterShare_NotInFunding.selector);
        } else {
            _bookMove(address(0), owner, amount);
        }
        _issue(SHARE, owner, amount);
        _lookAtNewSupply();
    }

    function delegate(uint256 who, uint256 to) external {
        (address owner, address delegatee) = (_owner(who), to % 4 == 0 ? address(0) : _owner(to / 4));
        vm.prank(owner);
        SHARE.delegate(delegatee);
        delegateOf[owner] = delegatee;
        _lookAtOnce(0);
    }

    function setPayee(uint256 who, uint256 to) external {
        (address owner, address payee) = (_owner(who), to % 4 == 0 ? address(0) : _payee(to / 4));
        vm.prank(owner);
        SHARE.setPayee(payee);
        payeeOf[owner] = payee;
        _lookAtOnce(0);
    }

    // ------------------------------------------------------------------ income

    /// @dev Whoever calls it: all whole units, to the payee, and to nobody from one who is frozen whole (9, 44).
    function claim(uint256 who, uint256 by) external {
        address owner = _owner(who);
        address payee = payeeOf[owner] == address(0) ? owner : payeeOf[owner];
        uint256 held = usd.balanceOf(payee);
        uint256 claimable = _expectClaim(owner);
        vm.prank(_anyone(by));
        uint256 paid = SHARE.claimFor(owner);
        _bookClaim(owner, paid, claimable);
        require(usd.balanceOf(payee) == held + paid, "9: a claim did not reach the payee");
        _lookAtOnce(0);
    }

    /// @dev As the desk does it for a signature.
    function claimTo(uint256 who, uint256 to) external {
        (address owner, address recipient) = (_owner(who), _payee(to));
        uint256 held = usd.balanceOf(recipient);
        uint256 claimable = _expectClaim(owner);
        uint256 paid = SHARE.claimTo(owner, recipient);
        _bookClaim(owner, paid, claimable);
        require(usd.balanceOf(recipient) == held + paid, "9: a claim did not reach the recipient");
        _lookAtOnce(0);
    }

    /// @return claimable What has to be paid; 0 if the claim has to be refused.
    function _expectClaim(address owner) internal returns (uint256 claimable) {
        claimable = SHARE.claimableUsd6(owner);
        bytes4 refusal;
        if (claimable == 0) refusal = IClusterShareNotices.ClusterShare_NothingToClaim.selector;
        else if (frozen[owner] == ALL) refusal = IClusterShareNotices.ClusterShare_IncomeFrozen.selector;
        if (refusal == 0) return claimable;
        vm.expectRevert(abi.encodeWithSelector(refusal, owner));
        return 0;
    }

    function _bookClaim(address owner, uint256 paid, uint256 claimable) internal {
        if (claimable == 0) return;
        require(paid == claimable, "9: a claim paid something else than the claimable");
        require(SHARE.claimableUsd6(owner) == 0, "9: a claim left whole units");
        claims[owner] += paid;
    }

    // ------------------------------------------------------------------ what is refused

    /// @dev Empty where `amount` may go: no more than what is available (32), to whom may receive, while the books are open
    ///      (50).
    function _refusalOfMove(address from, address to, uint256 amount) internal view returns (bytes memory) {
        if (_closed()) return _booksClosed();
        if (amount > balances[from]) {
            return abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientBalance.selector, from, balances[from], amount
            );
        }
        bytes memory refusal = _refusalOfHeld(from, amount, availableOf(from));
        if (refusal.length != 0 || !door.isShutOut(to)) return refusal;
        return abi.encodeWithSelector(IERC7943Fungible.ERC7943CannotReceive.selector, to);
    }

    /// @dev Of an amount within the balance: frozen is said before encumbered.
    function _refusalOfHeld(address owner, uint256 amount, uint256 available)
        internal
        view
        returns (bytes memory)
    {
        if (amount <= available) return "";
        if (amount > unfrozenOf(owner)) {
            return abi.encodeWithSelector(
                IERC7943Fungible.ERC7943InsufficientUnfrozenBalance.selector, owner, amount, unfrozenOf(owner)
            );
        }
        return abi.encodeWithSelector(
            IClusterShareNotices.ClusterShare_InsufficientAvailable.selector, owner, available, amount
        );
    }

    function _booksClosed() internal pure returns (bytes memory) {
        return
            abi.encodeWithSelector(IClusterShareNotices.ClusterShare_BooksClosed.selector, ClusterId.wrap(1));
    }

    function _closed() internal view returns (bool) {
        return SHARE.booksClosed();
    }

    /// @dev On closed books the capital book is told of both sides, before a balance changes (50).
    function _forgetTold(address from, address to) internal {
        NoCapital capital = NoCapital(address(SHARE.CAPITAL()));
        capital.forget(from);
        capital.forget(to);
    }

    /// @dev Before the move is booked.
    function _checkTold(address from, address to) internal view {
        NoCapital capital = NoCapital(address(SHARE.CAPITAL()));
        bool told = capital.wasTold(from, balances[from]) && capital.wasTold(to, balances[to]);
        require(told == _closed(), "50: the capital book was not told, or in vain");
    }

    function _expect(bytes memory refusal) internal {
        if (refusal.length != 0) vm.expectRevert(refusal);
    }
}
