// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {IClusterShare} from "../../../contracts/share/interfaces/IClusterShare.sol";
import {IERC7943Fungible} from "../../../contracts/share/interfaces/IERC7943Fungible.sol";
import {vm} from "../Vm.sol";
import {ShareFixture} from "./ShareFixture.sol";

/// @notice Five owners who do with a share what ERC-20 lets them, and what it does not, beside a plain ledger that
///         says what must come of it. Income runs all the while.
/// @dev What is allowed must happen, with its event; what is not must be refused, with its reason. No action reverts.
contract Erc20Handler is ShareFixture {
    ClusterShare public immutable SHARE;
    address[] public owners =
        [address(0xA11CE), address(0xB0B), address(0xCA401), address(0xDA9E), address(0xE4E)];
    address public constant SHUT_OUT = address(0x0DD);

    /// @dev The plain ledger.
    uint256 public supply;
    mapping(address owner => uint256) public balances;
    mapping(address owner => mapping(address spender => uint256)) public allowances;

    constructor() {
        _open();
        door.shutOut(SHUT_OUT);
        SHARE = _newShare();
        issue(0, 1_000_000e6);
    }

    // ------------------------------------------------------------------ what is allowed

    function transfer(uint256 from, uint256 to, uint256 amount) external {
        (address sender, address receiver) = (_owner(from), _owner(to));
        amount = _part(amount, balances[sender]);
        _move(sender, receiver, amount);
        _expectTransfer(sender, receiver, amount);
        vm.prank(sender);
        require(SHARE.transfer(receiver, amount), "a transfer returned false");
    }

    function transferFrom(uint256 by, uint256 from, uint256 to, uint256 amount) external {
        (address spender, address sender, address receiver) = (_owner(by), _owner(from), _owner(to));
        uint256 allowed = allowances[sender][spender];
        amount = _part(amount, _min(balances[sender], allowed));
        _move(sender, receiver, amount);
        if (allowed != type(uint256).max) allowances[sender][spender] = allowed - amount;
        _expectTransfer(sender, receiver, amount);
        vm.prank(spender);
        require(SHARE.transferFrom(sender, receiver, amount), "a transferFrom returned false");
    }

    /// @dev One in four without limit, one in four within what can be held: the rest any number.
    function approve(uint256 by, uint256 to, uint256 amount) public {
        (address owner, address spender) = (_owner(by), _owner(to));
        if (amount % 4 == 0) amount = type(uint256).max;
        if (amount % 4 == 1) amount = _part(amount, balances[owner]);
        allowances[owner][spender] = amount;
        vm.expectEmit(address(SHARE));
        emit IERC20.Approval(owner, spender, amount);
        vm.prank(owner);
        require(SHARE.approve(spender, amount), "an approval returned false");
        require(SHARE.allowance(owner, spender) == amount, "an approval is not the allowance");
    }

    function approveTwice(uint256 by, uint256 to, uint256 first, uint256 second) external {
        approve(by, to, first);
        approve(by, to, second);
    }

    function burn(uint256 who, uint256 amount) external {
        address owner = _owner(who);
        amount = _part(amount, balances[owner]);
        uint256 left = supply - amount;
        if (left != 0 && left < SHARE.MIN_SUPPLY()) return;
        balances[owner] -= amount;
        supply = left;
        _expectTransfer(owner, address(0), amount);
        vm.prank(owner);
        SHARE.burn(amount);
    }

    function issue(uint256 who, uint256 amount) public {
        address owner = _owner(who);
        amount = _bound(amount, SHARE.MIN_SUPPLY(), 1e15);
        balances[owner] += amount;
        supply += amount;
        _expectTransfer(address(0), owner, amount);
        _issue(SHARE, owner, amount);
    }

    /// @dev Income neither moves shares nor is it in their way.
    function earnAndClaim(uint256 who, uint256 duration) external {
        if (supply != 0) _fund(SHARE, 1e9);
        _warp(time + _bound(duration, 1, 1 days));
        address owner = _owner(who);
        if (SHARE.claimableUsd6(owner) != 0) SHARE.claimFor(owner);
    }

    // ------------------------------------------------------------------ what is refused

    function transferMoreThanBalance(uint256 from, uint256 to, uint256 amount) external {
        (address sender, address receiver) = (_owner(from), _owner(to));
        amount = _more(amount, balances[sender]);
        vm.expectRevert(_insufficientBalance(sender, amount));
        vm.prank(sender);
        SHARE.transfer(receiver, amount);
    }

    function transferFromMoreThanBalance(uint256 by, uint256 from, uint256 to, uint256 amount) external {
        (address spender, address sender, address receiver) = (_owner(by), _owner(from), _owner(to));
        amount = _more(amount, balances[sender]);
        _allow(sender, spender, amount);
        vm.expectRevert(_insufficientBalance(sender, amount));
        vm.prank(spender);
        SHARE.transferFrom(sender, receiver, amount);
    }

    function transferFromMoreThanAllowed(uint256 by, uint256 from, uint256 to, uint256 amount) external {
        (address spender, address sender, address receiver) = (_owner(by), _owner(from), _owner(to));
        uint256 allowed = allowances[sender][spender];
        if (allowed == type(uint256).max) return;
        amount = _more(amount, allowed);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, spender, allowed, amount)
        );
        vm.prank(spender);
        SHARE.transferFrom(sender, receiver, amount);
    }

    /// @dev To nobody, to the share itself, and to whom the identity registry does not admit; zero as well.
    function transferToWhoMayNotHold(uint256 by, uint256 from, uint256 to, uint256 amount) external {
        (address spender, address sender) = (_owner(by), _owner(from));
        amount = _part(amount, balances[sender]);
        (address receiver, bytes memory reason) = _refused(to);
        vm.expectRevert(reason);
        vm.prank(sender);
        SHARE.transfer(receiver, amount);

        _allow(sender, spender, amount);
        vm.expectRevert(reason);
        vm.prank(spender);
        SHARE.transferFrom(sender, receiver, amount);
    }

    function approveNobody(uint256 by, uint256 amount) external {
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidSpender.selector, address(0)));
        vm.prank(_owner(by));
        SHARE.approve(address(0), amount);
    }

    function burnMoreThanBalance(uint256 who, uint256 amount) external {
        address owner = _owner(who);
        amount = _more(amount, balances[owner]);
        vm.expectRevert(_insufficientBalance(owner, amount));
        vm.prank(owner);
        SHARE.burn(amount);
    }

    // ------------------------------------------------------------------ helpers

    function ownerCount() external view returns (uint256) {
        return owners.length;
    }

    function _owner(uint256 seed) private view returns (address) {
        return owners[seed % owners.length];
    }

    /// @dev Of `whole` all, nothing, or anything between.
    function _part(uint256 seed, uint256 whole) private pure returns (uint256) {
        if (seed % 8 == 0) return whole;
        if (seed % 8 == 1) return 0;
        return _bound(seed >> 8, 0, whole);
    }

    /// @dev More than `limit`: by one, by anything, or the most there is.
    function _more(uint256 seed, uint256 limit) private pure returns (uint256) {
        if (seed % 4 == 0) return limit + 1;
        if (seed % 4 == 1) return type(uint256).max;
        return limit + 1 + (seed >> 8) % (type(uint256).max - limit);
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }

    function _move(address from, address to, uint256 amount) private {
        balances[from] -= amount;
        balances[to] += amount;
    }

    function _allow(address owner, address spender, uint256 amount) private {
        allowances[owner][spender] = amount;
        vm.prank(owner);
        SHARE.approve(spender, amount);
    }

    function _expectTransfer(address from, address to, uint256 amount) private {
        vm.expectEmit(address(SHARE));
        emit IERC20.Transfer(from, to, amount);
    }

    function _insufficientBalance(address owner, uint256 amount) private view returns (bytes memory) {
        return abi.encodeWithSelector(
            IERC20Errors.ERC20InsufficientBalance.selector, owner, balances[owner], amount
        );
    }

    function _refused(uint256 seed) private view returns (address receiver, bytes memory reason) {
        if (seed % 3 == 0) {
            return
                (address(0), abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, address(0)));
        }
        receiver = seed % 3 == 1 ? address(SHARE) : SHUT_OUT;
        reason = abi.encodeWithSelector(IERC7943Fungible.ERC7943CannotReceive.selector, receiver);
    }
}
