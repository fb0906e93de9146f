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

/// @notice A cluster's proceeds, exactly. With `scale` = 2^72 and all amounts in 10⁻⁶ dollars,
///         receivedUsd6 × scale = index × supply + remainder
///                              = paidUsd6 × scale + Σ earnedCapital(owner) + remainder,
///         where Σ runs over all accounts that have held since the books were closed.
/// @param receivedUsd6 All that was ever paid in.
/// @param paidUsd6 All that was claimed.
/// @param index Proceeds of one share unit, in 2⁻⁷² × 10⁻⁶ dollars.
/// @param remainder Too little to move the index: carried to the next deposit, in 2⁻⁷² × 10⁻⁶ dollars.
struct ProceedsState {
    uint256 receivedUsd6;
    uint256 paidUsd6;
    uint256 index;
    uint256 remainder;
}

/// @title CapitalProceeds
/// @notice What is left of a retired cluster: proceeds of sale and insurance, divided among the holders on its closed books
///         in proportion to their shares, by pull, for ever. Capital, not income: it never enters the waterfall or the
///         stream, and an assignment of income does not reach it. Refused while a lender of the cluster is due more than
///         the waterfall has assigned: the lenders' part of a sale goes through the waterfall, first.
///
///         A deposit credits those who hold at that second. What a balance has brought stays with its owner when an
///         order or a taker moves the shares afterwards; what a recovered wallet had is paid to the wallet that replaced it.
///
/// @dev Assumes of the stablecoin: 6 decimals; balances change by transfers alone. Short arrivals are refused. The transfer
///      is the last thing a claim does, and one refused (a blacklisted payee) stops that holder's claim alone.
///      Assumes of the registered share: its supply does not change once its books are closed, and it calls `settle`
///      for both sides before a balance does. One that breaks this harms its own cluster: no cluster is paid more than it
///      received. Assumes of a tranche what ITranche says of retired clusters.
interface ICapitalProceeds is ICapitalBook {
    /// @notice `amountUsd6` arrived for the cluster's holders; `totalUsd6` arrived so far.
    event ProceedsReceived(
        ClusterId indexed clusterId,
        address indexed payer,
        ProceedsKind kind,
        bytes32 indexed reference_,
        uint256 amountUsd6,
        uint256 totalUsd6
    );
    /// @notice `amountUsd6` of `owner`'s capital was paid to `payee`; `totalUsd6` was paid so far.
    event CapitalClaimed(
        ClusterId indexed clusterId,
        address indexed owner,
        address indexed payee,
        uint256 amountUsd6,
        uint256 totalUsd6
    );

    error CapitalProceeds_UnsupportedStablecoin(address stablecoin, uint8 decimals, uint8 required);
    /// @notice The cluster is not retired.
    error CapitalProceeds_BooksOpen(ClusterId clusterId);
    /// @notice All shares were burnt before the books were closed.
    error CapitalProceeds_NoHolders(ClusterId clusterId);
    error CapitalProceeds_ZeroAmount();
    /// @notice Of `amountUsd6`, `received` arrived.
    error CapitalProceeds_Short(uint256 amountUsd6, uint256 received);
    /// @notice `amountUsd6` is more than `limit`, what is left of the total for which the index is sized.
    error CapitalProceeds_OverLimit(uint256 amountUsd6, uint256 limit);
    /// @notice The tranches of the cluster are due `owedUsd6` more than the waterfall has assigned to them.
    error CapitalProceeds_LendersUnpaid(ClusterId clusterId, uint256 owedUsd6);
    error CapitalProceeds_NothingToClaim(ClusterId clusterId, address owner);
    /// @notice `owner` is frozen whole.
    error CapitalProceeds_Frozen(ClusterId clusterId, address owner);
    /// @notice The share credits `amountUsd6`; the cluster received `limit` that was not paid.
    error CapitalProceeds_Overdrawn(uint256 amountUsd6, uint256 limit);

    /// @notice Take `amountUsd6` of stablecoin from the caller, who has approved it, as capital of the cluster's holders.
    ///         Closes the books of the retired cluster if nobody has. Open to all.
    /// @param reference_ Digest of the document that it rests on.
    function depositProceeds(ClusterId clusterId, uint256 amountUsd6, ProceedsKind kind, bytes32 reference_)
        external;

    /// @notice Pay the whole units of `owner`'s capital, by anyone, to the payee that the owner set in the share; of a
    ///         recovered wallet to the payee of the wallet that replaced it. Not while either is frozen whole.
    /// @return amountUsd6 What was paid; never zero (NothingToClaim instead).
    function claimCapital(ClusterId clusterId, address owner) external returns (uint256 amountUsd6);

    /// @notice Capital of `owner` in whole 10⁻⁶ dollars, rounded down. A holder that is frozen whole cannot take it out.
    function claimableCapitalUsd6(ClusterId clusterId, address owner) external view returns (uint256);

    /// @notice Capital of `owner` that was not paid, in 2⁻⁷² × 10⁻⁶ dollars: the fraction of a unit is kept.
    function earnedCapital(ClusterId clusterId, address owner) external view returns (uint256);

    /// @notice Capital of `owner` paid out so far.
    function capitalPaidUsd6(ClusterId clusterId, address owner) external view returns (uint256);

    function proceeds(ClusterId clusterId) external view returns (ProceedsState memory);
}
