// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterSpec} from "../../../contracts/registry/interfaces/IClusterRegistry.sol";
import {WaterfallState} from "../../../contracts/revenue/interfaces/IWaterfall.sol";
import {WaterfallFixture} from "./WaterfallFixture.sol";

/// @notice The moments at which a junior could be paid before the senior is known.
contract SeniorityTest is WaterfallFixture {
    function setUp() external {
        _open(_spec());
    }

    /// @dev Equation 5: a dearer specification acts from its epoch on, whether or not anybody has applied it.
    function test_distribute__dearer_spec_not_applied__escrows_its_maximum(uint256 into) external {
        ClusterSpec memory dearer = _spec();
        dearer.contractedRateUsd6PerGpuHour = 3_000_000;
        cluster.schedule(FIRST_EPOCH + 2, dearer);
        // Epochs 0 and 1 at 0.45 an hour at most, then 3.15.
        into = _bound(into, 0, 4 hours);
        _warp(START + 3 hours + into);
        _receive(1000e6);
        waterfall.distribute(CLUSTER);
        require(_state().operatorAssigned == 900_000 + _ceil(3_150_000 * into), "not the maximum");

        cluster.report(FIRST_EPOCH + 1, 2000);
        waterfall.applySpec(CLUSTER);
        require(_state().operatorShortfall == 0, "the holders were paid before the operator");
        require(_state().operatorAssigned == 900_000 + _ceil(3_150_000 * into), "the due moved");
    }

    /// @dev And so does a cheaper one: nobody can keep the old prices by waiting.
    function test_distribute__cheaper_spec_not_applied__escrows_its_maximum() external {
        ClusterSpec memory cheaper = _spec();
        cheaper.contractedRateUsd6PerGpuHour = 0;
        cluster.schedule(FIRST_EPOCH + 2, cheaper);
        _warp(START + 5 hours);
        _receive(1000e6);
        waterfall.distribute(CLUSTER);
        require(_state().operatorAssigned == 2 * 450_000 + 2 * 150_000, "not its maximum");
        cluster.report(FIRST_EPOCH + 1, 2000);
        cluster.report(FIRST_EPOCH + 3, 2000);
        waterfall.distribute(CLUSTER);
        require(_state().operatorEarned == 2 * 450_000 + 2 * 150_000, "not each epoch by its own");
        waterfall.applySpec(CLUSTER);
        require(_state().operatorEarned == 2 * 450_000 + 2 * 150_000, "the call moved money");
    }

    /// @dev Equation 6: what the reserve gives back at the end runs down the waterfall from its top.
    function test_distribute__retired_with_unpaid_lenders__reserve_goes_to_them_first() external {
        _receive(100e6);
        waterfall.distribute(CLUSTER);
        require(_state().reserveAssigned == 10e6, "the reserve is not full");
        _warp(START + 1 hours);
        senior.accrue(7e6, 0);
        cluster.retire();
        cluster.report(FIRST_EPOCH, 0);
        _warp(START + 2 hours);
        waterfall.distribute(CLUSTER);
        WaterfallState memory s = _state();
        require(s.reserveAssigned == 0, "the reserve was not released");
        require(s.tranchesAssigned == 7e6, "the holders were paid before the lenders");
        require(s.holdersAssigned == 90e6 + 10e6 - 7e6 - 300_000, "the rest is not the holders'");
    }

    /// @dev Equation 7: when the last epoch is resolved nothing stays in escrow, be the cost a whole unit or not.
    function test_distribute__retired_and_resolved__nothing_stays_in_escrow(uint32 energyWh) external {
        energyWh = energyWh % 1000;
        ClusterSpec memory spec = _spec();
        spec.tariffUsd6PerKwh = 99_999;
        cluster.schedule(FIRST_EPOCH, spec);
        _receive(100e6);
        _warp(START + 1 hours);
        cluster.retire();
        _warp(START + 2 hours);
        waterfall.distribute(CLUSTER);
        cluster.report(FIRST_EPOCH, energyWh);
        waterfall.distribute(CLUSTER);
        require(_state().escrowed == 0, "something stays in escrow");
        require(
            _state().operatorEarned == 300_000 + uint256(energyWh) * 15_000 * 99_999 / 1e7, "not the cost"
        );
        waterfall.withdrawOperatingCost(CLUSTER, OPERATOR);
        _checkConservation();
    }

    /// @dev Equation 4 for a draw: income that came before it is split before it, whoever distributes when.
    function test_draw_reserve__income_not_distributed_yet__splits_as_if_it_had_been(bool distributedBefore)
        external
    {
        _receive(200e6);
        waterfall.distribute(CLUSTER);
        _receive(200e6);
        if (distributedBefore) waterfall.distribute(CLUSTER);
        waterfall.drawReserve(CLUSTER, 10e6, OPERATOR, bytes32(0));
        waterfall.distribute(CLUSTER);
        require(_state().reserveAssigned == 10e6, "the moment of a distribution filled the reserve again");
        require(_state().holdersAssigned == 390e6, "the moment of a distribution moved the holders' total");
        _checkConservation();
    }

    /// @dev Equation 4 for a specification: the same.
    function test_apply_spec__income_not_distributed_yet__splits_by_the_old_share(bool distributedBefore)
        external
    {
        ClusterSpec memory spec = _spec();
        spec.reserveShareBps = 0;
        cluster.schedule(FIRST_EPOCH, _spec());
        cluster.schedule(FIRST_EPOCH + 1, spec);
        _receive(10e6);
        _warp(START + 2 hours);
        cluster.report(FIRST_EPOCH, 1000);
        if (distributedBefore) waterfall.distribute(CLUSTER);
        waterfall.applySpec(CLUSTER);
        waterfall.distribute(CLUSTER);
        require(_state().reserveAssigned == 955_000, "the moment of a distribution changed the reserve");
        _checkConservation();
    }

    function _ceil(uint256 usd6Seconds) private pure returns (uint256) {
        return (usd6Seconds + 3599) / 3600;
    }
}
