// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {StreamState} from "../../../contracts/share/interfaces/IClusterShare.sol";
import {ShareFixture} from "./ShareFixture.sol";
import {vm} from "../Vm.sol";

/// @notice Everything that can be done to a share, in any order, by four holders who also delegate and set payees.
/// @dev Each action checks the equations 3 to 6 of this folder's README around itself. No action may revert.
contract ShareHandler is ShareFixture {
    uint256 private constant MAX_WAIT = 10 * 365 days;
    uint256 private constant MAX_ISSUE = 1e15;
    uint256 private constant MAX_FUNDING = 1e13;

    ClusterShare public immutable SHARE;
    address[] public holders = [address(0xA11CE), address(0xB0B), address(0xCA401), address(0xDA9E)];

    constructor() {
        _open();
        SHARE = _newShare();
        _issue(SHARE, holders[0], 1_000_000e6);
    }

    /// @dev At one second nobody's income moves, whatever anybody does, nor does the index; and what is still to
    ///      stream changes by nothing but `fundedUsd6`, all of it.
    modifier changesNoIncome() {
        (uint256[] memory before, StreamState memory stream) = (_incomes(), SHARE.streamState());
        _;
        uint256[] memory afterwards = _incomes();
        for (uint256 i; i < before.length; ++i) {
            require(afterwards[i] == before[i], "an action moved income");
        }
        StreamState memory changed = SHARE.streamState();
        require(changed.index == stream.index, "an action moved the index");
        require(changed.indexRemainder == stream.indexRemainder, "an action moved the index's remainder");
        require(
            changed.unstreamed + changed.fundingRemainder - stream.unstreamed - stream.fundingRemainder
                == (changed.fundedUsd6 - stream.fundedUsd6) * SCALE,
            "unstreamed changed by something else than funding"
        );
    }

    /// @dev The same of a change of supply, but for what was too little to move the index: it may be enough for fewer
    ///      shares, and then goes to those who hold after the change.
    modifier handsOnRemainder() {
        (uint256[] memory before, StreamState memory stream) = (_incomes(), SHARE.streamState());
        _;
        uint256[] memory afterwards = _incomes();
        StreamState memory changed = SHARE.streamState();
        uint256 step = changed.index - stream.index;
        for (uint256 i; i < before.length; ++i) {
            require(
                afterwards[i] - before[i] == step * SHARE.balanceOf(holders[i]), "a new supply moved income"
            );
        }
        require(
            stream.indexRemainder == changed.indexRemainder + step * SHARE.totalSupply(),
            "a new supply lost the remainder"
        );
        require(changed.unstreamed == stream.unstreamed, "a new supply changed what is to stream");
    }

    /// @dev A wait of minutes, hours or days in most cases; to the second of a boundary, or years, in some.
    function wait(uint256 seed) external {
        uint256 duration =
            _bound(seed >> 8, 1, seed % 4 == 0 ? 10 minutes : seed % 4 == 1 ? BOUNDARY : 2 days);
        if (seed % 16 == 7) duration = _bound(seed >> 8, 1, MAX_WAIT);
        if (seed % 16 == 11) duration = BOUNDARY - time % BOUNDARY;

        (uint256[] memory before, StreamState memory stream) = (_incomes(), SHARE.streamState());
        _warp(time + duration);
        uint256[] memory afterwards = _incomes();
        StreamState memory changed = SHARE.streamState();
        require(changed.index >= stream.index, "the index fell");
        for (uint256 i; i < before.length; ++i) {
            require(
                afterwards[i] - before[i] == SHARE.balanceOf(holders[i]) * (changed.index - stream.index),
                "income is not balance times index"
            );
        }
        uint256 streamed = stream.unstreamed - changed.unstreamed;
        require(streamed <= (stream.ratePerSecond << 20) * duration, "more than the rate streamed");
        require(
            streamed + stream.indexRemainder
                == (changed.index - stream.index) * SHARE.totalSupply() + changed.indexRemainder,
            "the index lost something"
        );
        require(changed.ratePerSecond <= stream.ratePerSecond, "the rate rose by itself");
    }

    function transfer(uint256 from, uint256 to, uint256 amount) external changesNoIncome {
        address sender = _holder(from);
        _transfer(SHARE, sender, _holder(to), _bound(amount, 0, SHARE.balanceOf(sender)));
    }

    function claim(uint256 who) external changesNoIncome {
        address owner = _holder(who);
        uint256 claimable = SHARE.claimableUsd6(owner);
        if (claimable == 0) return;
        (address payee, uint256 others) = (SHARE.payeeOf(owner), _claimableBut(owner));
        uint256 held = usd.balanceOf(payee);
        require(SHARE.claimFor(owner) == claimable, "a claim paid something else than the claimable");
        require(usd.balanceOf(payee) == held + claimable, "a claim did not reach the payee");
        require(SHARE.claimableUsd6(owner) == 0 && _claimableBut(owner) == others, "a claim touched others");
    }

    function fund(uint256 amount) external changesNoIncome {
        uint256 left = 1e18 - SHARE.streamState().fundedUsd6;
        if (SHARE.totalSupply() == 0 || left < MAX_FUNDING) return;
        uint256 rate = SHARE.streamState().ratePerSecond;
        uint256 amountUsd6 = _bound(amount >> 8, 1, amount % 2 == 0 ? MAX_FUNDING : 1000);
        _fund(SHARE, amountUsd6);
        require(
            SHARE.streamState().ratePerSecond - rate <= (amountUsd6 << 52) / STREAM + 1,
            "a funding raised the rate by more than a day's worth"
        );
    }

    function burn(uint256 who, uint256 amount) external handsOnRemainder {
        address owner = _holder(who);
        uint256 balance = SHARE.balanceOf(owner);
        amount = amount % 8 == 0 ? balance : _bound(amount >> 8, 0, balance);
        uint256 left = SHARE.totalSupply() - amount;
        if (left != 0 && left < SHARE.MIN_SUPPLY()) return;
        vm.prank(owner);
        SHARE.burn(amount);
    }

    function issue(uint256 who, uint256 amount) external handsOnRemainder {
        _issue(SHARE, _holder(who), _bound(amount, SHARE.MIN_SUPPLY(), MAX_ISSUE));
    }

    function delegate(uint256 who, uint256 to) external changesNoIncome {
        vm.prank(_holder(who));
        SHARE.delegate(to % 3 == 0 ? address(0) : _holder(to));
    }

    function setPayee(uint256 who, uint256 to) external changesNoIncome {
        vm.prank(_holder(who));
        SHARE.setPayee(to % 3 == 0 ? address(0) : _holder(to));
    }

    function stablecoinHeld() external view returns (uint256) {
        return usd.balanceOf(address(SHARE));
    }

    function holderCount() external view returns (uint256) {
        return holders.length;
    }

    function _holder(uint256 seed) private view returns (address) {
        return holders[seed % holders.length];
    }

    /// @dev Claimed and earned of each holder, in 1/SCALE.
    function _incomes() private view returns (uint256[] memory incomes) {
        incomes = new uint256[](holders.length);
        for (uint256 i; i < incomes.length; ++i) {
            incomes[i] = SHARE.claimedUsd6(holders[i]) * SCALE + SHARE.accountState(holders[i]).earned;
        }
    }

    function _claimableBut(address owner) private view returns (uint256 sum) {
        for (uint256 i; i < holders.length; ++i) {
            if (holders[i] != owner) sum += SHARE.claimableUsd6(holders[i]);
        }
    }
}
