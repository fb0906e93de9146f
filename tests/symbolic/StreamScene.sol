// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OpenStream} from "./OpenStream.sol";
import {both, prover} from "./Theorems.sol";

/// @notice A stream in every state that README.md's invariant allows, with up to seven rates live.
/// @dev What a theorem itself reckons is unchecked: the invariant keeps it far from 2^256.
abstract contract StreamScene {
    uint256 internal constant BOUNDARY = 4 hours;
    uint256 internal constant STREAM = 1 days;
    uint256 internal constant MAX_FUNDED = 1e18;
    uint256 internal constant MIN_SUPPLY = 1e6;
    uint256 internal constant LIVE = 7;

    /// @param supply Share units.
    /// @param rates Those that end at the seven boundaries after the checkpoint.
    /// @param from The checkpoint, in stream time.
    /// @param clockOffset Seconds that stream time is behind Unix time.
    /// @param index Income of one share unit.
    /// @param remainder Streamed, and not in the index.
    /// @param fundingRemainder Funded, and in no rate.
    /// @param fundedUsd6 All that was ever paid in.
    struct Scene {
        uint64 supply;
        uint96[LIVE] rates;
        uint40 from;
        uint32 clockOffset;
        uint112 index;
        uint64 remainder;
        uint24 fundingRemainder;
        uint64 fundedUsd6;
    }

    /// @dev Wrong.sol puts another one in its place.
    function _newStream() internal virtual returns (OpenStream) {
        return new OpenStream();
    }

    /// @dev The last boundary before a scene. Those after it lie in the ring from its first place on, a word's lower
    ///      half; or, round, across the ring's end, from an upper half on.
    function _lastBoundary(bool round) internal pure returns (uint256) {
        return round ? 125_006 : 124_999;
    }

    function _ends(uint256 last) internal pure returns (uint256[] memory ends) {
        ends = new uint256[](LIVE);
        for (uint256 i; i < LIVE; ++i) {
            ends[i] = last + 1 + i;
        }
    }

    /// @dev Bound the scene by the invariant, and bring the stream there.
    function _open(OpenStream stream, Scene calldata scene, uint256 last, uint256[] memory ends) internal {
        prover.assume(scene.from / BOUNDARY == last);
        OpenStream.State memory state = _state(scene, ends);
        prover.assume(scene.fundedUsd6 <= MAX_FUNDED);
        prover.assume(_fastest(state) <= _allFunded(state));
        prover.assume(_everything(state) <= _allFunded(state) << 20);
        stream.place(state);
    }

    function _state(Scene calldata scene, uint256[] memory ends)
        internal
        pure
        returns (OpenStream.State memory state)
    {
        state.ends = ends;
        state.rates = new uint256[](LIVE);
        for (uint256 i; i < LIVE; ++i) {
            state.rates[i] = scene.rates[i];
        }
        state.flow.supply = scene.supply;
        state.flow.ratePerSecond = uint96(_live(state));
        state.flow.checkpointAt = scene.from;
        state.flow.clockOffset = scene.clockOffset;
        state.flow.fundingRemainder = scene.fundingRemainder;
        state.index.index = scene.index;
        state.index.remainder = scene.remainder;
        state.index.fundedUsd6 = scene.fundedUsd6;
    }

    // ------------------------------------------------------------------ the invariant

    /// @dev F, in 2⁻⁵² × 10⁻⁶ dollars.
    function _allFunded(OpenStream.State memory state) internal pure returns (uint256) {
        return uint256(state.index.fundedUsd6) << 52;
    }

    /// @dev Σ rates.
    function _live(OpenStream.State memory state) internal pure returns (uint256 live) {
        unchecked {
            for (uint256 i; i < state.rates.length; ++i) {
                live += state.rates[i];
            }
        }
    }

    /// @dev What the rates stream in the shortest time that a funding may take, and what is in no rate: at most F.
    function _fastest(OpenStream.State memory state) internal pure returns (uint256) {
        unchecked {
            return _live(state) * STREAM + state.flow.fundingRemainder;
        }
    }

    /// @dev The index at the least supply, and all that is not in the index: at most F, in 2⁻⁷² × 10⁻⁶ dollars.
    function _everything(OpenStream.State memory state) internal pure returns (uint256) {
        unchecked {
            uint256 unstreamed;
            for (uint256 i; i < state.ends.length; ++i) {
                unstreamed += state.rates[i] * (state.ends[i] * BOUNDARY - state.flow.checkpointAt);
            }
            return state.index.index * MIN_SUPPLY + state.index.remainder
                + (unstreamed + state.flow.fundingRemainder << 20);
        }
    }

    function _holds(OpenStream.State memory state) internal pure returns (bool) {
        return both(
            state.flow.ratePerSecond == _live(state),
            both(_fastest(state) <= _allFunded(state), _everything(state) <= _allFunded(state) << 20)
        );
    }

    // ------------------------------------------------------------------ the definition

    /// @dev What streams from the checkpoint to `to`: every rate for itself, until its end.
    /// @param reached The last boundary that is not after `to`.
    function _streamed(OpenStream.State memory state, uint256 to, uint256 reached)
        internal
        pure
        returns (uint256 streamed)
    {
        unchecked {
            for (uint256 i; i < state.ends.length; ++i) {
                uint256 until = state.ends[i] <= reached ? state.ends[i] * BOUNDARY : to;
                streamed += state.rates[i] * (until - state.flow.checkpointAt);
            }
        }
    }
}
