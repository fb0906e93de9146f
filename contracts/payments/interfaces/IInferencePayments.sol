// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IModelRegistry} from "../../registry/interfaces/IModelRegistry.sol";
import {ClusterId} from "../../types/ClusterId.sol";
import {ModelId} from "../../types/ModelId.sol";
import {Work} from "../../types/Work.sol";

/// @notice What a payer has here.
/// @param balanceUsd6 Free to be collected, locked or withdrawn, in 10⁻⁶ dollars; what is locked is not in it.
/// @param requestedUsd6 Of that, what is to be withdrawn; it can be collected until it is. A gateway counts on the rest.
/// @param withdrawableAt Unix second from which it may be; 0 if none is requested, or no longer.
/// @param nonce What the payer's next signed authorisation of a session key must carry.
struct PayerAccount {
    uint256 balanceUsd6;
    uint256 requestedUsd6;
    uint256 withdrawableAt;
    uint256 nonce;
}

/// @notice What one key of a payer may spend at one gateway. The payer is a key of its own, without limit or expiry.
/// @param limitUsd6 Most that may ever be collected, in 10⁻⁶ dollars.
/// @param expiresAt Unix second from which nothing more is collected.
/// @param collectedUsd6 All that was ever collected.
/// @param lockedUsd6 What only this gateway can collect; anybody's again once it is released.
/// @param lockedUntil Unix second from which anybody may release it.
struct Channel {
    uint256 limitUsd6;
    uint256 expiresAt;
    uint256 collectedUsd6;
    uint256 lockedUsd6;
    uint256 lockedUntil;
}

/// @notice A payer's word on a session key: see `authorise`.
/// @param nonce The payer's present one: every act on a session key uses one up, so that an older word cannot come later.
/// @param deadline Last Unix second at which it may be brought.
struct SessionAuthorization {
    address payer;
    address key;
    address gateway;
    uint256 limitUsd6;
    uint256 expiresAt;
    uint256 nonce;
    uint256 deadline;
}

/// @notice Why a voucher was not collected in full.
/// - Unauthorised: its signature leads to no key of that payer for this gateway: forged, of another gateway, chain or
///   contract, or of a key that was never authorised or was revoked before it spent anything.
/// - Expired: its key is out of time.
/// - OverLimit: it promises more than its key may.
/// - InsufficientBalance: the payer has not got it, or has locked it for others.
/// - OutOfStep: its parts were packed for another amount collected than the channel's. Nothing of it is collected; packed
///   anew, with the parts that are left, it can be.
enum Shortfall {
    Unauthorised,
    Expired,
    OverLimit,
    InsufficientBalance,
    OutOfStep
}

/// @title InferencePayments
/// @notice A customer pays by the inference without a transaction for each: it has a balance here, and signs for each request
///         how much a gateway may have taken in all. Now and then the gateway collects from any number of payers at once
///         what is newly due, as income of the clusters that did the work.
///
///         *Voucher.* `Voucher(address payer,address gateway,uint256 cumulativeUsd6)` in the EIP-712 domain
///         ("Rackstream InferencePayments", "1", chain id, this contract), signed by the payer or by a session key.
///         The code of a payer that is a contract is asked for `AccountVoucher`, with the same fields (ERC-1271): a key
///         that is its owner too signs for one of the two. Amounts are cumulative in each channel (payer, key, gateway): the largest wins, a replay is nothing, and channels know
///         nothing of each other.
///
///         *Session key.* A hot key that the payer lets sign vouchers for one gateway, up to a limit and a time.
///
///         *Lock.* With its key's consent a gateway sets a part of a payer's balance aside for a channel, for a while: nobody
///         else can collect it and the payer cannot withdraw it. Without a lock a promise is as good as the balance
///         when it is collected.
///
///         *Withdrawal.* It takes WITHDRAWAL_DELAY_SECONDS in public, in which what was promised can still be collected. A
///         request lapses WITHDRAWAL_WINDOW_SECONDS later. All payments out are pulled.
///
///         *Royalty.* Income is for a work: a cluster's, with a model. If that is one of `IModelRegistry`, its royalty of
///         what was paid, rounded down, is owed to whom it is to be paid to at that second; the cluster gets the rest.
///
///         Exactly, but for what was sent here without a call:
///
///             stablecoin held = Σ balances + Σ locked + Σ owed to clusters + owed to the treasury + Σ royalties owed
///
/// @dev It assumes of the stablecoin: 6 decimals, EIP-2612 and EIP-3009 with signatures as bytes for the functions that
///      are named after them. Arrivals are measured by balance difference.
interface IInferencePayments {
    /// @notice `amountUsd6` arrived from `from` for `payer`, who now has a balance of `balanceUsd6`.
    event Deposited(address indexed payer, address indexed from, uint256 amountUsd6, uint256 balanceUsd6);
    /// @notice `gateway` gave `amountUsd6` back for work not done, as `receiptHash` says.
    event Refunded(
        address indexed gateway,
        address indexed payer,
        bytes32 indexed receiptHash,
        uint256 amountUsd6,
        uint256 balanceUsd6
    );
    /// @notice `from` paid for inference, and gave `creditedUsd6` of it to payers' balances.
    /// @param entries A word for each: payer 160 bits, amount 96, in 10⁻⁶ dollars.
    event Credited(
        address indexed from, bytes32 indexed receiptsRoot, uint256 creditedUsd6, uint256[] entries
    );
    /// @notice Zero took a request back. What is collected or locked cuts a request to what stays free, without another of
    ///         these.
    event WithdrawalRequested(address indexed payer, uint256 requestedUsd6, uint256 withdrawableAt);
    event Withdrawn(address indexed payer, uint256 amountUsd6, uint256 balanceUsd6);
    event SessionAuthorised(
        address indexed payer,
        address indexed key,
        address indexed gateway,
        uint256 limitUsd6,
        uint256 expiresAt
    );
    /// @notice Nothing but what is locked, until `expiresAt`, can be collected of what the key signed.
    event SessionRevoked(
        address indexed payer,
        address indexed key,
        address indexed gateway,
        uint256 limitUsd6,
        uint256 expiresAt
    );
    /// @notice `addedUsd6` more, `lockedUsd6` in all, are set aside for the channel.
    event Locked(
        address indexed payer,
        address indexed key,
        address indexed gateway,
        uint256 addedUsd6,
        uint256 lockedUsd6,
        uint256 lockedUntil
    );
    /// @notice What was locked is the payer's free balance again.
    event Released(
        address indexed payer,
        address indexed key,
        address indexed gateway,
        uint256 amountUsd6,
        uint256 balanceUsd6
    );
    /// @notice A gateway collected `collectedUsd6` from all payers together.
    /// @param receiptsRoot Merkle root of the receipts that justify amounts and allocation.
    /// @param entries A word for each voucher that brought something: payer 160 bits, the last 40 of the key, newly
    ///        collected 56, in 10⁻⁶ dollars. A payer can make two keys with the same last 40 bits: whose it was is for
    ///        `channel` to say.
    event VouchersCollected(
        address indexed gateway, bytes32 indexed receiptsRoot, uint256 collectedUsd6, uint256[] entries
    );
    /// @notice `shortUsd6` of a voucher could not be collected; it can be as soon as the reason is gone.
    event VoucherShort(
        address indexed gateway,
        address indexed payer,
        address indexed key,
        Shortfall reason,
        uint256 cumulativeUsd6,
        uint256 shortUsd6
    );
    /// @notice Of what was collected `amountUsd6` were for a cluster, with all its models together. The platform kept
    ///         `feeUsd6` of it, and models' owners what RoyaltyAllocated says.
    event IncomeAllocated(
        ClusterId indexed clusterId,
        address indexed gateway,
        bytes32 indexed receiptsRoot,
        uint256 amountUsd6,
        uint256 feeUsd6
    );
    /// @notice Of what was paid for a cluster's work with a model `amountUsd6` are owed to `to`.
    event RoyaltyAllocated(
        ModelId indexed modelId,
        ClusterId indexed clusterId,
        address indexed to,
        bytes32 receiptsRoot,
        uint256 amountUsd6
    );
    /// @notice All royalties that were owed to `to` were paid.
    event RoyaltyPaid(address indexed to, uint256 amountUsd6);
    /// @notice The cluster's income was refused; `owedUsd6` under this root waits for `forward`.
    event IncomeDeferred(
        ClusterId indexed clusterId,
        bytes32 indexed receiptsRoot,
        uint256 amountUsd6,
        uint256 owedUsd6,
        bytes reason
    );
    /// @notice What waited was taken.
    event IncomeForwarded(ClusterId indexed clusterId, bytes32 indexed receiptsRoot, uint256 amountUsd6);
    /// @notice From `fromAt` on the platform keeps `feeBps` of 10,000.
    event PlatformFeeScheduled(uint256 previousBps, uint256 feeBps, uint256 fromAt);
    event TreasuryPaid(address indexed treasury, uint256 amountUsd6);

    error InferencePayments_UnsupportedStablecoin(address stablecoin, uint8 decimals, uint8 required);
    error InferencePayments_ZeroAddress();
    error InferencePayments_ZeroAmount();
    error InferencePayments_ZeroRoot();
    error InferencePayments_OverLimit(uint256 amountUsd6, uint256 limit);
    error InferencePayments_InsufficientBalance(address payer, uint256 amountUsd6, uint256 balanceUsd6);
    error InferencePayments_NothingToWithdraw(address payer);
    /// @notice The withdrawal is due at `withdrawableAt`.
    error InferencePayments_TooEarly(address payer, uint256 withdrawableAt);
    /// @notice The request could be paid until `lapsedAt`.
    error InferencePayments_Lapsed(address payer, uint256 lapsedAt);
    error InferencePayments_InvalidKey(address key);
    /// @notice `key` has no authority of `payer` at `gateway`, or none any more since `expiresAt`.
    error InferencePayments_NoSession(address payer, address key, address gateway, uint256 expiresAt);
    error InferencePayments_BadSignature(address signer);
    error InferencePayments_WrongNonce(address payer, uint256 nonce, uint256 expected);
    /// @notice `second` is over, or before what it must not be before.
    error InferencePayments_Expired(uint256 second, uint256 notBefore);
    error InferencePayments_TooLate(uint256 second, uint256 limit);
    /// @notice The limit, or the cover, must leave room for what is collected and locked.
    error InferencePayments_LimitTooLow(uint256 limitUsd6, uint256 least);
    /// @notice The lock holds until `lockedUntil`, and `account` is not its gateway.
    error InferencePayments_StillLocked(address account, uint256 lockedUntil);
    error InferencePayments_NothingLocked(address payer, address key, address gateway);
    /// @notice A voucher ends at byte `end` of a batch of `length`.
    error InferencePayments_Malformed(uint256 end, uint256 length);
    error InferencePayments_NoSuchPlace(uint256 place, uint256 count);
    /// @notice A work must come after the one before: by cluster, then by model.
    error InferencePayments_NotAscending(Work previous, Work work);
    /// @notice The cluster has never been Live: there is no income to have.
    error InferencePayments_NotEarning(ClusterId clusterId);
    error InferencePayments_NothingOwed(ClusterId clusterId, bytes32 receiptsRoot);
    /// @notice A contract that is to be asked must get its 100,000: a gateway gives 112,000 for each above the estimate.
    error InferencePayments_TooLittleGas(uint256 gas, uint256 required);

    // ------------------------------------------------------------------ balance

    /// @notice Add `amountUsd6`, approved before, to the caller's balance.
    /// @return arrivedUsd6 What arrived, by balance difference, as of all that follow.
    function deposit(uint256 amountUsd6) external returns (uint256 arrivedUsd6);

    /// @notice The same to the balance of `payer`, whose it is from then on.
    function depositFor(address payer, uint256 amountUsd6) external returns (uint256 arrivedUsd6);

    /// @notice `deposit` with an EIP-2612 permit of exactly that amount.
    /// @dev A permit that somebody else has used already has left the allowance: it is no reason to stop.
    function depositWithPermit(uint256 amountUsd6, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        returns (uint256 arrivedUsd6);

    /// @notice Take what `from` has authorised by EIP-3009 to the balance of `payer`. Anybody may bring it.
    /// @param salt What makes it another one than the last: its nonce is `depositNonce(payer, salt)`, so that nobody who
    ///        brings it can give it to somebody else.
    function depositWithAuthorization(
        address from,
        address payer,
        uint256 amountUsd6,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 salt,
        bytes calldata signature
    ) external returns (uint256 arrivedUsd6);

    /// @notice Give `payer` back what it paid for work that was not done, from the caller's own approved dollars: what was
    ///         collected is the clusters' since then.
    function refund(address payer, uint256 amountUsd6, bytes32 receiptHash)
        external
        returns (uint256 arrivedUsd6);

    /// @notice The same, signed by the gateway (EIP-3009 with the nonce `refundNonce(payer, receiptHash)`), so that the payer
    ///         can bring it. A payer and a receipt make one refund.
    function refundWithAuthorization(
        address gateway,
        address payer,
        uint256 amountUsd6,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 receiptHash,
        bytes calldata signature
    ) external returns (uint256 arrivedUsd6);

    /// @notice Announce that the caller will withdraw `amountUsd6`, in place of what it announced before; zero takes that
    ///         back.
    function requestWithdrawal(uint256 amountUsd6) external;

    /// @notice Pay the caller what it has requested, or what was left of it at the least balance since,
    ///         WITHDRAWAL_DELAY_SECONDS after; WITHDRAWAL_WINDOW_SECONDS later it has lapsed.
    function withdraw() external returns (uint256 amountUsd6);

    // ------------------------------------------------------------------ session keys

    /// @notice Let `key` sign for the caller's money at `gateway`, in place of what was said of it before.
    /// @param limitUsd6 Most that may ever be collected by it there, what was collected already included.
    /// @param expiresAt Unix second from which nothing is collected; not before a lock's end.
    function authorise(address key, address gateway, uint256 limitUsd6, uint256 expiresAt) external;

    /// @notice The same by the payer's signature: of its key, or of its code (ERC-1271).
    function authoriseWithSignature(SessionAuthorization calldata authorization, bytes calldata signature)
        external;

    /// @notice End a key at once, and void every authorisation that was signed and not brought.
    /// @dev What its gateway has locked stays collectable until the lock ends: it was promised by then. What was signed
    ///      beyond that and is not collected yet is lost to the gateway.
    function revoke(address key, address gateway) external;

    // ------------------------------------------------------------------ locks

    /// @notice Set so much of the payer's balance aside that vouchers of the channel are covered up to `coverUsd6`, until
    ///         `until`, at most MAX_LOCK_SECONDS from now. For the gateway, with the key's ECDSA signature over
    ///         `Lock(address payer,address key,address gateway,uint256 coverUsd6,uint256 until)`.
    /// @dev A contract is no key here, as it is none of vouchers but its own: what it has signed it can deny when they are
    ///      collected, so that a lock would cover nothing. It authorises a session key. An account with delegated code
    ///      (EIP-7702) signs by its own key.
    ///
    ///      Cumulative like a voucher: locked = cover − collected, so that bringing it again adds nothing. One that would
    ///      shorten the lock or make it smaller is refused, as is one of which all is collected. A withdrawal that is
    ///      requested is cut to what stays free, for good: a payer could else hide its balance in a lock of its own until
    ///      the request is due.
    function lock(address payer, address key, uint256 coverUsd6, uint256 until, bytes calldata signature)
        external;

    /// @notice Give what is locked back to the payer's balance: the gateway at any time, anybody once it is over.
    function release(address payer, address key, address gateway) external;

    // ------------------------------------------------------------------ collecting

    /// @notice Collect for the caller, the gateway, what is newly due by each voucher, for the clusters.
    /// @param vouchers As packed by `VoucherBatch`, each with its allocation to works: amounts in an order.
    /// @param works What the allocations speak of, ascending by cluster, then by model.
    /// @param receiptsRoot Merkle root of the receipts behind them.
    /// @return collectedUsd6 From all payers together. Exactly what clusters, platform and models' owners got.
    /// @dev Of each voucher the least is collected of: what it promises beyond what was collected, what its key may still
    ///      spend, what its parts allocate, what the payer has. It fills the parts in their order, so that what is
    ///      short is short at the end; the rest can be collected another time. Parts say what was collected before
    ///      them and are skipped where that is not so: brought again, the same bytes never shift the split. A voucher
    ///      that brings less than it should for another reason than its parts is named by VoucherShort and harms no
    ///      other.
    function collect(bytes calldata vouchers, Work[] calldata works, bytes32 receiptsRoot)
        external
        returns (uint256 collectedUsd6);

    /// @notice Pass on what a cluster's waterfall refused when it was collected. Open to all.
    function forward(ClusterId clusterId, bytes32 receiptsRoot) external returns (uint256 amountUsd6);

    // ------------------------------------------------------------------ paying at once

    /// @notice Pay `amountUsd6`, approved before by the caller, for a work that was done: without a voucher, as x402 is
    ///         settled. What `credits` do not give to payers' balances is the cluster's income.
    /// @param credits Words of payer 160 bits and amount 96, in 10⁻⁶ dollars. They are exact: what the stablecoin keeps
    ///        of the whole is the cluster's loss.
    /// @param receiptsRoot What it was for, in the caller's books.
    /// @return incomeUsd6 The cluster's, with the platform's fee and the royalty.
    function pay(Work calldata work, uint256 amountUsd6, uint256[] calldata credits, bytes32 receiptsRoot)
        external
        returns (uint256 incomeUsd6);

    // ------------------------------------------------------------------ royalties

    /// @notice Pay `payTo` all royalties that it is owed. Open to all.
    function payRoyalty(address payTo) external returns (uint256 amountUsd6);

    // ------------------------------------------------------------------ platform

    /// @notice Keep `feeBps` of 10,000, at most MAX_FEE_BPS, of what is collected from FEE_NOTICE_SECONDS from now. For
    ///         the ADMIN_ROLE.
    function schedulePlatformFee(uint256 feeBps) external;

    /// @notice Pay the treasury what the platform has kept. Open to all.
    function payTreasury() external returns (uint256 amountUsd6);

    // ------------------------------------------------------------------ views

    function account(address payer) external view returns (PayerAccount memory);

    function channel(address payer, address key, address gateway) external view returns (Channel memory);

    /// @notice Most that vouchers of this channel could bring now beyond what was collected, without a withdrawal that
    ///         is due: the payer can make it before any voucher. One that is not due yet can be collected till then.
    function collectableUsd6(address payer, address key, address gateway) external view returns (uint256);

    /// @notice What waits for `forward`.
    function owedUsd6(ClusterId clusterId, bytes32 receiptsRoot) external view returns (uint256);

    function treasuryOwedUsd6() external view returns (uint256);

    /// @notice Where models are registered.
    function MODELS() external view returns (IModelRegistry);

    /// @notice What waits for `payRoyalty`, of all models that are paid there.
    function royaltyOwedUsd6(address payTo) external view returns (uint256);

    /// @notice What the platform keeps now, in 1/10,000, and what from when on it will.
    function platformFee() external view returns (uint256 feeBps, uint256 nextFeeBps, uint256 nextFrom);

    function voucherDigest(address payer, address gateway, uint256 cumulativeUsd6)
        external
        view
        returns (bytes32);

    /// @notice What the code of a payer is asked.
    function accountVoucherDigest(address payer, address gateway, uint256 cumulativeUsd6)
        external
        view
        returns (bytes32);

    function lockDigest(address payer, address key, address gateway, uint256 coverUsd6, uint256 until)
        external
        view
        returns (bytes32);

    /// @notice Of `SessionAuthorization`, its fields in their order.
    function sessionDigest(SessionAuthorization calldata authorization) external view returns (bytes32);

    function depositNonce(address payer, bytes32 salt) external pure returns (bytes32);

    function refundNonce(address payer, bytes32 receiptHash) external pure returns (bytes32);
}
