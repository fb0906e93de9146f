// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OpenStream} from "./OpenStream.sol";
import {StreamScene} from "./StreamScene.sol";
import {both, prover} from "./Theorems.sol";

/// @notice What time, a funding and a change of the supply do to a stream.
/// @dev A theorem's claims are joined into one, so that each path puts one question to the solver.
contract StreamTheorems is StreamScene {
    uint256 private constant LONGEST = STREAM + BOUNDARY;

    OpenStream private stream = _newStream();

    // ------------------------------------------------------------------ time

    /// @notice What streams within a period is the sum over the rates, all of it in index × supply + remainder.
    /// @custom:ranges the invariant; supply ≥ 10^6; no boundary crossed
    function check_advance__within_a_period__is_the_definition(Scene calldata scene, bool round, uint40 to)
        external
    {
        _advance(scene, _lastBoundary(round), to, 0);
    }

    /// @notice As within a period; the rate that has ended streamed until its end, and no longer.
    /// @custom:ranges the invariant; supply ≥ 10^6; one boundary crossed
    function check_advance__over_one_boundary__is_the_definition(Scene calldata scene, bool round, uint40 to)
        external
    {
        _advance(scene, _lastBoundary(round), to, 1);
    }

    /// @notice As over one boundary, for each of the two rates that have ended.
    /// @custom:ranges the invariant; supply ≥ 10^6; two boundaries crossed
    function check_advance__over_two_boundaries__is_the_definition(
        Scene calldata scene,
        bool round,
        uint40 to
    ) external {
        _advance(scene, _lastBoundary(round), to, 2);
    }

    // ------------------------------------------------------------------ fundings

    /// @notice A funding at a boundary is one rate for 24 hours and a carried remainder, together exactly what was paid.
    /// @custom:ranges the invariant; supply ≥ 10^6; any amount that may still be funded
    function check_fund__at_a_boundary__is_streamed_whole(Scene calldata scene, bool round, uint64 amountUsd6)
        external
    {
        _fund(scene, _lastBoundary(round), amountUsd6, 5);
    }

    /// @notice The same between two boundaries, for 24 to 28 hours.
    /// @custom:ranges as at a boundary
    function check_fund__between_boundaries__is_streamed_whole(
        Scene calldata scene,
        bool round,
        uint64 amountUsd6
    ) external {
        _fund(scene, _lastBoundary(round), amountUsd6, 6);
    }

    // ------------------------------------------------------------------ the supply

    /// @notice A new supply takes nothing from what the old one earned: index and remainder are those of the advance.
    /// @custom:ranges the invariant; supply ≥ 10^6 before, any 64 bits after; one boundary crossed
    function check_setSupply__of_holders__keeps_what_streamed(
        Scene calldata scene,
        bool round,
        uint64 supply,
        uint40 to
    ) external {
        uint256 last = _lastBoundary(round);
        prover.assume(to / BOUNDARY == last + 1);
        prover.assume(scene.supply >= MIN_SUPPLY);
        uint256[] memory ends = _ends(last);
        _open(stream, scene, last, ends);
        OpenStream.State memory before = _state(scene, ends);
        prover.warp(uint256(to) + scene.clockOffset);
        uint256 index = stream.currentIndex();
        stream.setSupply(supply);
        OpenStream.State memory later = stream.stateAt(ends);
        bool holds = both(_holds(later), later.flow.supply == supply);
        holds = both(holds, later.index.index == index);
        unchecked {
            uint256 total = (_streamed(before, to, last + 1) << 20) + scene.remainder;
            holds = both(holds, (index - scene.index) * scene.supply + later.index.remainder == total);
        }
        assert(holds);
    }

    /// @notice Without a supply nothing streams: money that waited goes on where it stood, its ends as much later.
    /// @custom:ranges the invariant; supply 0 before, ≥ 10^6 after; money waiting; any wait of less than 2^32 seconds in all
    function check_setSupply__after_none__goes_on_where_it_stood(
        Scene calldata scene,
        bool round,
        uint64 supply,
        uint32 waited
    ) external {
        uint256 last = _lastBoundary(round);
        prover.assume(scene.supply == 0);
        prover.assume(supply >= MIN_SUPPLY);
        prover.assume(uint256(scene.clockOffset) + waited < 2 ** 32);
        uint256[] memory ends = _ends(last);
        _open(stream, scene, last, ends);
        prover.assume(_live(_state(scene, ends)) != 0);
        prover.warp(uint256(scene.from) + scene.clockOffset + waited);
        uint256 index = stream.currentIndex();
        stream.setSupply(supply);
        OpenStream.State memory later = stream.stateAt(ends);
        bool holds = both(_holds(later), index == scene.index);
        holds = both(holds, later.index.index == scene.index);
        holds = both(holds, later.index.remainder == scene.remainder);
        holds = both(holds, later.flow.checkpointAt == scene.from);
        holds = both(holds, later.flow.clockOffset == uint256(scene.clockOffset) + waited);
        for (uint256 i; i < LIVE; ++i) {
            holds = both(holds, later.rates[i] == scene.rates[i]);
        }
        assert(holds);
    }

    // ------------------------------------------------------------------ how

    function _advance(Scene calldata scene, uint256 last, uint40 to, uint256 crossed) private {
        prover.assume(scene.from <= to);
        prover.assume(to / BOUNDARY == last + crossed);
        prover.assume(scene.supply >= MIN_SUPPLY);
        uint256[] memory ends = _ends(last);
        _open(stream, scene, last, ends);
        OpenStream.State memory before = _state(scene, ends);
        prover.warp(uint256(to) + scene.clockOffset);
        stream.poke();
        OpenStream.State memory later = stream.stateAt(ends);
        bool holds = _holds(later);
        unchecked {
            uint256 total = (_streamed(before, to, last + crossed) << 20) + scene.remainder;
            uint256 growth = uint256(later.index.index) - scene.index;
            holds = both(holds, later.index.index >= scene.index);
            holds = both(holds, later.index.remainder < scene.supply);
            holds = both(holds, growth * scene.supply + later.index.remainder == total);
        }
        for (uint256 i; i < LIVE; ++i) {
            holds = both(holds, later.rates[i] == (i < crossed ? 0 : scene.rates[i]));
        }
        assert(both(holds, later.flow.checkpointAt == to));
    }

    /// @dev At the second of the checkpoint: the theorems on time say what was before.
    /// @param which Of the seven rates, the one that the funding ends with.
    function _fund(Scene calldata scene, uint256 last, uint64 amountUsd6, uint256 which) private {
        uint256[] memory ends = _ends(last);
        prover.assume((uint256(scene.from) + STREAM + BOUNDARY - 1) / BOUNDARY == ends[which]);
        _open(stream, scene, last, ends);
        prover.assume(scene.supply >= MIN_SUPPLY);
        prover.assume(amountUsd6 <= MAX_FUNDED - scene.fundedUsd6);
        prover.warp(uint256(scene.from) + scene.clockOffset);
        uint256 endsAt = stream.fund(amountUsd6);
        OpenStream.State memory later = stream.stateAt(ends);
        bool holds = both(_holds(later), endsAt == ends[which] * BOUNDARY);
        unchecked {
            uint256 duration = endsAt - scene.from;
            holds = both(holds, both(duration >= STREAM, duration < LONGEST));
            holds = both(holds, later.flow.fundingRemainder < duration);
            uint256 rate = later.rates[which] - scene.rates[which];
            uint256 total = (uint256(amountUsd6) << 52) + scene.fundingRemainder;
            holds = both(holds, rate * duration + later.flow.fundingRemainder == total);
            uint256 growth = uint256(later.index.index) - scene.index;
            holds = both(holds, growth * scene.supply + later.index.remainder == scene.remainder);
        }
        for (uint256 i; i < LIVE; ++i) {
            if (i != which) holds = both(holds, later.rates[i] == scene.rates[i]);
        }
        assert(both(holds, later.index.fundedUsd6 == uint256(scene.fundedUsd6) + amountUsd6));
    }
}
