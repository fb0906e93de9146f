// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice The revenue stream inside a share: how much one share unit has earned since the start, at any second.
/// @dev The derivation of every width is in this folder's README. In short, with amounts in 10⁻⁶ dollars:
///      - a rate counts 2⁻⁵² a second for all holders together; the sum of all rates fits 96 bits because no more
///        than MAX_FUNDED_USD6 streams and no funding streams in less than STREAM_SECONDS;
///      - the index counts 2⁻⁷² a share unit, and fits 112 bits because supply is zero or at least MIN_SUPPLY.
///      Both divisions carry their remainder, so that nothing is ever dropped and the index at a second does not
///      depend on how often it was looked at.
abstract contract RevenueStream {
    /// @notice Every funding streams for at least this many seconds.
    uint256 public constant STREAM_SECONDS = 1 days;

    /// @notice Ends are rounded up to a multiple of this many seconds of stream time: at most seven are live at once.
    uint256 public constant BOUNDARY_SECONDS = 4 hours;

    /// @notice Most that a share can be funded with over its life, in 10⁻⁶ dollars: 10¹² dollars.
    uint256 public constant MAX_FUNDED_USD6 = 1e18;

    /// @notice Least supply that can earn, in share units: one share. It bounds the index.
    uint256 public constant MIN_SUPPLY = 1e6;

    uint256 internal constant INDEX_FRACTION_BITS = 72;
    uint256 internal constant RATE_FRACTION_BITS = 52;
    uint256 private constant RATE_TO_INDEX_BITS = INDEX_FRACTION_BITS - RATE_FRACTION_BITS;
    uint256 private constant RATE_BITS = 96;
    uint256 private constant RING = 8;

    /// @param supply Share units among which the stream is divided.
    /// @param ratePerSecond Sum of the rates that were live at `checkpointAt`.
    /// @param checkpointAt Stream time up to which the index counts.
    /// @param clockOffset Seconds that the stream's clock is behind Unix time: how long money waited at zero supply.
    /// @param fundingRemainder Too little to raise a rate by one; below 2^17.
    struct Flow {
        uint64 supply;
        uint96 ratePerSecond;
        uint40 checkpointAt;
        uint32 clockOffset;
        uint24 fundingRemainder;
    }

    /// @param index Income of one share unit since the start.
    /// @param remainder Streamed, but too little to raise the index by one.
    /// @param fundedUsd6 All that was ever paid in.
    /// @param closed Whether the books are closed. Here because every transfer reads this word.
    struct Index {
        uint112 index;
        uint64 remainder;
        uint64 fundedUsd6;
        bool closed;
    }

    Flow internal _flow;
    Index internal _index;

    /// @dev Of the live rate, the part that ends at boundary n (stream time n × BOUNDARY_SECONDS), at n % RING: two to a
    ///      word, the even one in the lower half. Packed by hand: the compiler's own packing costs a transfer
    ///      after a day's silence 1,600 gas more.
    uint256[RING / 2] private _endingRates;

    function _endingRate(uint256 n) private view returns (uint256) {
        return uint96(_endingRates[n / 2 % (RING / 2)] >> RATE_BITS * (n % 2));
    }

    /// @dev No carry between the halves: a half is at most the sum of all live rates, which fits it.
    function _addEndingRate(uint256 n, uint256 rate) private {
        unchecked {
            _endingRates[n / 2 % (RING / 2)] += rate << RATE_BITS * (n % 2);
        }
    }

    function _removeEndingRate(uint256 n, uint256 rate) private {
        unchecked {
            _endingRates[n / 2 % (RING / 2)] -= rate << RATE_BITS * (n % 2);
        }
    }

    /// @dev What has streamed since the checkpoint, in 2⁻⁵² × 10⁻⁶ dollars. Each boundary crossed takes back what its
    ///      rate would have streamed beyond it: a closed form. All live rates end within seven boundaries, so the loop
    ///      ends there however long ago the checkpoint was.
    /// @return streamed All of it.
    /// @return endedRate The part of the rate that has ended since.
    /// @return time Now, in stream time.
    function _streamedSince(Flow memory flow)
        private
        view
        returns (uint256 streamed, uint256 endedRate, uint256 time)
    {
        // Nothing can wrap: the clock's offset is in the past, each rate is a part of `live`, and its boundary lies
        // between the checkpoint and now.
        unchecked {
            time = block.timestamp - flow.clockOffset;
            uint256 live = flow.ratePerSecond;
            streamed = live * (time - flow.checkpointAt);
            uint256 reached = time / BOUNDARY_SECONDS;
            uint256 n = flow.checkpointAt / BOUNDARY_SECONDS;
            while (++n <= reached && endedRate != live) {
                uint256 rate = _endingRate(n);
                streamed -= rate * (time - n * BOUNDARY_SECONDS);
                endedRate += rate;
            }
        }
    }

    /// @dev Bring `flow` and `idx` from their checkpoint to now, in memory. While the supply is zero now is then.
    /// @return endedRate The part of the rate that has ended since the checkpoint.
    function _advance(Flow memory flow, Index memory idx) private view returns (uint256 endedRate) {
        if (flow.supply == 0) return 0;
        uint256 streamed;
        uint256 time;
        (streamed, endedRate, time) = _streamedSince(flow);
        uint256 total = (streamed << RATE_TO_INDEX_BITS) + idx.remainder;
        // Narrowing is safe within MAX_FUNDED_USD6 and MIN_SUPPLY; see the README.
        idx.index += uint112(total / flow.supply);
        idx.remainder = uint64(total % flow.supply);
        flow.ratePerSecond = uint96(flow.ratePerSecond - endedRate);
        flow.checkpointAt = uint40(time);
    }

    /// @dev Income of one share unit from the start to now, in 2⁻⁷² × 10⁻⁶ dollars, rounded down.
    function _currentIndex() internal view returns (uint256) {
        Flow memory flow = _flow;
        if (flow.supply == 0) return _index.index;
        (uint256 streamed,,) = _streamedSince(flow);
        // As in `_advance`, without what only a change would write.
        unchecked {
            return _index.index + ((streamed << RATE_TO_INDEX_BITS) + _index.remainder) / flow.supply;
        }
    }

    /// @dev As `_advance`, and forget the rates that have ended. Needed only before the supply or a rate changes;
    ///      otherwise it would change nothing that can be seen.
    function _checkpoint(Flow memory flow, Index memory idx) private {
        uint256 n = flow.checkpointAt / BOUNDARY_SECONDS;
        uint256 endedRate = _advance(flow, idx);
        while (endedRate != 0) {
            uint256 rate = _endingRate(++n);
            if (rate == 0) continue;
            endedRate -= rate;
            _removeEndingRate(n, rate);
        }
    }

    /// @dev Set the supply among which the stream is divided from now on.
    function _setStreamSupply(uint256 supply) internal {
        Flow memory flow = _flow;
        Index memory idx = _index;
        _checkpoint(flow, idx);
        if (flow.supply == 0) {
            // The clock starts again. With money waiting it goes on where it stood; with none it may as well be right.
            if (flow.ratePerSecond == 0) flow.checkpointAt = uint40(block.timestamp - flow.clockOffset);
            else flow.clockOffset = uint32(block.timestamp - flow.checkpointAt);
        }
        flow.supply = uint64(supply);
        _flow = flow;
        _index = idx;
    }

    /// @dev Stream `amountUsd6` from now on. The caller has checked supply and limit.
    /// @return endsAt The stream time at which it ends.
    /// @return fundedUsd6 All that was ever paid in.
    function _addToStream(uint256 amountUsd6) internal returns (uint256 endsAt, uint256 fundedUsd6) {
        Flow memory flow = _flow;
        Index memory idx = _index;
        _checkpoint(flow, idx);
        // Within MAX_FUNDED_USD6 every width holds what is added to it; see the README.
        unchecked {
            uint256 time = flow.checkpointAt;
            uint256 boundary = (time + STREAM_SECONDS + BOUNDARY_SECONDS - 1) / BOUNDARY_SECONDS;
            endsAt = boundary * BOUNDARY_SECONDS;
            uint256 total = (amountUsd6 << RATE_FRACTION_BITS) + flow.fundingRemainder;
            uint256 rate = total / (endsAt - time);
            flow.fundingRemainder = uint24(total % (endsAt - time));
            flow.ratePerSecond += uint96(rate);
            fundedUsd6 = idx.fundedUsd6 + amountUsd6;
            idx.fundedUsd6 = uint64(fundedUsd6);
            _addEndingRate(boundary, rate);
        }
        _flow = flow;
        _index = idx;
    }

    /// @dev The index, its remainder, and what has still to stream, all in 2⁻⁷² × 10⁻⁶ dollars, and the rate now.
    function _streamPosition()
        internal
        view
        returns (uint256 index, uint256 remainder, uint256 unstreamed, uint256 ratePerSecond)
    {
        Flow memory flow = _flow;
        Index memory idx = _index;
        _advance(flow, idx);
        (uint256[] memory ends, uint256[] memory rates) = _liveEnds();
        for (uint256 i; i < ends.length; ++i) {
            unstreamed += rates[i] * (ends[i] - flow.checkpointAt);
        }
        return (idx.index, idx.remainder, unstreamed << RATE_TO_INDEX_BITS, flow.ratePerSecond);
    }

    /// @dev Ends of the money that streams now, soonest first, and the rate that ends at each.
    function _liveEnds() internal view returns (uint256[] memory ends, uint256[] memory rates) {
        Flow memory flow = _flow;
        uint256 beyond = flow.checkpointAt / BOUNDARY_SECONDS + RING;
        _advance(flow, _index);
        uint256 next = flow.checkpointAt / BOUNDARY_SECONDS + 1;
        uint256 count;
        for (uint256 n = next; n < beyond; ++n) {
            if (_endingRate(n) != 0) ++count;
        }
        ends = new uint256[](count);
        rates = new uint256[](count);
        for (uint256 n = next; count != 0; ++n) {
            uint256 rate = _endingRate(n);
            if (rate == 0) continue;
            ends[ends.length - count] = n * BOUNDARY_SECONDS;
            rates[ends.length - count] = rate;
            --count;
        }
    }
}
