// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {StreamState} from "../../../contracts/share/interfaces/IClusterShare.sol";
import {IClusterShareNotices} from "../../../contracts/share/interfaces/IClusterShareNotices.sol";
import {vm} from "../Vm.sol";
import {ShareFixture} from "./ShareFixture.sol";

/// @notice The ends of every range that the README of contracts/share derives widths from, and the seconds at which
///         the stream changes its shape.
contract LimitsTest is ShareFixture {
    address private constant HOLDER = address(0xF1);
    address private constant OTHER = address(0xF2);
    uint256 private constant MAX_FUNDED = 1e18;
    uint256 private constant MAX_SUPPLY = 2 ** 63 - 1;
    /// @dev Measured after a silence of any length and shape: none took more. Twice a plain claim.
    uint256 private constant GAS_LIMIT = 120_000;

    ClusterShare private share;

    function setUp() external {
        _open();
        share = _newShare();
    }

    function test_fund__all_that_may_ever_be_funded_at_the_least_supply__no_width_overflows(uint256 pieces)
        external
    {
        _issue(share, HOLDER, share.MIN_SUPPLY());
        pieces = _bound(pieces, 1, 7);
        uint256 left = MAX_FUNDED;
        for (uint256 i = 1; i <= pieces; ++i) {
            uint256 amount = i == pieces ? left : left / 2;
            _fund(share, amount);
            left -= amount;
            _warp(time + BOUNDARY);
        }
        vm.expectRevert(
            abi.encodeWithSelector(IClusterShareNotices.ClusterShare_FundingOverLimit.selector, 1, 0)
        );
        share.fund(1);
        _warp(time + 3 * STREAM);
        StreamState memory stream = share.streamState();
        require(stream.unstreamed == 0 && stream.ratePerSecond == 0, "not all was streamed");
        uint256 earned = share.accountState(HOLDER).earned;
        require(
            earned + stream.indexRemainder + stream.fundingRemainder == MAX_FUNDED * SCALE,
            "a width overflowed"
        );
        require(MAX_FUNDED * SCALE - earned < SCALE / 2 ** 32, "more than dust is left");
        require(share.claimFor(HOLDER) == MAX_FUNDED - 1, "a claim did not pay all but the last fraction");
        // What is left has no whole unit, and what could ever be earned still fits beside what was claimed.
        require(share.claimedUsd6(HOLDER) == MAX_FUNDED - 1, "claimed does not fit");
        _transfer(share, HOLDER, OTHER, 1e6);
        require(share.balanceOf(HOLDER) == 0 && share.balanceOf(OTHER) == 1e6, "shares do not move");
    }

    function test_issue__largest_supply__earns_all_but_a_unit(uint256 part, uint256 amount) external {
        part = _bound(part, 0, MAX_SUPPLY);
        amount = _bound(amount, 1, 1e15);
        _issue(share, HOLDER, MAX_SUPPLY);
        vm.expectRevert(
            abi.encodeWithSelector(IClusterShareNotices.ClusterShare_OverAuthorised.selector, 1, 0)
        );
        this.issueTo(OTHER, 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IClusterShareNotices.ClusterShare_OverAuthorised.selector, type(uint256).max, 0
            )
        );
        this.issueTo(OTHER, type(uint256).max);
        _transfer(share, HOLDER, OTHER, part);
        _fund(share, amount);
        _warp(time + 2 * STREAM);
        uint256 earned = share.earnedUsd6(HOLDER) + share.earnedUsd6(OTHER);
        require(earned <= amount && amount - earned <= 2, "a holder lost a unit or more");
    }

    function issueTo(address to, uint256 amount) external {
        _issue(share, to, amount);
    }

    /// @dev Against the definition, in whole numbers: each funding for itself, at the second before, of and after every
    ///      boundary of two days, and at one second in between.
    function test_unstreamed__around_every_boundary__is_the_sum_of_straight_lines(uint256 seed) external {
        _issue(share, HOLDER, 1e12);
        uint256 count = _bound(seed, 1, 6);
        uint256[] memory amounts = new uint256[](count);
        uint256[] memory starts = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            // One in four starts exactly on a boundary, where the stream is the shortest.
            if (seed % 4 == 0) _warp((time / BOUNDARY + 1) * BOUNDARY);
            else _warp(time + _bound(seed >> 8, 1, BOUNDARY));
            (amounts[i], starts[i]) = (_bound(seed >> 128, 1, 1e15), time);
            _fund(share, amounts[i]);
        }
        uint256 first = time / BOUNDARY + 1;
        for (uint256 n = first; n < first + 12; ++n) {
            for (uint256 at = n * BOUNDARY - 1; at <= n * BOUNDARY + 1; ++at) {
                _warp(at);
                _compare(amounts, starts);
            }
            _warp(time + seed % (BOUNDARY - 3));
            _compare(amounts, starts);
        }
        require(share.streamState().unstreamed == 0, "something streams on");
    }

    /// @dev Fundings exactly eight boundaries apart share a place in the ring; so do those 8k apart.
    function test_fund__after_a_silence_of_any_number_of_boundaries__streams_alone(uint256 boundaries)
        external
    {
        boundaries = _bound(boundaries, 7, 400);
        _issue(share, HOLDER, 1e12);
        _warp(START + 77);
        _fund(share, 5e9);
        _warp(START + boundaries * BOUNDARY);
        require(share.streamState().unstreamed == 0, "the first funding streams on");
        _fund(share, 3e9);
        StreamState memory stream = share.streamState();
        require(stream.unstreamed + stream.fundingRemainder - _carried(5e9) == 3e9 * SCALE, "not the funding");
        (uint256[] memory ends, uint256[] memory rates) = share.streamEnds();
        require(ends.length == 1 && rates[0] == stream.ratePerSecond, "the first funding's rate came back");
        require(ends[0] == START + boundaries * BOUNDARY + STREAM, "another end");
        require(stream.ratePerSecond <= (3e9 << 52) / STREAM + 1, "the rate is more than the funding's");
    }

    function test_claim_transfer_fund__after_any_silence__bounded_work(uint256 seed, uint256 silence)
        external
    {
        _issue(share, HOLDER, 1e12);
        _issue(share, OTHER, 1e12);
        for (uint256 i; i < 7; ++i) {
            _fund(share, 1e9);
            _warp(time + BOUNDARY);
        }
        _warp(time + _bound(silence, 0, seed % 2 == 0 ? 2 * STREAM : 100 * 365 days));
        usd.mint(address(this), 1e6);
        uint256 before = gasleft();
        if (seed % 3 == 0) share.claimFor(HOLDER);
        else if (seed % 3 == 1) _transfer(share, HOLDER, OTHER, 1e6);
        else share.fund(1e6);
        require(before - gasleft() < GAS_LIMIT, "work is not bounded");
    }

    /// @dev In 2⁻⁷² units each line is rounded once, and each funding carries less than 2⁻³⁵ to the next.
    function _compare(uint256[] memory amounts, uint256[] memory starts) private view {
        uint256 expected;
        for (uint256 i; i < amounts.length; ++i) {
            uint256 end = (starts[i] + STREAM + BOUNDARY - 1) / BOUNDARY * BOUNDARY;
            if (time < end) expected += amounts[i] * SCALE * (end - time) / (end - starts[i]);
        }
        uint256 unstreamed = share.streamState().unstreamed;
        uint256 difference = unstreamed > expected ? unstreamed - expected : expected - unstreamed;
        require(difference <= amounts.length * (SCALE / 2 ** 35 + 1), "not a sum of straight lines");
    }

    /// @dev What a first funding at START + 77 carries to the next.
    function _carried(uint256 amountUsd6) private pure returns (uint256) {
        return ((amountUsd6 << 52) % (STREAM + BOUNDARY - 77)) << 20;
    }
}
