// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {AccountSignature} from "./AccountSignature.sol";
import {ChannelSlot, ChannelWord, ChannelWordLib} from "./ChannelWord.sol";
import {Channel, IInferencePayments, SessionAuthorization} from "./interfaces/IInferencePayments.sol";
import {PayerWord} from "./PayerWord.sol";
import {PaymentAccounts} from "./PaymentAccounts.sol";
import {VoucherBatch} from "./VoucherBatch.sol";

/// @notice Who may sign for a payer's money at which gateway, and what is locked for it.
abstract contract PaymentChannels is PaymentAccounts, EIP712 {
    /// @notice Longest time for which a lock holds without another consent, in seconds.
    uint256 public constant MAX_LOCK_SECONDS = 1 days;

    bytes32 private constant SESSION_TYPEHASH = keccak256(
        "SessionAuthorization(address payer,address key,address gateway,uint256 limitUsd6,uint256 expiresAt,uint256 nonce,uint256 deadline)"
    );
    bytes32 private constant LOCK_TYPEHASH =
        keccak256("Lock(address payer,address key,address gateway,uint256 coverUsd6,uint256 until)");

    /// @dev The gateway first: in a batch it is the same for all.
    mapping(address gateway => mapping(address payer => mapping(address key => ChannelSlot))) internal
        _channels;

    constructor() EIP712("Rackstream InferencePayments", "1") {}

    // ------------------------------------------------------------------ session keys

    /// @inheritdoc IInferencePayments
    function authorise(address key, address gateway, uint256 limitUsd6, uint256 expiresAt) external {
        _authorise(msg.sender, key, gateway, limitUsd6, expiresAt);
    }

    /// @inheritdoc IInferencePayments
    function authoriseWithSignature(SessionAuthorization calldata authorization, bytes calldata signature)
        external
    {
        address payer = authorization.payer;
        if (block.timestamp > authorization.deadline) {
            revert InferencePayments_Expired(authorization.deadline, block.timestamp);
        }
        uint256 nonce = _accounts[payer].word.nonce();
        if (authorization.nonce != nonce) {
            revert InferencePayments_WrongNonce(payer, authorization.nonce, nonce);
        }
        if (!AccountSignature.isBy(payer, sessionDigest(authorization), signature)) {
            revert InferencePayments_BadSignature(payer);
        }
        _authorise(
            payer, authorization.key, authorization.gateway, authorization.limitUsd6, authorization.expiresAt
        );
    }

    function _authorise(address payer, address key, address gateway, uint256 limitUsd6, uint256 expiresAt)
        private
    {
        if (key == address(0) || key == payer) revert InferencePayments_InvalidKey(key);
        if (limitUsd6 > ChannelWordLib.MAX_AMOUNT) {
            revert InferencePayments_OverLimit(limitUsd6, ChannelWordLib.MAX_AMOUNT);
        }
        if (expiresAt > type(uint40).max) revert InferencePayments_TooLate(expiresAt, type(uint40).max);
        ChannelWord word = _channels[gateway][payer][key].word;
        (uint256 least, uint256 soonest) = _promised(word);
        if (limitUsd6 == 0 || limitUsd6 < least) revert InferencePayments_LimitTooLow(limitUsd6, least);
        if (expiresAt < soonest || expiresAt <= block.timestamp) {
            revert InferencePayments_Expired(expiresAt, Math.max(soonest, block.timestamp));
        }
        _accounts[payer].word = _accounts[payer].word.withNextNonce();
        _channels[gateway][payer][key].word = word.withTerms(limitUsd6, expiresAt);
        emit SessionAuthorised(payer, key, gateway, limitUsd6, expiresAt);
    }

    /// @inheritdoc IInferencePayments
    function revoke(address key, address gateway) external {
        if (key == msg.sender) revert InferencePayments_InvalidKey(key);
        ChannelWord word = _channels[gateway][msg.sender][key].word;
        (uint256 least, uint256 soonest) = _promised(word);
        _accounts[msg.sender].word = _accounts[msg.sender].word.withNextNonce();
        _channels[gateway][msg.sender][key].word = word.withTerms(least, soonest);
        emit SessionRevoked(msg.sender, key, gateway, least, soonest);
    }

    /// @return least What was collected or is locked, in 10⁻⁶ dollars.
    /// @return soonest When the lock ends; 0 without one.
    function _promised(ChannelWord word) private view returns (uint256 least, uint256 soonest) {
        if (_isLocked(word)) (least, soonest) = (word.lockedUsd6(), word.lockedUntil());
        least += word.collectedUsd6();
    }

    function _isLocked(ChannelWord word) internal view returns (bool) {
        return block.timestamp < word.lockedUntil();
    }

    /// @dev What the key may have collected in all, and until when. The payer itself has neither limit nor expiry.
    function _terms(address payer, address key, ChannelWord word)
        internal
        pure
        returns (uint256 limitUsd6, uint256 expiresAt)
    {
        if (key == payer) return (ChannelWordLib.MAX_AMOUNT, type(uint40).max);
        return (word.limitUsd6(), word.expiresAt());
    }

    // ------------------------------------------------------------------ locks

    /// @inheritdoc IInferencePayments
    function lock(address payer, address key, uint256 coverUsd6, uint256 until, bytes calldata signature)
        external
        nonReentrant
    {
        ChannelWord word = _channels[msg.sender][payer][key].word;
        _checkLock(payer, key, word, coverUsd6, until);
        if (!AccountSignature.isByKey(key, lockDigest(payer, key, msg.sender, coverUsd6, until), signature)) {
            revert InferencePayments_BadSignature(key);
        }

        if (word.lockedUsd6() != 0 && !_isLocked(word)) word = _release(payer, key, msg.sender, word);
        PayerWord account_ = _accounts[payer].word;
        uint256 balance = account_.balanceUsd6();
        uint256 collected = word.collectedUsd6();
        uint256 covered = collected + word.lockedUsd6();
        // Consent to less was not consent to hold all of it until then.
        if (coverUsd6 < covered || coverUsd6 == collected) {
            revert InferencePayments_LimitTooLow(coverUsd6, covered);
        }
        uint256 added = coverUsd6 - covered;
        if (added > balance) revert InferencePayments_InsufficientBalance(payer, added, balance);
        uint256 locked = word.lockedUsd6() + added;
        _accounts[payer].word = account_.minus(added);
        _channels[msg.sender][payer][key].word = word.withFunds(collected, locked, until);
        emit Locked(payer, key, msg.sender, added, locked, until);
    }

    /// @dev No consent to hold money longer than the key's own time, or than anybody should.
    function _checkLock(address payer, address key, ChannelWord word, uint256 coverUsd6, uint256 until)
        private
        view
    {
        (uint256 limitUsd6, uint256 expiresAt) = _terms(payer, key, word);
        if (block.timestamp >= expiresAt) {
            revert InferencePayments_NoSession(payer, key, msg.sender, expiresAt);
        }
        if (coverUsd6 > limitUsd6) revert InferencePayments_OverLimit(coverUsd6, limitUsd6);
        if (until <= block.timestamp) revert InferencePayments_Expired(until, block.timestamp);
        if (until < word.lockedUntil()) revert InferencePayments_Expired(until, word.lockedUntil());
        uint256 latest = Math.min(expiresAt, block.timestamp + MAX_LOCK_SECONDS);
        if (until > latest) revert InferencePayments_TooLate(until, latest);
    }

    /// @inheritdoc IInferencePayments
    function release(address payer, address key, address gateway) external nonReentrant {
        ChannelWord word = _channels[gateway][payer][key].word;
        if (_isLocked(word) && msg.sender != gateway) {
            revert InferencePayments_StillLocked(msg.sender, word.lockedUntil());
        }
        if (word.lockedUsd6() == 0) revert InferencePayments_NothingLocked(payer, key, gateway);
        _channels[gateway][payer][key].word = _release(payer, key, gateway, word);
    }

    /// @return The word without its lock, for the caller to write.
    function _release(address payer, address key, address gateway, ChannelWord word)
        internal
        returns (ChannelWord)
    {
        uint256 locked = word.lockedUsd6();
        emit Released(payer, key, gateway, locked, _addBalance(payer, locked));
        return word.withFunds(word.collectedUsd6(), 0, 0);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IInferencePayments
    function channel(address payer, address key, address gateway) external view returns (Channel memory) {
        ChannelWord word = _channels[gateway][payer][key].word;
        (uint256 limitUsd6, uint256 expiresAt) = _terms(payer, key, word);
        return Channel(limitUsd6, expiresAt, word.collectedUsd6(), word.lockedUsd6(), word.lockedUntil());
    }

    /// @inheritdoc IInferencePayments
    function collectableUsd6(address payer, address key, address gateway) external view returns (uint256) {
        ChannelWord word = _channels[gateway][payer][key].word;
        (uint256 limitUsd6, uint256 expiresAt) = _terms(payer, key, word);
        if (block.timestamp >= expiresAt) return 0;
        PayerWord account_ = _accounts[payer].word;
        // What is locked no longer is released in passing.
        uint256 money = account_.balanceUsd6() - _withdrawable(account_) + word.lockedUsd6();
        return Math.min(limitUsd6 - word.collectedUsd6(), money);
    }

    /// @inheritdoc IInferencePayments
    function voucherDigest(address payer, address gateway, uint256 cumulativeUsd6)
        external
        view
        returns (bytes32)
    {
        return _voucherDigest(VoucherBatch.TYPE_HASH, payer, gateway, cumulativeUsd6);
    }

    /// @inheritdoc IInferencePayments
    function accountVoucherDigest(address payer, address gateway, uint256 cumulativeUsd6)
        external
        view
        returns (bytes32)
    {
        return _voucherDigest(VoucherBatch.ACCOUNT_TYPE_HASH, payer, gateway, cumulativeUsd6);
    }

    function _voucherDigest(bytes32 typeHash, address payer, address gateway, uint256 cumulativeUsd6)
        private
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(keccak256(abi.encode(typeHash, payer, gateway, cumulativeUsd6)));
    }

    /// @inheritdoc IInferencePayments
    function lockDigest(address payer, address key, address gateway, uint256 coverUsd6, uint256 until)
        public
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(keccak256(abi.encode(LOCK_TYPEHASH, payer, key, gateway, coverUsd6, until)));
    }

    /// @inheritdoc IInferencePayments
    function sessionDigest(SessionAuthorization calldata authorization) public view returns (bytes32) {
        // All its fields are words of fixed size, which is how EIP-712 encodes them.
        return _hashTypedDataV4(keccak256(abi.encode(SESSION_TYPEHASH, authorization)));
    }
}
