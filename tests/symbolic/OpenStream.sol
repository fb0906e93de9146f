// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RevenueStream} from "../../contracts/share/RevenueStream.sol";

/// @notice The stream of a share, without the share: in any state, its acts open to everybody.
contract OpenStream is RevenueStream {
    /// @dev Where RevenueStream keeps the rates that end, two to a word.
    uint256 private constant RATES_SLOT = 2;
    uint256 private constant RING = 8;

    /// @param ends Boundaries, by their numbers.
    /// @param rates What ends at each.
    struct State {
        Flow flow;
        Index index;
        uint256[] ends;
        uint256[] rates;
    }

    // ------------------------------------------------------------------ acts

    function setSupply(uint256 supply) public virtual {
        _setStreamSupply(supply);
    }

    /// @notice A checkpoint, and nothing else: what every change of the supply and every funding begins with.
    function poke() external {
        setSupply(_flow.supply);
    }

    function fund(uint256 amountUsd6) public virtual returns (uint256 endsAt) {
        (endsAt,) = _addToStream(amountUsd6);
    }

    // ------------------------------------------------------------------ state

    /// @dev Once, in the beginning: the ring is empty.
    function place(State calldata state) external {
        _flow = state.flow;
        _index = state.index;
        for (uint256 i; i < state.ends.length; ++i) {
            (uint256 slot, uint256 shift) = _placeOf(state.ends[i]);
            uint256 rate = state.rates[i];
            assembly ("memory-safe") {
                sstore(slot, or(sload(slot), shl(shift, rate)))
            }
        }
    }

    /// @param ends The boundaries whose rates are wanted.
    function stateAt(uint256[] calldata ends) external view returns (State memory state) {
        state = State(_flow, _index, ends, new uint256[](ends.length));
        for (uint256 i; i < ends.length; ++i) {
            (uint256 slot, uint256 shift) = _placeOf(ends[i]);
            uint256 word;
            assembly ("memory-safe") {
                word := sload(slot)
            }
            state.rates[i] = uint96(word >> shift);
        }
    }

    function currentIndex() external view returns (uint256) {
        return _currentIndex();
    }

    function _placeOf(uint256 boundary) private pure returns (uint256 slot, uint256 shift) {
        return (RATES_SLOT + boundary % RING / 2, 96 * (boundary % 2));
    }
}
