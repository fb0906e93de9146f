// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterId} from "../../types/ClusterId.sol";

/// @title IClusterShareNotices
/// @notice The events and errors of a ClusterShare, apart because two contracts emit them: see IClusterShare.
interface IClusterShareNotices {
    /// @notice `amountUsd6` arrived and streams until `endsAt`; `fundedUsd6` arrived so far.
    /// @dev `endsAt` is in stream time, which is Unix time unless the supply was zero for a while.
    event StreamFunded(address indexed funder, uint256 amountUsd6, uint256 endsAt, uint256 fundedUsd6);
    /// @notice `amountUsd6` of `owner`'s income was paid to `payee`; `claimedUsd6` was paid so far.
    event IncomeClaimed(
        address indexed owner, address indexed payee, uint256 amountUsd6, uint256 claimedUsd6
    );
    /// @notice `amountUsd6` of `owner`'s income that was assigned to `payee` was paid, to it or who succeeded it;
    ///         `claimedUsd6` so far.
    event AssignedIncomeClaimed(
        address indexed owner, address indexed payee, uint256 amountUsd6, uint256 claimedUsd6
    );
    event PayeeChanged(address indexed owner, address indexed previousPayee, address indexed payee);
    /// @notice `owner`'s encumbrance to `taker` is `amount` and lasts until `expiresAt`.
    event EncumbranceExtended(
        address indexed owner, address indexed taker, uint256 amount, uint256 expiresAt
    );
    /// @notice Of what `owner` encumbered to `taker`, the income of `assigned` shares goes to `payee` now.
    event IncomeAssigned(
        address indexed owner, address indexed taker, address indexed payee, uint256 assigned
    );
    /// @notice All that `lost` had belongs to `replacement`.
    event HolderRecovered(
        address indexed lost, address indexed replacement, uint256 balance, uint256 encumbered, uint256 earned
    );
    /// @notice The holders are final, with `supply` shares among them.
    event BooksClosed(uint256 supply);

    error ClusterShare_NotTheWaterfall(address account);
    error ClusterShare_NotEnforcement(address account);
    error ClusterShare_NotTheDesk(address account);
    /// @notice The cluster is not in Funding: shares are issued before it goes live.
    error ClusterShare_NotInFunding(ClusterId clusterId);
    error ClusterShare_NotRetired(ClusterId clusterId);
    /// @notice The cluster is retired and its books are closed.
    error ClusterShare_BooksClosed(ClusterId clusterId);
    /// @notice `amount` shares more were asked for; `limit` are authorised and not issued.
    error ClusterShare_OverAuthorised(uint256 amount, uint256 limit);
    /// @notice The supply would be `supply`: not zero and below `minimum`.
    error ClusterShare_SupplyTooSmall(uint256 supply, uint256 minimum);
    /// @notice `amount` is not frozen but more than `available` = max(0, balance − encumbered − frozen).
    error ClusterShare_InsufficientAvailable(address account, uint256 available, uint256 amount);
    /// @notice Funding of `amountUsd6`, of which `received` arrived.
    error ClusterShare_FundingShort(uint256 amountUsd6, uint256 received);
    error ClusterShare_ZeroFunding();
    /// @notice `amountUsd6` is more than `limit`, what is left of the total for which the index is sized.
    error ClusterShare_FundingOverLimit(uint256 amountUsd6, uint256 limit);
    error ClusterShare_UnsupportedStablecoin(address stablecoin, uint8 decimals, uint8 required);
    error ClusterShare_NothingToClaim(address owner);
    /// @notice `owner` is frozen whole: their income stays where it is, also what others have assigned to them.
    error ClusterShare_IncomeFrozen(address owner);
    /// @notice Not the share contract itself; for assigned income neither the owner nor nobody.
    error ClusterShare_InvalidPayee(address payee);
    error ClusterShare_LengthMismatch(uint256 accounts, uint256 amounts);
    /// @notice `taker` does not hold ENCUMBRANCER_ROLE.
    error ClusterShare_NotAnEncumbrancer(address taker);
    error ClusterShare_TooManyTakers(address owner, uint256 limit);
    error ClusterShare_ZeroEncumbrance();
    /// @notice `expiresAt` is not later than `now_`.
    error ClusterShare_ExpiryInPast(uint256 expiresAt, uint256 now_);
    /// @notice The encumbrance to `taker` ended at `expiresAt`.
    error ClusterShare_EncumbranceExpired(address owner, address taker, uint256 expiresAt);
    /// @notice The encumbrance to `taker` stands until `expiresAt`.
    error ClusterShare_EncumbranceStands(address owner, address taker, uint256 expiresAt);
    /// @notice The income of `units` shares is not free to assign: of what is encumbered to `taker`, `limit` is.
    error ClusterShare_AssignmentOverEncumbrance(address taker, uint256 units, uint256 limit);
    /// @notice The income of what is encumbered to `taker` is assigned to `payee`.
    error ClusterShare_AssignedToAnother(address taker, address payee);
    /// @notice An order may take what is frozen: `frozen`, not `amount`.
    error ClusterShare_NotFrozen(address account, uint256 frozen, uint256 amount);
    /// @notice `lost` is `replacement` or was recovered before, `replacement` was recovered or has encumbrances, or either
    ///         is nobody.
    error ClusterShare_CannotRecover(address lost, address replacement);
}
