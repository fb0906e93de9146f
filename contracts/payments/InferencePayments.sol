// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Authorised} from "../access/Authorised.sol";
import {IAuthority} from "../access/interfaces/IAuthority.sol";
import {IClusterRegistry} from "../registry/interfaces/IClusterRegistry.sol";
import {IModelRegistry} from "../registry/interfaces/IModelRegistry.sol";
import {IncomeKind, IRevenueSink} from "../revenue/interfaces/IRevenueSink.sol";
import {ClusterId} from "../types/ClusterId.sol";
import {ModelId, NO_MODEL} from "../types/ModelId.sol";
import {Work} from "../types/Work.sol";
import {ChannelSlot, ChannelWord} from "./ChannelWord.sol";
import {IInferencePayments, Shortfall} from "./interfaces/IInferencePayments.sol";
import {PayerSlot, PayerWord} from "./PayerWord.sol";
import {PaymentAccounts} from "./PaymentAccounts.sol";
import {PaymentChannels} from "./PaymentChannels.sol";
import {DigestMemory, Voucher, VoucherBatch} from "./VoucherBatch.sol";

/// @notice See IInferencePayments.
contract InferencePayments is PaymentChannels {
    using SafeERC20 for IERC20;
    using VoucherBatch for Voucher;

    /// @notice Most that the platform may keep, in 1/10,000 of what is collected.
    uint256 public constant MAX_FEE_BPS = 500;

    /// @notice How long a change of the platform's fee is public before it acts, in seconds.
    uint256 public constant FEE_NOTICE_SECONDS = 7 days;

    uint256 private constant BPS = 10_000;

    /// @dev A batch as it goes: what each work brings, and where in memory the event's next entry goes.
    struct Batch {
        uint256[] amountsUsd6;
        uint256 nextEntry;
    }

    /// @dev One slot.
    struct Platform {
        uint16 feeBps;
        uint16 nextFeeBps;
        uint40 nextFrom;
        uint64 owedUsd6;
    }

    IClusterRegistry public immutable REGISTRY;
    IRevenueSink public immutable SINK;
    IModelRegistry public immutable MODELS;

    /// @notice Whom the platform's fee goes to.
    address public immutable TREASURY;

    Platform private _platform;
    mapping(ClusterId clusterId => mapping(bytes32 receiptsRoot => uint256)) private _owedUsd6;

    /// @inheritdoc IInferencePayments
    mapping(address payTo => uint256) public royaltyOwedUsd6;

    /// @param stablecoin What is paid in; it must have 6 decimals.
    /// @param sink The Waterfall. It takes from its caller alone and cannot be changed, so it is approved once for all.
    constructor(
        address treasury,
        IAuthority authority_,
        IClusterRegistry registry,
        IRevenueSink sink,
        IModelRegistry models,
        IERC20Metadata stablecoin
    ) Authorised(authority_) PaymentAccounts(stablecoin) {
        if (treasury == address(0)) revert InferencePayments_ZeroAddress();
        (TREASURY, REGISTRY, SINK, MODELS) = (treasury, registry, sink, models);
        IERC20(address(stablecoin)).forceApprove(address(sink), type(uint256).max);
    }

    // ------------------------------------------------------------------ collecting

    /// @inheritdoc IInferencePayments
    function collect(bytes calldata vouchers, Work[] calldata works, bytes32 receiptsRoot)
        external
        nonReentrant
        returns (uint256 collectedUsd6)
    {
        if (receiptsRoot == bytes32(0)) revert InferencePayments_ZeroRoot();
        _checkAscending(works);
        Batch memory batch;
        uint256[] memory amountsUsd6 = batch.amountsUsd6 = new uint256[](works.length);
        uint256[] memory entries;
        uint256 most = VoucherBatch.mostIn(vouchers.length);
        // Room that is not filled is cut off, so it need not be cleared.
        assembly ("memory-safe") {
            entries := mload(0x40)
            mstore(0x40, add(entries, shl(5, add(most, 1))))
            mstore(add(batch, 0x20), add(entries, 0x20))
        }
        (uint256 start, uint256 end) = VoucherBatch.span(vouchers);
        _collectAll(start, end, batch);

        for (uint256 i; i < amountsUsd6.length; ++i) {
            collectedUsd6 += amountsUsd6[i];
        }
        assembly ("memory-safe") {
            mstore(entries, sub(shr(5, sub(mload(add(batch, 0x20)), entries)), 1))
        }
        emit VouchersCollected(msg.sender, receiptsRoot, collectedUsd6, entries);
        _allocate(works, amountsUsd6, receiptsRoot);
    }

    /// @dev Nobody can name one work twice, and those of one cluster are side by side.
    function _checkAscending(Work[] calldata works) private pure {
        uint256 previousCluster = 0;
        bytes32 previousModel = 0;
        for (uint256 i; i < works.length; ++i) {
            Work calldata work = works[i];
            (uint256 cluster, bytes32 model) =
                (ClusterId.unwrap(work.clusterId), ModelId.unwrap(work.modelId));
            if (i != 0 && (cluster < previousCluster || cluster == previousCluster && model <= previousModel))
            {
                revert InferencePayments_NotAscending(works[i - 1], work);
            }
            (previousCluster, previousModel) = (cluster, model);
        }
    }

    /// @dev One voucher after the other: `_collectOne` does any of them, `_collectPlain` the plain ones in fewer steps.
    function _collectAll(uint256 next, uint256 end, Batch memory batch) private {
        mapping(address payer => mapping(address key => ChannelSlot)) storage channels = _channels[msg.sender];
        DigestMemory memory_ = VoucherBatch.prepare(_domainSeparatorV4(), msg.sender);
        Voucher memory voucher;
        while (next < end) {
            (address key, uint256 count) = VoucherBatch.recover(next, memory_);
            if (count == 0 && _collectPlain(channels, next, end, memory_, key, batch)) {
                unchecked {
                    next += VoucherBatch.PLAIN_BYTES;
                }
                continue;
            }
            VoucherBatch.read(next, end, memory_, key, count, voucher);
            _collectOne(channels[voucher.payer][voucher.key], voucher, batch);
            next = voucher.end;
        }
    }

    /// @dev What `_collectOne` would do with a voucher that is plain: signed by a session key, whole to one work, within
    ///      the key's terms, nothing locked, and the payer has it without what it is to withdraw. Whatever is not plain is
    ///      left as it is.
    /// @return done Whether it was plain, and was collected.
    function _collectPlain(
        mapping(address payer => mapping(address key => ChannelSlot)) storage channels,
        uint256 start,
        uint256 end,
        DigestMemory memory_,
        address key,
        Batch memory batch
    ) private returns (bool done) {
        // Both slots are where Solidity would find them; in both words the amount that changes is the lowest. The place of
        // the work is the last of PLAIN_BYTES.
        assembly ("memory-safe") {
            let payer := mload(add(memory_, 0x20))
            let due := mload(add(memory_, 0x60))
            mstore(0, payer)
            mstore(0x20, channels.slot)
            mstore(0x20, keccak256(0, 0x40))
            mstore(0, key)
            let slot := keccak256(0, 0x40)
            let word := sload(slot)
            // Out of time, locked, over the limit: none of them.
            if iszero(
                or(
                    or(iszero(lt(timestamp(), shr(208, word))), shr(200, shl(144, word))),
                    gt(due, and(shr(152, word), 0xffffffffffffff))
                )
            ) {
                // A replay wraps around: that is more than anybody has. A request is never more than the balance.
                due := sub(due, and(word, 0xffffffffffffff))
                mstore(0, payer)
                mstore(0x20, _accounts.slot)
                let account_ := keccak256(0, 0x40)
                let money := sload(account_)
                let amounts := mload(batch)
                let index := byte(0, calldataload(add(start, 92)))
                done := and(
                    lt(
                        sub(due, 1),
                        sub(and(money, 0xffffffffffffffff), and(shr(64, money), 0xffffffffffffffff))
                    ),
                    and(lt(index, mload(amounts)), iszero(gt(add(start, 93), end)))
                )
                if done {
                    sstore(account_, sub(money, due))
                    sstore(slot, add(word, due))
                    let total := add(amounts, shl(5, add(index, 1)))
                    mstore(total, add(mload(total), due))
                    let entry := mload(add(batch, 0x20))
                    mstore(entry, or(or(shl(96, payer), shr(160, shl(216, key))), due))
                    mstore(add(batch, 0x20), add(entry, 0x20))
                }
            }
        }
    }

    /// @dev A replay is not worth a word: it is how a batch is tried again. No amount reaches 57 bits, and no more is taken
    ///      of anything than is there.
    function _collectOne(ChannelSlot storage slot, Voucher memory voucher, Batch memory batch) private {
        ChannelWord word = slot.word;
        if (voucher.cumulativeUsd6 <= word.collectedUsd6()) return;
        uint256 due = _withinTerms(voucher, word);
        if (due == 0) return;
        uint256 locked = 0;
        if (word.hasLock()) (word, locked) = _usableLock(voucher, word);
        uint256 taken;
        if (due <= locked) {
            taken = voucher.place(batch.amountsUsd6, due);
        } else {
            PayerWord money = _accounts[voucher.payer].word;
            uint256 affordable = locked + money.balanceUsd6();
            if (due > affordable) due = _afford(voucher, due, affordable);
            taken = voucher.place(batch.amountsUsd6, due);
            if (taken > locked) _accounts[voucher.payer].word = money.minus(taken - locked);
        }
        if (taken != 0) {
            word = word.plusCollected(taken);
            if (locked != 0) word = word.minusLocked(taken);
            _note(batch, voucher, taken);
        }
        slot.word = word;
    }

    /// @dev There is room for as many entries as the batch can hold vouchers.
    function _note(Batch memory batch, Voucher memory voucher, uint256 taken) private pure {
        uint256 entry = batch.nextEntry;
        uint256 word =
            uint256(uint160(voucher.payer)) << 96 | uint256(uint40(uint160(voucher.key))) << 56 | taken;
        assembly ("memory-safe") {
            mstore(entry, word)
        }
        batch.nextEntry = entry + 32;
    }

    /// @dev What of a voucher is newly due, as far as its key may spend it. The payer itself has no terms.
    function _withinTerms(Voucher memory voucher, ChannelWord word) private returns (uint256) {
        (uint256 cumulative, uint256 collected) = (voucher.cumulativeUsd6, word.collectedUsd6());
        (uint256 limit, uint256 expiresAt) = _terms(voucher.payer, voucher.key, word);
        if (block.timestamp >= expiresAt) {
            // Whoever was let sign has a limit, if only what was collected before it was revoked.
            _tell(voucher, limit == 0 ? Shortfall.Unauthorised : Shortfall.Expired, cumulative - collected);
            return 0;
        }
        if (!voucher.goesOnFrom(collected)) {
            _tell(voucher, Shortfall.OutOfStep, cumulative - collected);
            return 0;
        }
        if (cumulative <= limit) return cumulative - collected;
        _tell(voucher, Shortfall.OverLimit, cumulative - limit);
        return limit - collected;
    }

    /// @dev The channel's lock; what is over goes back to the balance before anything is taken.
    function _usableLock(Voucher memory voucher, ChannelWord word) private returns (ChannelWord, uint256) {
        if (_isLocked(word)) return (word, word.lockedUsd6());
        return (_release(voucher.payer, voucher.key, msg.sender, word), 0);
    }

    /// @dev What is missing counts only as far as the voucher's parts ask for it.
    function _afford(Voucher memory voucher, uint256 due, uint256 affordable) private returns (uint256) {
        uint256 asked = voucher.allocated(due);
        if (asked > affordable) _tell(voucher, Shortfall.InsufficientBalance, asked - affordable);
        return affordable;
    }

    function _tell(Voucher memory voucher, Shortfall reason, uint256 shortUsd6) private {
        emit VoucherShort(msg.sender, voucher.payer, voucher.key, reason, voucher.cumulativeUsd6, shortUsd6);
    }

    /// @dev The platform's part is rounded down for each cluster, a royalty for each work; the cluster gets the rest of all
    ///      its works at once.
    function _allocate(Work[] calldata works, uint256[] memory amountsUsd6, bytes32 receiptsRoot) private {
        uint256 feeBps = _feeBps();
        uint256 feesUsd6 = 0;
        uint256 sum = 0;
        uint256 royaltiesUsd6 = 0;
        for (uint256 i; i < works.length; ++i) {
            uint256 amount = amountsUsd6[i];
            if (amount != 0) {
                sum += amount;
                royaltiesUsd6 += _royaltyDown(works[i], receiptsRoot, amount);
            }
            if (sum == 0) continue;
            ClusterId clusterId = works[i].clusterId;
            if (i + 1 < works.length && works[i + 1].clusterId == clusterId) {
                amountsUsd6[i] = 0;
                continue;
            }
            uint256 feeDown = _feeDown(clusterId, receiptsRoot, sum, feeBps);
            feesUsd6 += feeDown;
            amountsUsd6[i] = sum - feeDown - royaltiesUsd6;
            (sum, royaltiesUsd6) = (0, 0);
        }
        if (feesUsd6 != 0) _platform.owedUsd6 += uint64(feesUsd6);
        for (uint256 i; i < works.length; ++i) {
            if (amountsUsd6[i] != 0) _passOn(works[i].clusterId, receiptsRoot, amountsUsd6[i]);
        }
    }

    /// @dev Of all that was paid for the work, before the fee. A model that nobody has registered stops the batch.
    function _royaltyDown(Work calldata work, bytes32 receiptsRoot, uint256 amountUsd6)
        private
        returns (uint256 royaltyUsd6)
    {
        ModelId modelId = work.modelId;
        if (modelId == NO_MODEL) return 0;
        (address to, uint256 royaltyBps) = MODELS.royaltyOf(modelId);
        royaltyUsd6 = amountUsd6 * royaltyBps / BPS;
        if (royaltyUsd6 == 0) return 0;
        royaltyOwedUsd6[to] += royaltyUsd6;
        emit RoyaltyAllocated(modelId, work.clusterId, to, receiptsRoot, royaltyUsd6);
    }

    function _feeDown(ClusterId clusterId, bytes32 receiptsRoot, uint256 amountUsd6, uint256 feeBps)
        private
        returns (uint256 feeUsd6)
    {
        feeUsd6 = amountUsd6 * feeBps / BPS;
        emit IncomeAllocated(clusterId, msg.sender, receiptsRoot, amountUsd6, feeUsd6);
    }

    /// @dev A cluster that cannot take its income now does not stop the others: it is owed. One that never could stops
    ///      the batch, which must have meant another.
    function _passOn(ClusterId clusterId, bytes32 receiptsRoot, uint256 amountUsd6) private {
        try SINK.receiveIncome(clusterId, amountUsd6, IncomeKind.Inference, receiptsRoot) returns (
            uint256
        ) {
        // What arrived is measured and told there.
        }
        catch (bytes memory reason) {
            (uint256 firstEpoch,) = REGISTRY.epochRange(clusterId);
            if (firstEpoch == 0) revert InferencePayments_NotEarning(clusterId);
            uint256 owed = _owedUsd6[clusterId][receiptsRoot] + amountUsd6;
            _owedUsd6[clusterId][receiptsRoot] = owed;
            emit IncomeDeferred(clusterId, receiptsRoot, amountUsd6, owed, reason);
        }
    }

    // ------------------------------------------------------------------ paying at once

    /// @inheritdoc IInferencePayments
    function pay(Work calldata work, uint256 amountUsd6, uint256[] calldata credits, bytes32 receiptsRoot)
        external
        nonReentrant
        whenInflowOpen
        returns (uint256 incomeUsd6)
    {
        if (receiptsRoot == bytes32(0)) revert InferencePayments_ZeroRoot();
        uint256 arrived = _pull(amountUsd6);
        uint256 credited = 0;
        for (uint256 i; i < credits.length; ++i) {
            credited += _credit(credits[i]);
        }
        if (credited > arrived) revert InferencePayments_OverLimit(credited, arrived);
        if (credited != 0) emit Credited(msg.sender, receiptsRoot, credited, credits);
        incomeUsd6 = arrived - credited;
        if (incomeUsd6 == 0) return 0;
        uint256 royalty = _royaltyDown(work, receiptsRoot, incomeUsd6);
        uint256 fee = _feeDown(work.clusterId, receiptsRoot, incomeUsd6, _feeBps());
        if (fee != 0) _platform.owedUsd6 += uint64(fee);
        _passOn(work.clusterId, receiptsRoot, incomeUsd6 - fee - royalty);
    }

    function _credit(uint256 word) private returns (uint256 amountUsd6) {
        address payer = address(uint160(word >> 96));
        amountUsd6 = uint96(word);
        if (amountUsd6 == 0) return 0;
        if (payer == address(0)) revert InferencePayments_ZeroAddress();
        _addBalance(payer, amountUsd6);
    }

    /// @inheritdoc IInferencePayments
    function forward(ClusterId clusterId, bytes32 receiptsRoot)
        external
        nonReentrant
        returns (uint256 amountUsd6)
    {
        amountUsd6 = _owedUsd6[clusterId][receiptsRoot];
        if (amountUsd6 == 0) revert InferencePayments_NothingOwed(clusterId, receiptsRoot);
        delete _owedUsd6[clusterId][receiptsRoot];
        emit IncomeForwarded(clusterId, receiptsRoot, amountUsd6);
        // What arrived is measured and told there.
        // slither-disable-next-line unused-return
        SINK.receiveIncome(clusterId, amountUsd6, IncomeKind.Inference, receiptsRoot);
    }

    // ------------------------------------------------------------------ royalties

    /// @inheritdoc IInferencePayments
    function payRoyalty(address payTo) external nonReentrant returns (uint256 amountUsd6) {
        amountUsd6 = royaltyOwedUsd6[payTo];
        if (amountUsd6 == 0) revert InferencePayments_ZeroAmount();
        delete royaltyOwedUsd6[payTo];
        emit RoyaltyPaid(payTo, amountUsd6);
        STABLECOIN.safeTransfer(payTo, amountUsd6);
    }

    // ------------------------------------------------------------------ platform

    /// @inheritdoc IInferencePayments
    function schedulePlatformFee(uint256 feeBps) external restricted {
        if (feeBps > MAX_FEE_BPS) revert InferencePayments_OverLimit(feeBps, MAX_FEE_BPS);
        uint256 current = _feeBps();
        uint256 fromAt = block.timestamp + FEE_NOTICE_SECONDS;
        _platform.feeBps = uint16(current);
        _platform.nextFeeBps = uint16(feeBps);
        _platform.nextFrom = uint40(fromAt);
        emit PlatformFeeScheduled(current, feeBps, fromAt);
    }

    /// @inheritdoc IInferencePayments
    function payTreasury() external nonReentrant returns (uint256 amountUsd6) {
        amountUsd6 = _platform.owedUsd6;
        if (amountUsd6 == 0) revert InferencePayments_ZeroAmount();
        _platform.owedUsd6 = 0;
        emit TreasuryPaid(TREASURY, amountUsd6);
        STABLECOIN.safeTransfer(TREASURY, amountUsd6);
    }

    function _feeBps() private view returns (uint256) {
        Platform storage platform = _platform;
        return block.timestamp < platform.nextFrom ? platform.feeBps : platform.nextFeeBps;
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IInferencePayments
    function owedUsd6(ClusterId clusterId, bytes32 receiptsRoot) external view returns (uint256) {
        return _owedUsd6[clusterId][receiptsRoot];
    }

    /// @inheritdoc IInferencePayments
    function treasuryOwedUsd6() external view returns (uint256) {
        return _platform.owedUsd6;
    }

    /// @inheritdoc IInferencePayments
    function platformFee() external view returns (uint256 feeBps, uint256 nextFeeBps, uint256 nextFrom) {
        return (_feeBps(), _platform.nextFeeBps, _platform.nextFrom);
    }
}
