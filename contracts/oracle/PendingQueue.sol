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
/// @param posted The queued figures by epoch.
struct PendingQueue {
    uint32 lastEpoch;
    uint40 lastFinalAt;
    uint32 firstTimely;
    uint32 lastTimely;
    mapping(uint32 epoch => PendingFigures) posted;
}

/// @dev One Posted epoch of one cluster. One slot.
/// @param values The figures without their cluster.
/// @param finalAt Unix second from which they may be counted.
/// @param nextTimely The next queued epoch that was posted within its grace; 0 if there is none.
struct PendingFigures {
    uint160 values;
    uint40 finalAt;
    uint32 nextTimely;
}

/// @notice Figures that wait for the end of their dispute window, first in, first out.
/// @dev Epochs posted within their grace are chained: which is the first of them decides what energy is resolved,
///      and must be known without a search through the late ones before it.
library PendingQueues {
    /// @notice Append the figures of the epoch after the last, to be counted at `earliest` or, if that is later,
    ///         when those before them are.
    function push(
        PendingQueue storage queue,
        ClusterFigures figures,
        uint32 epoch,
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
            values: uint160(ClusterFigures.unwrap(figures)), finalAt: finalAt, nextTimely: 0
        });
    }

    /// @notice Take out `epoch`, the first in the queue, if its window is over.
    function pop(PendingQueue storage queue, ClusterId clusterId, uint32 epoch)
        internal
        returns (bool over, ClusterFigures figures)
    {
        PendingFigures memory first = queue.posted[epoch];
        if (block.timestamp < first.finalAt) return (false, figures);
        if (queue.firstTimely == epoch) queue.firstTimely = first.nextTimely;
        delete queue.posted[epoch];
        return (true, ClusterFigures.wrap(uint256(ClusterId.unwrap(clusterId)) << 160 | first.values));
    }
}
