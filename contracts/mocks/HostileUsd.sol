// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice What a stablecoin can do to those who rely on it. A token that is upgraded takes one up in mid-life.
enum Vice {
    None,
    /// Returns nothing, and changes an allowance only from or to zero, as USDT does.
    NoReturnValue,
    /// A hundredth of every transfer does not arrive.
    Fee,
    /// Nothing of any transfer arrives, though it leaves.
    FeeOfAll,
    /// Whoever sends loses a hundredth more than they send.
    Surcharge,
    /// Moves nothing and says so by false alone.
    ReturnsFalse,
    /// Moves, and answers with what is no boolean.
    ReturnsTwo,
    /// Moves nothing and says that it did.
    MovesNothing,
    RefusesApproval,
    RefusesZeroApproval,
    Paused,
    HidesBalances,
    /// Counts by another unit from now on: 18 decimals.
    OtherDecimals
}

/// @notice When a call back is made.
enum Moment {
    BeforeTransfer,
    AfterTransfer,
    Approval
}

/// @notice A stablecoin that does what it should not: it has one vice at a time, blacklists an account, changes
///         balances outside transfers, and calls back into whoever moves it. Everything is open to everybody.
contract HostileUsd is ERC20 {
    struct Call {
        address target;
        bytes data;
    }

    struct Answer {
        bool succeeded;
        bytes result;
    }

    uint8 private immutable DECIMALS;

    Vice public vice;
    address public blacklisted;
    Moment public moment;

    Call[] private _calls;
    Answer[] private _answers;

    error HostileUsd_Paused();
    error HostileUsd_Blacklisted(address account);
    error HostileUsd_BalancesHidden();
    error HostileUsd_AllowanceNotZero(address spender, uint256 allowance);
    error HostileUsd_ApprovalOfZero(address spender);

    constructor(uint8 decimals_) ERC20("Hostile", "HOSTILE") {
        DECIMALS = decimals_;
    }

    function setVice(Vice vice_) external {
        vice = vice_;
    }

    /// @notice Refuse what `account` sends, receives, approves or is approved for; the zero address ends it.
    function blacklist(address account) external {
        blacklisted = account;
    }

    /// @notice Make the balance of `account` what it was not.
    function rebase(address account, uint256 balance) external {
        uint256 before = super.balanceOf(account);
        if (balance > before) _mint(account, balance - before);
        else _burn(account, before - balance);
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @notice Call `target` with `data`, once, in the middle of the next transfer or approval: before or after what is
    ///         done by it, as `setMoment` says. Several are called in their order.
    function callBack(address target, bytes calldata data) external {
        _calls.push(Call(target, data));
    }

    function setMoment(Moment moment_) external {
        moment = moment_;
    }

    /// @notice What the calls back that were made last came to.
    function answers() external view returns (Answer[] memory) {
        return _answers;
    }

    function transfer(address to, uint256 value) public override returns (bool) {
        if (vice != Vice.ReturnsFalse) super.transfer(to, value);
        return _answer(vice != Vice.ReturnsFalse);
    }

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        _refuseBlacklisted(msg.sender);
        if (vice != Vice.ReturnsFalse) super.transferFrom(from, to, value);
        return _answer(vice != Vice.ReturnsFalse);
    }

    /// @notice EIP-3009's, of which no signature is asked and no nonce is kept.
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256,
        uint256,
        bytes32,
        bytes calldata
    ) external {
        if (vice != Vice.ReturnsFalse) _transfer(from, to, value);
    }

    function approve(address spender, uint256 value) public override returns (bool) {
        if (vice == Vice.Paused) revert HostileUsd_Paused();
        _refuseBlacklisted(msg.sender);
        _refuseBlacklisted(spender);
        if (vice == Vice.RefusesApproval) return false;
        if (vice == Vice.RefusesZeroApproval && value == 0) revert HostileUsd_ApprovalOfZero(spender);
        uint256 allowed = allowance(msg.sender, spender);
        if (vice == Vice.NoReturnValue && value != 0 && allowed != 0) {
            revert HostileUsd_AllowanceNotZero(spender, allowed);
        }
        super.approve(spender, value);
        if (moment == Moment.Approval) _callAll();
        return _answer(true);
    }

    function balanceOf(address account) public view override returns (uint256) {
        if (vice == Vice.HidesBalances) revert HostileUsd_BalancesHidden();
        return super.balanceOf(account);
    }

    function decimals() public view override returns (uint8) {
        return vice == Vice.OtherDecimals ? 18 : DECIMALS;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (from == address(0) || to == address(0)) return super._update(from, to, value);
        if (vice == Vice.Paused) revert HostileUsd_Paused();
        _refuseBlacklisted(from);
        _refuseBlacklisted(to);
        if (moment == Moment.BeforeTransfer) _callAll();
        bool none = vice == Vice.FeeOfAll || vice == Vice.MovesNothing;
        bool part = vice == Vice.Fee || vice == Vice.Surcharge;
        super._update(from, to, none ? 0 : vice == Vice.Fee ? value - value / 100 : value);
        super._update(from, address(0), part ? value / 100 : vice == Vice.FeeOfAll ? value : 0);
        if (moment == Moment.AfterTransfer) _callAll();
    }

    /// @dev `done`, in the words of this token.
    function _answer(bool done) private view returns (bool) {
        if (vice == Vice.NoReturnValue) {
            assembly ("memory-safe") {
                return(0, 0)
            }
        }
        if (vice == Vice.ReturnsTwo) {
            assembly ("memory-safe") {
                mstore(0, 2)
                return(0, 32)
            }
        }
        return done;
    }

    function _refuseBlacklisted(address account) private view {
        if (account == blacklisted) revert HostileUsd_Blacklisted(account);
    }

    function _callAll() private {
        Call[] memory calls = _calls;
        if (calls.length == 0) return;
        delete _calls;
        delete _answers;
        for (uint256 i; i < calls.length; ++i) {
            (bool succeeded, bytes memory result) = calls[i].target.call(calls[i].data);
            _answers.push(Answer(succeeded, result));
        }
    }
}
