// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IAuthority} from "../../access/interfaces/IAuthority.sol";
import {IHoldingRules} from "../../compliance/interfaces/IHoldingRules.sol";
import {IMoveRefusals} from "../../compliance/interfaces/IMoveRefusals.sol";
import {IClusterRegistry} from "../../registry/interfaces/IClusterRegistry.sol";
import {ClusterId} from "../../types/ClusterId.sol";
import {ICapitalBook} from "./ICapitalBook.sol";
import {IClusterShareNotices} from "./IClusterShareNotices.sol";
import {IERC7246} from "./IERC7246.sol";
import {IERC7943Fungible} from "./IERC7943Fungible.sol";

/// @notice The contracts that a share works with, fixed at its construction.
/// @param identities Who may hold, and how much.
/// @param waterfall The only account that funds.
/// @param stablecoin What income is paid in; it must have 6 decimals.
/// @param enforcement The only account that freezes, moves by order and recovers: the Enforcement contract.
/// @param desk The only account that acts for a holder who signed: the HolderDesk contract.
/// @param capital Told before a balance moves on closed books.
struct ShareSystem {
    IAuthority authority;
    IClusterRegistry registry;
    IHoldingRules identities;
    address waterfall;
    IERC20Metadata stablecoin;
    address enforcement;
    address desk;
    ICapitalBook capital;
}

/// @notice The stream at one second, exactly. With `scale` = 2^72 and all amounts in 10⁻⁶ dollars,
///         fundedUsd6 × scale = Σ claimed × scale + Σ earned + indexRemainder + unstreamed + fundingRemainder,
///         where Σ runs over all accounts that ever held (see `accountState`) and all interests in their income (see
///         `interestState`), and every term is in 1/scale.
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
/// @param frozen Shares held by order; may be more than the balance. 2^64 − 1 stands for all, and holds income too.
/// @param assigned Of the encumbered shares, those whose income goes to somebody else.
/// @param claimedUsd6 Paid out so far, without assigned income.
/// @param earned Earned and not paid out, in 2⁻⁷² × 10⁻⁶ dollars: the fraction of a unit is kept.
/// @param payee Where claims go; the holder itself unless they chose another.
struct AccountState {
    uint256 balance;
    uint256 encumbered;
    uint256 frozen;
    uint256 assigned;
    uint256 claimedUsd6;
    uint256 earned;
    address payee;
}

/// @notice What a taker has of an owner.
/// @param amount Shares encumbered.
/// @param assigned Of those, shares whose income goes to `payee`.
/// @param expiresAt Unix second from which the taker can deliver no more and anyone may release; 2^40 − 1 is never.
/// @param payee Who earns the assigned income; the zero address while nothing is assigned.
struct Encumbrance {
    uint64 amount;
    uint64 assigned;
    uint40 expiresAt;
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
///         **Encumbrance** (ERC-7246). Shares are pledged without leaving their owner, who goes on earning and voting,
///         to takers that hold ENCUMBRANCER_ROLE. A taker releases, or delivers with `transferFrom` to somebody who may
///         receive, while it holds the role and until the expiry that the owner set. The owner can assign the
///         income of encumbered shares, irrevocably while they are encumbered.
///
///         **Orders** (ERC-7943). Enforcement freezes, moves frozen shares, and recovers lost wallets. A freeze outranks an
///         encumbrance: available = max(0, balance − encumbered − frozen), and where it reaches into encumbrances, newest
///         first, only what it leaves of one can be delivered. A holder frozen whole (2^64 − 1) goes on earning and can
///         take nothing out; nor can those with an interest in that income. An order that takes more than is
///         unencumbered shrinks encumbrances, newest first, and calls no taker.
///
///         **The end.** When the cluster is retired the books are closed: shares move only by delivery or order, what was
///         earned stays claimable for ever, and what still streams goes on to its end.
///
/// @dev Assumes of the stablecoin: 6 decimals; balances change by transfers alone, by the amount stated. Incoming
///      amounts are measured by balance difference and refused if short. Outgoing transfers are the last thing a
///      claim does. A stablecoin that blacklists a holder stops that holder's claims alone.
///      Every move is put before `IHoldingRules.beforeMove`, whose refusals come through as they are.
interface IClusterShare is IERC20, IERC7943Fungible, IERC7246, IClusterShareNotices, IMoveRefusals {
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

    /// @notice Pay `payee` the whole units of `owner`'s income that were assigned to `payee`, by anyone; if `payee` was
    ///         recovered, its successor. Not while `owner` or who would be paid is frozen whole.
    function claimAssigned(address owner, address payee) external returns (uint256 amountUsd6);

    /// @notice Send the caller's later claims to `payee`; the zero address or the caller's own stands for the caller.
    function setPayee(address payee) external;

    /// @notice As `encumber`, until `expiresAt` (Unix second) or until when it stands already if that is later.
    ///         `encumber` alone never expires, and leaves the expiry of what stands already. What is over by then is
    ///         released first.
    function encumberUntil(address taker, uint256 amount, uint40 expiresAt) external;

    /// @notice Release, by anyone, what `owner` encumbered to `taker` when its time is over.
    function releaseExpired(address owner, address taker) external;

    /// @notice Assign the income of `units` more of the shares that the caller encumbered to `taker`, to `payee`, from now
    ///         on. It ends when and as far as the encumbrance does, never sooner. Not by a caller who is frozen whole.
    function assignIncome(address taker, uint256 units, address payee) external;

    /// @notice Move all that `lost` has to `replacement`: balance, frozen amount, encumbrances with their assigned income,
    ///         income with its fraction, votes. Payee, delegate and allowances of `lost` are cleared. `lost` must be
    ///         frozen whole; `replacement` must be able to receive and have no encumbrances. For Enforcement.
    function recover(address lost, address replacement) external;

    /// @notice Close the books of a retired cluster, by anyone.
    function closeBooks() external;

    /// @notice Pay `owner`'s income to `recipient`, as `owner` has signed. For the HolderDesk.
    function claimTo(address owner, address recipient) external returns (uint256 amountUsd6);

    /// @notice Set an allowance as `owner` has signed. For the HolderDesk.
    function approveFor(address owner, address spender, uint256 amount) external;

    /// @notice Delegate votes as `owner` has signed. For the HolderDesk.
    function delegateFor(address owner, address delegatee) external;

    /// @notice Encumber, and assign the income of `units` (0 for none), as `owner` has signed. For the HolderDesk.
    function encumberFor(
        address owner,
        address taker,
        uint256 amount,
        uint40 expiresAt,
        uint256 units,
        address payee
    ) external;

    /// @notice Income of `owner` that a claim would pay now, in whole 10⁻⁶ dollars, rounded down. Assigned income is
    ///         not in it. A holder that is frozen whole cannot take it out.
    function claimableUsd6(address owner) external view returns (uint256);

    /// @notice Income of `owner` since the start: claimed and claimable, rounded down.
    function earnedUsd6(address owner) external view returns (uint256);

    /// @notice Income paid out to `owner` or their payee so far.
    function claimedUsd6(address owner) external view returns (uint256);

    function payeeOf(address owner) external view returns (address);
    function accountState(address owner) external view returns (AccountState memory);
    function streamState() external view returns (StreamState memory);

    /// @notice The ends (stream time, Unix seconds) of the money that streams now and each one's rate in
    ///         2⁻⁵² × 10⁻⁶ dollars a second; at most seven, soonest first.
    function streamEnds() external view returns (uint256[] memory endsAt, uint256[] memory ratesPerSecond);

    /// @notice What `owner` encumbered to `taker`; zeros if nothing.
    function encumbranceOf(address owner, address taker) external view returns (Encumbrance memory);

    /// @notice To whom `owner` has encumbered, oldest first; at most MAX_TAKERS.
    function takersOf(address owner) external view returns (address[] memory);

    /// @notice `payee`'s interest in `owner`'s income.
    /// @return units Shares whose income goes to `payee` now.
    /// @return earned Earned and not paid, in 2⁻⁷² × 10⁻⁶ dollars.
    /// @return claimed Paid so far, in 10⁻⁶ dollars.
    function interestState(address owner, address payee)
        external
        view
        returns (uint256 units, uint256 earned, uint256 claimed);

    /// @notice To whom all that `lost` had was recovered; the zero address if it was not.
    function successorOf(address lost) external view returns (address);

    function booksClosed() external view returns (bool);
    function clusterId() external view returns (ClusterId);
}
