// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Authorised} from "./Authorised.sol";

/// @notice A guardian's brake on money coming in and on new risk. It lets go by itself after at most seven days
///         and cannot be put on again for as long as it was allowed to last, so that nobody can hold it for good.
///         It never touches claims or withdrawals.
abstract contract InflowPausable is Authorised {
    /// @notice Longest pause, and shortest time between the end of one and the start of the next, in seconds.
    uint256 public constant MAX_PAUSE_SECONDS = 7 days;

    /// @notice Unix second at which inflow opens again by itself; in the past when it is open.
    uint256 public inflowPausedUntil;

    /// @notice Inflow was paused until `untilAt` by `guardian`.
    event InflowPaused(address indexed guardian, uint256 untilAt);

    /// @notice Inflow was opened again before its time.
    event InflowResumed(address indexed guardian);

    /// @notice Inflow is paused until `untilAt`.
    error InflowPausable_Paused(uint256 untilAt);

    /// @notice A pause of `secondsAsked` is longer than `limit`, or is none.
    error InflowPausable_PauseOutOfRange(uint256 secondsAsked, uint256 limit);

    /// @notice The last pause was too recent; the next may begin at `notBefore`.
    error InflowPausable_TooSoon(uint256 notBefore);

    modifier whenInflowOpen() {
        if (block.timestamp < inflowPausedUntil) revert InflowPausable_Paused(inflowPausedUntil);
        _;
    }

    /// @notice Stop inflow for `duration` seconds, 1 to MAX_PAUSE_SECONDS. For the GUARDIAN_ROLE.
    function pauseInflow(uint256 duration) external restricted {
        if (duration == 0 || duration > MAX_PAUSE_SECONDS) {
            revert InflowPausable_PauseOutOfRange(duration, MAX_PAUSE_SECONDS);
        }
        uint256 notBefore = inflowPausedUntil == 0 ? 0 : inflowPausedUntil + MAX_PAUSE_SECONDS;
        if (block.timestamp < notBefore) revert InflowPausable_TooSoon(notBefore);
        inflowPausedUntil = block.timestamp + duration;
        emit InflowPaused(msg.sender, inflowPausedUntil);
    }

    /// @notice Open inflow at once. For the GUARDIAN_ROLE.
    function resumeInflow() external restricted {
        if (block.timestamp < inflowPausedUntil) inflowPausedUntil = block.timestamp;
        emit InflowResumed(msg.sender);
    }
}
