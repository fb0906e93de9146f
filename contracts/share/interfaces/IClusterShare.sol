// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ClusterId} from "../../types/ClusterId.sol";

/// @notice The stream at one second, exactly. With `scale` = 2^72 and all amounts in 10⁻⁶ dollars,
///         fundedUsd6 × scale = Σ claimed × scale + Σ earned + indexRemainder + unstreamed + fundingRemainder,
///         where Σ runs over all accounts that ever held (see `accountState`), and every term is in 1/scale.
/// @param fundedUsd6 All that was ever paid in.
/// @param index Income of one share unit since the start, in 2⁻⁷² × 10⁻⁶ dollars.
/// @param indexRemainder Streamed, but too little to move the index: carried to the next change of supply or rate.
/// @param unstreamed Still to stream, in 2⁻⁷² × 10⁻⁶ dollars.
/// @param fundingRemainder Too little to move a rate: carried to the next funding, in 2⁻⁷² × 10⁻⁶ dollars.
/// @param ratePerSecond What streams now to all holders together, in 2⁻⁵² × 10⁻⁶ dollars a second.
struct StreamState {
    uint256 fundedUsd6;
    uint256 index;
    uint256 indexRemainder;
    uint256 unstreamed;
    uint256 fundingRemainder;
    uint256 ratePerSecond;
}

/// @notice One holder at one second, exactly.
/// @param balance Shares held, in the smallest unit.
/// @param encumbered Of those, shares pledged or offered.
/// @param frozen Of those, shares held by order.
/// @param claimedUsd6 Paid out so far.
/// @param earned Earned and not paid out, in 2⁻⁷² × 10⁻⁶ dollars: the fraction of a unit is kept.
/// @param payee Where claims go; the holder itself unless they chose another.
struct AccountState {
    uint256 balance;
    uint256 encumbered;
    uint256 frozen;
    uint256 claimedUsd6;
    uint256 earned;
    address payee;
}

/// @title ClusterShare
/// @notice A fraction of one GPU cluster: an ERC-20 (with ERC-2612 permits and ERC-5805 votes) whose holders earn
///         the cluster's net income by the second, in stablecoin, for as long as they hold.
///
///         **The stream.** Each funding streams evenly from the second it arrives to an end at least STREAM_SECONDS
///         later, rounded up to a multiple of BOUNDARY_SECONDS; the rate is the sum of the live fundings. A funding
///         changes neither amount nor end of earlier money. A holder earns rate × balance / supply each second.
///         Transfers and claims settle the two accounts that they touch and write nothing global; work is bounded
///         after any silence. While the supply is zero the stream's clock stands still.
///
///         **Claims** are pulled, by anyone, and go to the holder or to the payee that the holder set.
///
/// @dev Assumes of the stablecoin: 6 decimals; balances change by transfers alone, by the amount stated. Incoming
///      amounts are measured by balance difference and refused if short. Outgoing transfers are the last thing a
///      claim does. A stablecoin that blacklists a holder stops that holder's claims alone.
///      Only the Waterfall funds. Only accounts that `IIdentityRegistry.canReceive` admits receive shares.
interface IClusterShare is IERC20 {
    /// @notice `amountUsd6` arrived and streams until `endsAt`; `fundedUsd6` arrived so far.
    /// @dev `endsAt` is in stream time, which is Unix time unless the supply was zero for a while.
    event StreamFunded(address indexed funder, uint256 amountUsd6, uint256 endsAt, uint256 fundedUsd6);
    /// @notice `amountUsd6` of `owner`'s income was paid to `payee`; `claimedUsd6` was paid so far.
    event IncomeClaimed(
        address indexed owner, address indexed payee, uint256 amountUsd6, uint256 claimedUsd6
    );
    event PayeeChanged(address indexed owner, address indexed previousPayee, address indexed payee);

    /// @notice `account` may not receive shares; the share contract itself never may.
    error ClusterShare_NotEligible(address account);
    error ClusterShare_NotTheWaterfall(address account);
    /// @notice The cluster is not in Funding: shares are issued before it goes live.
    error ClusterShare_NotInFunding(ClusterId clusterId);
    /// @notice `amount` shares more were asked for; `limit` are authorised and not issued.
    error ClusterShare_OverAuthorised(uint256 amount, uint256 limit);
    /// @notice The supply would be `supply`: not zero and below `minimum`.
    error ClusterShare_SupplyTooSmall(uint256 supply, uint256 minimum);
    /// @notice `amount` is more than `available` = max(0, balance − encumbered − frozen).
    error ClusterShare_InsufficientAvailable(address account, uint256 available, uint256 amount);
    /// @notice Funding of `amountUsd6`, of which `received` arrived.
    error ClusterShare_FundingShort(uint256 amountUsd6, uint256 received);
    error ClusterShare_ZeroFunding();
    /// @notice `amountUsd6` is more than `limit`, what is left of the total for which the index is sized.
    error ClusterShare_FundingOverLimit(uint256 amountUsd6, uint256 limit);
    error ClusterShare_UnsupportedStablecoin(address stablecoin, uint8 decimals, uint8 required);
    error ClusterShare_NothingToClaim(address owner);
    /// @notice The share contract itself cannot be a payee.
    error ClusterShare_InvalidPayee(address payee);
    error ClusterShare_LengthMismatch(uint256 accounts, uint256 amounts);

    /// @notice Issue shares to eligible accounts, up to the authorised number, while the cluster is in Funding.
    ///         For the cluster's ISSUER.
    function issue(address[] calldata accounts, uint256[] calldata amounts) external;

    /// @notice Destroy `amount` of the caller's available shares. The supply must stay zero or at least MIN_SUPPLY.
    function burn(uint256 amount) external;

    /// @notice Take `amountUsd6` of stablecoin from the Waterfall, who has approved it, and stream it.
    function fund(uint256 amountUsd6) external;

    /// @notice Pay the caller's whole units of earned income to the caller's payee.
    /// @return amountUsd6 What was paid; never zero (NothingToClaim instead).
    function claim() external returns (uint256 amountUsd6);

    /// @notice The same for `owner`, by anyone; it goes to the owner or the payee that the owner set.
    function claimFor(address owner) external returns (uint256 amountUsd6);

    /// @notice Send the caller's later claims to `payee`; the zero address or the caller's own stands for the caller.
    function setPayee(address payee) external;

    /// @notice Income of `owner` that a claim would pay now, in whole 10⁻⁶ dollars, rounded down.
    function claimableUsd6(address owner) external view returns (uint256);

    /// @notice Income of `owner` since the start: claimed and claimable, rounded down.
    function earnedUsd6(address owner) external view returns (uint256);

    /// @notice Income paid out to `owner` or their payee so far.
    function claimedUsd6(address owner) external view returns (uint256);

    /// @notice max(0, balance − encumbered − frozen) of `owner`.
    function availableBalanceOf(address owner) external view returns (uint256);

    function payeeOf(address owner) external view returns (address);
    function accountState(address owner) external view returns (AccountState memory);
    function streamState() external view returns (StreamState memory);

    /// @notice The ends (stream time, Unix seconds) of the money that streams now and each one's rate in
    ///         2⁻⁵² × 10⁻⁶ dollars a second; at most seven, soonest first.
    function streamEnds() external view returns (uint256[] memory endsAt, uint256[] memory ratesPerSecond);

    function clusterId() external view returns (ClusterId);
    function STABLECOIN() external view returns (IERC20);
}
