// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Powers} from "../../../contracts/access/Powers.sol";
import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {StreamState} from "../../../contracts/share/interfaces/IClusterShare.sol";
import {vm} from "../Vm.sol";
import {ShareFixture} from "./ShareFixture.sol";

/// @notice Two shares with the same fundings and transfers, of which one is looked at, claimed from and poked at every
///         turn: to the last bit, it makes no difference (19).
contract PokeInvarianceTest is ShareFixture {
    uint256 private constant STEPS = 24;
    address private constant TAKER = address(0x7A1);

    ClusterShare private quiet;
    ClusterShare private poked;
    address[3] private holders = [address(0xA11CE), address(0xB0B), address(0xCA401)];

    function setUp() external {
        _open();
        (quiet, poked) = (_newShare(), _newShare());
        authority.grantRole(Powers.ENCUMBRANCER_ROLE, TAKER, 0);
        for (uint256 i; i < holders.length; ++i) {
            _issue(quiet, holders[i], 123_456_789e6 / (i + 1));
            _issue(poked, holders[i], 123_456_789e6 / (i + 1));
        }
    }

    function test_earned__share_poked_at_every_turn__equals_share_left_alone(uint256 seed) external {
        for (uint256 step; step < STEPS; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 until = time + _bound(seed >> 64, 1, seed % 8 == 0 ? 30 days : 9 hours);
            for (uint256 i; i < 3; ++i) {
                _warp(time + (until - time) / 3);
                _poke(uint256(keccak256(abi.encode(seed, i))));
            }
            _warp(until);
            _act(seed);
            _compare();
        }
    }

    function _act(uint256 seed) private {
        uint256 kind = seed % 5;
        address holder = holders[(seed >> 8) % 3];
        uint256 amount = seed >> 128;
        if (kind < 2) {
            amount = _bound(amount, 1, kind == 0 ? 1e3 : 1e12);
            _fund(quiet, amount);
            _fund(poked, amount);
        } else if (kind < 4) {
            address to = holders[(seed >> 16) % 3];
            amount = _bound(amount, 0, quiet.balanceOf(holder));
            _transfer(quiet, holder, to, amount);
            _transfer(poked, holder, to, amount);
        } else {
            amount = _bound(amount, 0, quiet.balanceOf(holder) / 2);
            vm.prank(holder);
            quiet.burn(amount);
            vm.prank(holder);
            poked.burn(amount);
        }
    }

    function _poke(uint256 seed) private {
        address holder = holders[(seed >> 8) % 3];
        uint256 kind = seed % 8;
        if (kind == 0) _transfer(poked, holder, holder, poked.balanceOf(holder));
        if (kind == 1) _transfer(poked, holder, holders[(seed >> 16) % 3], 0);
        if (kind == 2 && poked.claimableUsd6(holder) != 0) poked.claimFor(holder);
        if (kind == 3) {
            vm.prank(holder);
            poked.burn(0);
        }
        if (kind == 4) {
            vm.prank(holder);
            poked.delegate(holders[(seed >> 16) % 3]);
        }
        if (kind == 5) {
            vm.prank(holder);
            poked.setPayee(holders[(seed >> 16) % 3]);
        }
        if (kind == 6) {
            poked.setFrozenTokens(holder, type(uint64).max);
            poked.setFrozenTokens(holder, 0);
        }
        uint256 balance = poked.balanceOf(holder);
        if (kind == 7 && balance != 0) {
            vm.prank(holder);
            poked.encumber(TAKER, balance);
            vm.prank(holder);
            poked.assignIncome(TAKER, balance, address(0x9A1));
            vm.prank(TAKER);
            poked.release(holder, balance);
        }
    }

    function _compare() private view {
        StreamState memory a = quiet.streamState();
        StreamState memory b = poked.streamState();
        require(keccak256(abi.encode(a)) == keccak256(abi.encode(b)), "a poke changed the stream");
        for (uint256 i; i < holders.length; ++i) {
            require(
                quiet.accountState(holders[i]).earned
                    == poked.accountState(holders[i]).earned + poked.claimedUsd6(holders[i]) * SCALE,
                "a poke changed an income"
            );
        }
    }
}
