// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {ShareFixture} from "./ShareFixture.sol";

/// @notice Income against the exact rational over ten years, where an error could add up instead of cancelling.
contract PrecisionTest is ShareFixture {
    address private constant EVEN = address(0xE7E4);
    address private constant ODD = address(0x0DD);
    uint256 private constant SHARES = 1_000_000e6;
    uint256 private constant TEN_YEARS_DAYS = 3650;

    /// @dev One second past a boundary: the longest stream.
    uint256 private constant LONGEST = STREAM + BOUNDARY - 1;

    /// @dev Two holders swap all shares every day, and each day's income is chosen, among sixty-four amounts, so that
    ///      whatever a funding carries to the next one moves income from one of the two to the other. A funding runs
    ///      LONGEST seconds: STREAM of them for who holds on its day, the rest for who holds on the next.
    function test_earned__shares_swapped_daily_and_carries_steered_for_ten_years__within_one_unit() external {
        _open();
        ClusterShare share = _newShare();
        _issue(share, EVEN, SHARES);
        uint256 fundedUsd6;
        uint256 evenTimesDuration;
        uint256 carry;
        for (uint256 day; day < TEN_YEARS_DAYS; ++day) {
            bool even = day % 2 == 0;
            _warp(START + 1 + day * STREAM);
            if (day != 0) _transfer(share, even ? ODD : EVEN, even ? EVEN : ODD, SHARES);
            uint256 amountUsd6 = _steered(carry, even);
            _fund(share, amountUsd6);
            carry = share.streamState().fundingRemainder;
            fundedUsd6 += amountUsd6;
            evenTimesDuration += amountUsd6 * (even ? STREAM : LONGEST - STREAM);
        }
        _warp(time + STREAM);
        _transfer(share, ODD, EVEN, SHARES);
        _warp(time + STREAM);
        uint256 exact = evenTimesDuration * SCALE;
        uint256 earned = share.accountState(EVEN).earned * LONGEST;
        uint256 difference = earned > exact ? earned - exact : exact - earned;
        require(difference < SCALE * LONGEST, "a whole unit off");
        require(share.earnedUsd6(EVEN) + share.earnedUsd6(ODD) <= fundedUsd6, "more than was funded");
    }

    /// @dev The amount, out of sixty-four, that leaves the least (`low`) or the most to carry. `carry` counts
    ///      1/SCALE, of which the stream keeps the highest bits.
    function _steered(uint256 carry, bool low) private pure returns (uint256 best) {
        uint256 bestLeft = low ? type(uint256).max : 0;
        for (uint256 amount = 1e9; amount < 1e9 + 64; ++amount) {
            uint256 left = (amount * SCALE + carry) % (LONGEST << 20);
            if (low ? left <= bestLeft : left >= bestLeft) (best, bestLeft) = (amount, left);
        }
    }
}
