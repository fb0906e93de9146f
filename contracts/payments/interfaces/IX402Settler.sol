// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ClusterId} from "../../types/ClusterId.sol";
import {ModelId} from "../../types/ModelId.sol";
import {Work} from "../../types/Work.sol";
import {IInferencePayments} from "./IInferencePayments.sol";

/// @notice Payments that were settled before it was known how much of them would be used.
/// @param amountUsd6 All of them together, in 10⁻⁶ dollars; zero if nothing is pending.
/// @param settledAt Unix second.
struct PendingBatch {
    uint128 amountUsd6;
    uint40 settledAt;
}

/// @title X402Settler
/// @notice Settles payments of x402's scheme `exact`: a payer signs an authorisation of the stablecoin (EIP-3009
///         TransferWithAuthorization) to the address of a cluster and a gateway, `payTo`. The gateway brings many of them
///         in one transaction, which takes the money, splits it and is the receipt: what was used becomes income of the
///         cluster, what was not becomes the payer's balance with InferencePayments.
///
///         *Ahead.* A stream is paid for before its first byte, when it is not known what it will use. Such payments wait
///         here as a batch, until the gateway says what was used; after PENDING_SECONDS of silence anybody may pass all of
///         it on to the cluster.
///
///         *Attribution.* `payTo` names the gateway, so that its word alone says what was used: an authorisation that a
///         stranger brings here leads to another address, and is no good. Brought to the stablecoin instead, it is a bare
///         transfer: anybody may sweep it, as income of the cluster. The payer has paid then, the gateway can serve and
///         give back (`InferencePayments.refund`) what was not used.
///
///         Exactly, but for what was sent here without a call:
///
///             stablecoin held = Σ pending
///             taken = income with its fee + credits to payers + Σ pending
///
/// @dev It assumes of the stablecoin: EIP-3009 with signatures as bytes. Only what arrives by the call made here counts; that
///      an authorisation is used says nothing, its payer may have cancelled it.
interface IX402Settler {
    /// @notice A gateway's payments for a cluster were settled, and what was used of them is known.
    /// @param entries Two words for each payment in the order in which it was brought: payer 160 bits and its value 96, in
    ///        10⁻⁶ dollars; its nonce. Both are zero for one that failed. A payer and a nonce are there once, ever.
    event Settled(
        address indexed gateway,
        ClusterId indexed clusterId,
        bytes32 indexed receiptsRoot,
        uint256 settledUsd6,
        uint256[] entries
    );
    /// @notice The same, but for what was used of them. The batch is the hash of gateway, cluster, model and
    ///         entries.
    /// @param modelId The model that they were made for; zero if nobody is owed a royalty.
    event SettledAhead(
        address indexed gateway,
        ClusterId indexed clusterId,
        bytes32 indexed batchId,
        ModelId modelId,
        uint256 settledUsd6,
        uint256[] entries
    );
    /// @notice What was used of a batch is known: the root's receipts say it.
    event Allocated(bytes32 indexed batchId, address indexed gateway, bytes32 indexed receiptsRoot);
    /// @notice The gateway was silent; all of a batch went to its cluster.
    event PassedOn(bytes32 indexed batchId, ClusterId indexed clusterId, uint256 amountUsd6);
    /// @notice What had come to the cluster's address without a call went to the cluster.
    event Swept(
        ClusterId indexed clusterId, address indexed gateway, address indexed payTo, uint256 amountUsd6
    );
    /// @notice The stablecoin refused a payment. Nothing was taken, and the others went on.
    /// @param reason At most 256 bytes of what it said.
    event PaymentFailed(address indexed gateway, address indexed payer, bytes32 indexed nonce, bytes reason);

    error X402Settler_ZeroAddress();
    /// @notice A payment ends at byte `end` of a batch of `length`.
    error X402Settler_Malformed(uint256 end, uint256 length);
    error X402Settler_SignatureTooLong(uint256 bytes_, uint256 limit);
    error X402Settler_NoSuchPlace(uint256 place, uint256 count);
    /// @notice Credits stand in the order of the payments, one for each at most.
    error X402Settler_NotAscending(uint256 place, uint256 least);
    /// @notice More of a payment is to be credited than it brought.
    error X402Settler_OverLimit(uint256 amountUsd6, uint256 limit);
    /// @notice The stablecoin said that it moved more than arrived.
    error X402Settler_Short(uint256 arrivedUsd6, uint256 requiredUsd6);
    error X402Settler_NotPending(bytes32 batchId);
    /// @notice Until `openAt` the batch is its gateway's to allocate.
    error X402Settler_TooEarly(bytes32 batchId, uint256 openAt);
    error X402Settler_NothingToSweep(address payTo);
    /// @notice A payment must get PAYMENT_GAS: a batch whose gas does not suffice is refused, so that no payment fails by it.
    error X402Settler_TooLittleGas(uint256 gas, uint256 required);

    // ------------------------------------------------------------------ settling

    /// @notice Settle payments made for the caller, the gateway, and a cluster, all of which is used but the credits.
    /// @param work What that cluster did, with which model.
    /// @param payments As packed by `PaymentBatch`.
    /// @param credits What was not used: words of place in the batch 192 bits and amount 64, in 10⁻⁶ dollars, ascending
    ///        by place. Those of a payment that fails are passed over.
    /// @param receiptsRoot Merkle root of the receipts that say what was used.
    /// @return settledUsd6 What arrived, all together.
    /// @dev A payment that the stablecoin refuses is named by PaymentFailed and stops no other. The call is refused as a
    ///      whole, and nobody pays, where less arrives than the stablecoin says, the cluster has never been Live, or
    ///      InferencePayments takes nothing.
    function settle(
        Work calldata work,
        bytes calldata payments,
        uint256[] calldata credits,
        bytes32 receiptsRoot
    ) external returns (uint256 settledUsd6);

    /// @notice Settle payments of which it is not known yet how much will be used.
    /// @return batchId What they wait under; zero if none was settled.
    /// @dev Refused for a model that nobody has registered: what it brought could go nowhere later.
    function settleAhead(Work calldata work, bytes calldata payments)
        external
        returns (bytes32 batchId, uint256 settledUsd6);

    /// @notice Say what was used of a batch that waits. For its gateway.
    /// @param work As it was settled.
    /// @param entries As `SettledAhead` has them.
    /// @param credits As in `settle`.
    function allocate(
        Work calldata work,
        uint256[] calldata entries,
        uint256[] calldata credits,
        bytes32 receiptsRoot
    ) external;

    /// @notice Pass all of a batch on to its cluster, less the royalty, PENDING_SECONDS after it was settled, or after
    ///         the end of a pause of deposits since. Open to all. The income's reference is the batch's id.
    /// @param work As it was settled.
    /// @param entries As `SettledAhead` has them.
    function passOn(address gateway, Work calldata work, uint256[] calldata entries) external;

    /// @notice Pass on to a cluster what came to its address without a call. Open to all. The income's reference is that
    ///         address; with which model it was earned nobody says, so there is no royalty.
    function sweep(ClusterId clusterId, address gateway) external returns (uint256 amountUsd6);

    // ------------------------------------------------------------------ views

    /// @notice Where payers of that gateway pay for that cluster, whether there is a contract yet or not.
    function payTo(ClusterId clusterId, address gateway) external view returns (address);

    function pending(bytes32 batchId) external view returns (PendingBatch memory);

    function STABLECOIN() external view returns (IERC20);

    function PAYMENTS() external view returns (IInferencePayments);
}
