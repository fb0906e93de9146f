// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterFigures} from "../types/ClusterFigures.sol";
import {ClusterId} from "../types/ClusterId.sol";

/// @dev A cluster's Posted epochs, in order: those after its last Final epoch, up to `lastEpoch`. It is empty if
///      `lastEpoch` is not above the last Final epoch; then the rest of the slot is of the past.
/// @param lastEpoch The last epoch that was queued.
/// @param lastFinalAt When that one may be counted; a later one never may sooner.
/// @param firstTimely The first queued epoch that was posted within its grace; 0 if there is none.
/// @param lastTimely The last such epoch, if there is one.
/// @param heldCount How many of the queued epochs are held.
/// @param posted The queued figures by epoch.
/// @param held Which of them are held by a dispute, whatever their window says.
struct PendingQueue {
    uint32 lastEpoch;
    uint40 lastFinalAt;
    uint32 firstTimely;
    uint32 lastTimely;
    uint32 heldCount;
    mapping(uint32 epoch => PendingFigures) posted;
    mapping(uint32 epoch => Hold) held;
}

/// @dev Whether an epoch is held, and if so whether its energy came in time.
enum Hold {
    None,
    Timely,
    Late
}

/// @dev One Posted epoch of one cluster. One slot.
/// @param values The figures without their cluster.
/// @param finalAt Unix second from which they may be counted.
/// @param nextTimely The next queued epoch that was posted within its grace; 0 if there is none.
/// @param rootIndex Which of the roots of reports of the epoch that were queued is that of theirs.
struct PendingFigures {
    uint160 values;
    uint40 finalAt;
    uint32 nextTimely;
    uint24 rootIndex;
}

/// @notice Figures that wait for the end of their dispute window, first in, first out.
/// @dev Epochs posted within their grace are chained: which is the first of them decides what energy is resolved,
///      and must be known without a search through the late ones before it.
library PendingQueues {
    using PendingQueues for PendingFigures;

    /// @notice Append the figures of the epoch after the last, to be counted at `earliest` or, if that is later,
    ///         when those before them are.
    function push(
        PendingQueue storage queue,
        ClusterFigures measured,
        uint32 epoch,
        uint24 rootIndex,
        bool late,
        uint256 earliest
    ) internal returns (uint40 finalAt) {
        uint40 lastFinalAt = queue.lastFinalAt;
        finalAt = earliest > lastFinalAt ? uint40(earliest) : lastFinalAt;
        if (!late) {
            if (queue.firstTimely == 0) queue.firstTimely = epoch;
            else queue.posted[queue.lastTimely].nextTimely = epoch;
            queue.lastTimely = epoch;
        }
        queue.lastEpoch = epoch;
        queue.lastFinalAt = finalAt;
        queue.posted[epoch] = PendingFigures({
            values: uint160(ClusterFigures.unwrap(measured)),
            finalAt: finalAt,
            nextTimely: 0,
            rootIndex: rootIndex
        });
    }

    /// @notice Take out `epoch`, the first in the queue, if its window is over and nothing holds it.
    function pop(PendingQueue storage queue, ClusterId clusterId, uint32 epoch)
        internal
        returns (bool over, ClusterFigures counted)
    {
        PendingFigures memory first = queue.posted[epoch];
        if (block.timestamp < first.finalAt) return (false, counted);
        if (queue.heldCount != 0 && queue.held[epoch] != Hold.None) return (false, counted);
        if (queue.firstTimely == epoch) queue.firstTimely = first.nextTimely;
        delete queue.posted[epoch];
        return (true, first.figures(clusterId));
    }

    /// @notice Keep a queued epoch from being counted.
    /// @return late Whether it was posted after its grace: those posted within it are chained.
    function hold(PendingQueue storage queue, uint32 epoch) internal returns (bool late) {
        late = queue.posted[epoch].nextTimely == 0 && queue.lastTimely != epoch;
        queue.held[epoch] = late ? Hold.Late : Hold.Timely;
        ++queue.heldCount;
    }

    /// @notice Let a held epoch go, with these figures in the place of what was posted.
    function settle(PendingQueue storage queue, uint32 epoch, ClusterFigures settled)
        internal
        returns (ClusterFigures counted)
    {
        counted = queue.held[epoch] == Hold.Late ? settled.withoutEnergy() : settled;
        queue.posted[epoch].values = uint160(ClusterFigures.unwrap(counted));
        delete queue.held[epoch];
        --queue.heldCount;
    }

    /// @notice The figures with their cluster.
    function figures(PendingFigures memory pending, ClusterId clusterId)
        internal
        pure
        returns (ClusterFigures)
    {
        return ClusterFigures.wrap(uint256(ClusterId.unwrap(clusterId)) << 160 | pending.values);
    }
}
