// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ICapitalBook} from "../../share/interfaces/ICapitalBook.sol";
import {ClusterId} from "../../types/ClusterId.sol";

/// @notice What a retired cluster's proceeds come from.
enum ProceedsKind {
    Sale,
    Insurance,
    Other
}

/// @notice A cluster's proceeds, in 10⁻⁶ dollars: received = Σ credited + Σ still to credit + remainder, see the README.
struct ProceedsState {
    uint256 receivedUsd6;
    uint256 paidUsd6;
    uint256 index;
    uint256 remainder;
}

/// @title CapitalProceeds
/// @notice What is left of a retired cluster: proceeds of sale and insurance, divided among the holders on its closed books
///         in proportion to their shares, by pull, for ever. Capital, not income: it never enters the waterfall or the
///         stream. Refused while a lender of the cluster has not been paid all that is due.
interface ICapitalProceeds is ICapitalBook {
    event ProceedsReceived(
        ClusterId indexed clusterId,
        address indexed payer,
        ProceedsKind kind,
        bytes32 indexed reference_,
        uint256 amountUsd6,
        uint256 totalUsd6
    );
    event CapitalClaimed(
        ClusterId indexed clusterId,
        address indexed owner,
        address indexed payee,
        uint256 amountUsd6,
        uint256 totalUsd6
    );

    error CapitalProceeds_BooksOpen(ClusterId clusterId);
    error CapitalProceeds_NoShare(ClusterId clusterId);
    error CapitalProceeds_ZeroAmount();
    /// @notice Of `amountUsd6`, `received` arrived.
    error CapitalProceeds_Short(uint256 amountUsd6, uint256 received);
    error CapitalProceeds_NothingToClaim(ClusterId clusterId, address owner);
    /// @notice `owner` is frozen whole.
    error CapitalProceeds_Frozen(ClusterId clusterId, address owner);
    /// @notice The tranches of the cluster are owed `owedUsd6`.
    error CapitalProceeds_LendersUnpaid(ClusterId clusterId, uint256 owedUsd6);
    error CapitalProceeds_OverLimit(uint256 amountUsd6, uint256 limit);

    /// @notice Take `amountUsd6` of stablecoin from the caller, who has approved it, as capital of the cluster's holders.
    function depositProceeds(ClusterId clusterId, uint256 amountUsd6, ProceedsKind kind, bytes32 reference_)
        external;

    /// @notice Pay `owner`'s capital, by anyone, to the payee that the owner set in the share, or to the wallet that
    ///         replaced a recovered one.
    function claimCapital(ClusterId clusterId, address owner) external returns (uint256 amountUsd6);

    /// @notice What `claimCapital` would pay now, rounded down.
    function claimableCapitalUsd6(ClusterId clusterId, address owner) external view returns (uint256);
    function capitalPaidUsd6(ClusterId clusterId, address owner) external view returns (uint256);
    function proceeds(ClusterId clusterId) external view returns (ProceedsState memory);
}
