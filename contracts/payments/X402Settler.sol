// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Create2} from "@openzeppelin/contracts/utils/Create2.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {InflowPausable} from "../access/InflowPausable.sol";
import {ClusterId} from "../types/ClusterId.sol";
import {NO_MODEL} from "../types/ModelId.sol";
import {Work} from "../types/Work.sol";
import {ClusterPayTo} from "./ClusterPayTo.sol";
import {IInferencePayments} from "./interfaces/IInferencePayments.sol";
import {IX402Settler, PendingBatch} from "./interfaces/IX402Settler.sol";
import {CallMemory, PaymentBatch} from "./PaymentBatch.sol";

/// @notice See IX402Settler.
contract X402Settler is IX402Settler, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using PaymentBatch for CallMemory;

    /// @notice How long a gateway may take to say what was used, in seconds.
    uint256 public constant PENDING_SECONDS = 1 days;

    /// @notice What each payment is given at most.
    uint256 public constant PAYMENT_GAS = PaymentBatch.PAYMENT_GAS;

    bytes32 private constant PAY_TO_CODE_HASH = keccak256(type(ClusterPayTo).creationCode);

    IInferencePayments public immutable PAYMENTS;
    IERC20 public immutable STABLECOIN;

    mapping(bytes32 batchId => PendingBatch) private _pending;

    /// @param payments What income and credits go through. It takes from its caller alone and cannot be changed, so it is
    ///        approved once for all.
    /// @param stablecoin The same as that of `payments`.
    constructor(IInferencePayments payments, IERC20 stablecoin) {
        if (address(payments) == address(0)) revert X402Settler_ZeroAddress();
        (PAYMENTS, STABLECOIN) = (payments, stablecoin);
        stablecoin.forceApprove(address(payments), type(uint256).max);
    }

    // ------------------------------------------------------------------ settling

    /// @inheritdoc IX402Settler
    function settle(
        Work calldata work,
        bytes calldata payments,
        uint256[] calldata credits,
        bytes32 receiptsRoot
    ) external nonReentrant returns (uint256 settledUsd6) {
        uint256[] memory entries;
        (settledUsd6, entries) = _take(work.clusterId, payments);
        if (settledUsd6 == 0) return 0;
        emit Settled(msg.sender, work.clusterId, receiptsRoot, settledUsd6, entries);
        _split(work, settledUsd6, entries, credits, receiptsRoot);
    }

    /// @inheritdoc IX402Settler
    function settleAhead(Work calldata work, bytes calldata payments)
        external
        nonReentrant
        returns (bytes32 batchId, uint256 settledUsd6)
    {
        // What nobody has registered could go nowhere later.
        // slither-disable-next-line unused-return
        if (work.modelId != NO_MODEL) PAYMENTS.MODELS().royaltyOf(work.modelId);
        uint256[] memory entries;
        (settledUsd6, entries) = _take(work.clusterId, payments);
        if (settledUsd6 == 0) return (bytes32(0), 0);
        batchId = _batchId(msg.sender, work, entries);
        _pending[batchId] = PendingBatch(uint128(settledUsd6), uint40(block.timestamp));
        emit SettledAhead(msg.sender, work.clusterId, batchId, work.modelId, settledUsd6, entries);
    }

    /// @inheritdoc IX402Settler
    function allocate(
        Work calldata work,
        uint256[] calldata entries,
        uint256[] calldata credits,
        bytes32 receiptsRoot
    ) external nonReentrant {
        uint256[] memory settled = entries;
        bytes32 batchId = _batchId(msg.sender, work, settled);
        PendingBatch memory batch = _close(batchId);
        emit Allocated(batchId, msg.sender, receiptsRoot);
        _split(work, batch.amountUsd6, settled, credits, receiptsRoot);
    }

    /// @inheritdoc IX402Settler
    function passOn(address gateway, Work calldata work, uint256[] calldata entries) external nonReentrant {
        bytes32 batchId = _batchId(gateway, work, entries);
        PendingBatch memory batch = _close(batchId);
        // While deposits are paused its gateway cannot say what was used: it has all of the time after that.
        uint256 pausedUntil = InflowPausable(address(PAYMENTS)).inflowPausedUntil();
        uint256 openAt = Math.max(batch.settledAt, pausedUntil) + PENDING_SECONDS;
        if (block.timestamp < openAt) revert X402Settler_TooEarly(batchId, openAt);
        emit PassedOn(batchId, work.clusterId, batch.amountUsd6);
        _pay(work, batch.amountUsd6, new uint256[](0), batchId);
    }

    /// @inheritdoc IX402Settler
    function sweep(ClusterId clusterId, address gateway) external nonReentrant returns (uint256 amountUsd6) {
        address from = payTo(clusterId, gateway);
        amountUsd6 = STABLECOIN.balanceOf(from);
        if (amountUsd6 == 0) revert X402Settler_NothingToSweep(from);
        amountUsd6 = _fetch(clusterId, gateway, from, amountUsd6);
        emit Swept(clusterId, gateway, from, amountUsd6);
        Work memory work = Work(clusterId, NO_MODEL);
        _pay(work, amountUsd6, new uint256[](0), bytes32(uint256(uint160(from))));
    }

    /// @dev What lay at the address before is left there: only the difference that the calls made can be theirs.
    function _take(ClusterId clusterId, bytes calldata payments)
        private
        returns (uint256 settledUsd6, uint256[] memory entries)
    {
        address to = payTo(clusterId, msg.sender);
        uint256 before = STABLECOIN.balanceOf(to);
        (settledUsd6, entries) = _bringAll(to, payments);
        if (settledUsd6 == 0) return (0, entries);
        _requireArrived(Math.saturatingSub(STABLECOIN.balanceOf(to), before), settledUsd6);
        _requireArrived(_fetch(clusterId, msg.sender, to, settledUsd6), settledUsd6);
    }

    /// @dev One payment after the other. The entries are as many as the batch can hold and cut afterwards, so they need not
    ///      be cleared.
    function _bringAll(address to, bytes calldata payments)
        private
        returns (uint256 settledUsd6, uint256[] memory entries)
    {
        CallMemory memory_ = PaymentBatch.prepare(to);
        uint256 next = PaymentBatch.mostIn(payments.length);
        assembly ("memory-safe") {
            entries := mload(0x40)
            mstore(0x40, add(entries, add(32, shl(6, next))))
            next := add(entries, 32)
        }
        address stablecoin = address(STABLECOIN);
        (uint256 start, uint256 end) = PaymentBatch.span(payments);
        while (start < end) {
            uint256 word;
            uint256 nonce;
            bool done;
            (start, word, nonce, done) = memory_.bring(stablecoin, start, end);
            if (done) {
                unchecked {
                    // No amount has more than 56 bits.
                    settledUsd6 += uint96(word);
                }
            } else {
                emit PaymentFailed(
                    msg.sender, address(uint160(word >> 96)), bytes32(nonce), PaymentBatch.lastReason()
                );
                (word, nonce) = (0, 0);
            }
            assembly ("memory-safe") {
                mstore(next, word)
                mstore(add(next, 32), nonce)
                next := add(next, 64)
            }
        }
        assembly ("memory-safe") {
            mstore(entries, sub(shr(5, sub(next, entries)), 1))
        }
    }

    /// @dev Let the address, which comes to be if it is not there yet, send `amountUsd6` here.
    function _fetch(ClusterId clusterId, address gateway, address from, uint256 amountUsd6)
        private
        returns (uint256 arrivedUsd6)
    {
        if (from.code.length == 0) {
            // Its address is known.
            // slither-disable-next-line unused-return
            Create2.deploy(0, _salt(clusterId, gateway), type(ClusterPayTo).creationCode);
        }
        uint256 before = STABLECOIN.balanceOf(address(this));
        ClusterPayTo(from).sweep(amountUsd6);
        arrivedUsd6 = Math.saturatingSub(STABLECOIN.balanceOf(address(this)), before);
    }

    function _requireArrived(uint256 arrivedUsd6, uint256 requiredUsd6) private pure {
        if (arrivedUsd6 < requiredUsd6) revert X402Settler_Short(arrivedUsd6, requiredUsd6);
    }

    /// @dev What was pending is not any more.
    function _close(bytes32 batchId) private returns (PendingBatch memory batch) {
        batch = _pending[batchId];
        if (batch.amountUsd6 == 0) revert X402Settler_NotPending(batchId);
        delete _pending[batchId];
    }

    // ------------------------------------------------------------------ splitting

    /// @dev Each credit goes to whoever made the payment, at most what it brought: a gateway can give nothing to others.
    function _split(
        Work calldata work,
        uint256 settledUsd6,
        uint256[] memory entries,
        uint256[] calldata credits,
        bytes32 receiptsRoot
    ) private {
        uint256[] memory balances = new uint256[](credits.length);
        uint256 count = entries.length / 2;
        uint256 least = 0;
        for (uint256 i; i < credits.length; ++i) {
            (uint256 place, uint256 amountUsd6) = (credits[i] >> 64, uint64(credits[i]));
            if (place < least) revert X402Settler_NotAscending(place, least);
            if (place >= count) revert X402Settler_NoSuchPlace(place, count);
            least = place + 1;
            uint256 entry = entries[2 * place];
            // It failed: there is nothing to give back.
            if (entry == 0) continue;
            if (amountUsd6 > uint96(entry)) revert X402Settler_OverLimit(amountUsd6, uint96(entry));
            balances[i] = entry >> 96 << 96 | amountUsd6;
        }
        _pay(work, settledUsd6, balances, receiptsRoot);
    }

    function _pay(Work memory work, uint256 amountUsd6, uint256[] memory balances, bytes32 reference_)
        private
    {
        // What of it arrives is measured and told there.
        // slither-disable-next-line unused-return
        PAYMENTS.pay(work, amountUsd6, balances, reference_);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IX402Settler
    function payTo(ClusterId clusterId, address gateway) public view returns (address) {
        return Create2.computeAddress(_salt(clusterId, gateway), PAY_TO_CODE_HASH);
    }

    /// @inheritdoc IX402Settler
    function pending(bytes32 batchId) external view returns (PendingBatch memory) {
        return _pending[batchId];
    }

    function _salt(ClusterId clusterId, address gateway) private pure returns (bytes32) {
        return bytes32(uint256(ClusterId.unwrap(clusterId)) << 160 | uint160(gateway));
    }

    /// @dev Nonces are in it, of which a payer can use each once: no two batches are one.
    function _batchId(address gateway, Work calldata work, uint256[] memory entries)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(gateway, work, entries));
    }
}
