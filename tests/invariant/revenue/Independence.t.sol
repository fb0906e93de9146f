// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterSpec} from "../../../contracts/registry/interfaces/IClusterRegistry.sol";
import {IWaterfall, WaterfallState} from "../../../contracts/revenue/interfaces/IWaterfall.sol";
import {vm} from "../Vm.sol";
import {WaterfallFixture} from "./WaterfallFixture.sol";

/// @notice The same incomes, reports, debts, draws and specifications twice: once with as few distributions as there
///         can be, once with many at moments of the search's choice; once with specifications applied, once without.
///         Equation 4: it changes nobody's total.
contract IndependenceTest is WaterfallFixture {
    uint256 private constant STEPS = 16;
    /// @dev More than can fall due in the scenario.
    uint256 private constant ENOUGH = 1e12;

    uint32 private reported;
    uint32 private scheduled;
    uint256 private draws;
    uint16 private reserveShareBps;
    bool private applies;

    function setUp() external {
        ClusterSpec memory spec = _spec();
        spec.reserveTargetUsd6 = 3e12;
        spec.tariffUsd6PerKwh = 99_991;
        _open(spec);
        reported = FIRST_EPOCH - 1;
        reserveShareBps = spec.reserveShareBps;
    }

    function test_distribute__at_any_moments__totals_are_the_same(uint256 seed) external {
        uint256 start = vm.snapshotState();
        (WaterfallState memory few, bytes32 fewTranches) = _run(seed, false);
        vm.revertToState(start);
        _warp(START);
        (WaterfallState memory many, bytes32 manyTranches) = _run(seed, true);
        require(keccak256(abi.encode(few)) == keccak256(abi.encode(many)), "the moments changed a total");
        require(fewTranches == manyTranches, "the moments changed a tranche");
    }

    function _run(uint256 seed, bool distributing)
        private
        returns (WaterfallState memory state, bytes32 tranches)
    {
        _receive(1);
        applies = distributing;
        // Draws and specifications meet no shortfall, so that they too are compared; without them incomes are scarce.
        bool ample = seed % 2 == 0;
        for (uint256 step; step < STEPS; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 duration = _bound(seed >> 32, 1, seed % 8 == 0 ? 40 hours : 2 hours);
            _warp(time + duration / 2);
            if (distributing && seed >> 8 & 1 == 1) waterfall.distribute(CLUSTER);
            _act(seed >> 16, ample);
            if (distributing && seed >> 9 & 1 == 1) waterfall.distribute(CLUSTER);
            _warp(time + duration - duration / 2);
            _checkConservation();
        }
        if (seed % 3 == 0) {
            cluster.retire();
            _warp(time + 30 hours);
        }
        if (distributing) waterfall.distribute(CLUSTER);
        _receive(ENOUGH);
        waterfall.distribute(CLUSTER);
        _checkConservation();
        state = _state();
        require(state.operatorShortfall == 0 && state.undistributed == 0, "not enough to compare");
        require(draws == 0 || state.reserveDrawn != 0, "draws that drew nothing");
        (address[] memory each, uint256[] memory assigned,) = waterfall.tranches(CLUSTER);
        tranches = keccak256(abi.encode(each, assigned));
    }

    function _act(uint256 seed, bool ample) private {
        uint256 kind = seed % 8;
        uint256 amount = seed >> 64;
        if (kind < 2) _receive(_bound(amount, 1, ample ? ENOUGH : 1e6));
        if (kind == 2 || kind == 3) _report(amount);
        if (kind == 4) senior.accrue(_bound(amount, 0, 1e6), _bound(amount >> 64, 0, 50));
        if (kind == 5) junior.accrue(_bound(amount, 0, 1e6), _bound(amount >> 64, 0, 50));
        if (!ample) return;
        if (kind == 6) {
            _receive(ENOUGH);
            // Refused in both runs or in neither, or their totals differ.
            try waterfall.drawReserve(CLUSTER, _bound(amount, 1, 1e11), OPERATOR, bytes32(0)) {
                ++draws;
            } catch (bytes memory reason) {
                require(bytes4(reason) == IWaterfall.Waterfall_ReserveTooSmall.selector, "a draw failed");
            }
        }
        if (kind == 7) _changeSpec(amount);
    }

    /// @dev All epochs that are over and can still be reported in time, with energies up to twice the maximum.
    function _report(uint256 seed) private {
        uint32 last = uint32(time / 1 hours - 1);
        uint32 lapsed = uint32((time - 1 days) / 1 hours - 1);
        if (reported < lapsed) reported = lapsed;
        while (reported < last) {
            seed = uint256(keccak256(abi.encode(seed)));
            cluster.report(++reported, uint32(seed % 2000));
        }
    }

    /// @dev A new specification from the next epoch on. One that changes the reserve's share is applied in both runs, as
    ///      soon as the epochs before it are reported; another in one of them, or in none, when some of its own are.
    function _changeSpec(uint256 seed) private {
        uint32 next = uint32(time / 1 hours + 1);
        if (next <= scheduled) return;
        scheduled = next;
        ClusterSpec memory spec = _spec();
        spec.contractedRateUsd6PerGpuHour = uint32(_bound(seed, 0, 900_000));
        bool sameReserve = seed >> 128 & 1 == 1;
        if (!sameReserve) reserveShareBps = uint16(_bound(seed >> 32, 0, 10_000));
        spec.reserveShareBps = reserveShareBps;
        spec.reserveTargetUsd6 = 3e12;
        spec.tariffUsd6PerKwh = uint32(_bound(seed >> 64, 0, 300_000));
        cluster.schedule(next, spec);
        _warp(uint256(next) * 1 hours + (sameReserve ? _bound(seed >> 96, 0, 6 hours) : 0));
        _report(seed);
        _receive(ENOUGH);
        if (applies || !sameReserve) waterfall.applySpec(CLUSTER);
    }
}
