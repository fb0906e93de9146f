// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterId} from "../../types/ClusterId.sol";

/// @notice What a cluster was paid for.
enum IncomeKind {
    Inference,
    Lease,
    Forward,
    Other
}

/// @title IRevenueSink
/// @notice The one door through which a cluster's income enters.
interface IRevenueSink {
    /// @notice `payer` paid `amountUsd6` to a cluster, `totalUsd6` so far.
    event IncomeReceived(
        ClusterId indexed clusterId,
        address indexed payer,
        IncomeKind kind,
        bytes32 indexed ref,
        uint256 amountUsd6,
        uint256 totalUsd6
    );

    /// @notice Take `amountUsd6` of stablecoin from the caller, who has approved it, as income of the cluster.
    /// @param ref What it was for, in the payer's books: the root of the receipts, a lease, an invoice.
    /// @return receivedUsd6 What arrived, by balance difference.
    function receiveIncome(ClusterId clusterId, uint256 amountUsd6, IncomeKind kind, bytes32 ref)
        external
        returns (uint256 receivedUsd6);
}
