// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {InflowPausable} from "../access/InflowPausable.sol";
import {IInferencePayments, PayerAccount} from "./interfaces/IInferencePayments.sol";
import {IReceiveWithAuthorization} from "./interfaces/IReceiveWithAuthorization.sol";
import {PayerSlot, PayerWord} from "./PayerWord.sol";

/// @notice The payers' balances: what comes in and goes out of them.
abstract contract PaymentAccounts is IInferencePayments, InflowPausable, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice How long a withdrawal is public before it can be made, in seconds.
    uint256 public constant WITHDRAWAL_DELAY_SECONDS = 1 days;

    /// @notice For how long it can be made from then on, in seconds.
    uint256 public constant WITHDRAWAL_WINDOW_SECONDS = 1 days;

    uint8 private constant STABLECOIN_DECIMALS = 6;

    IERC20 public immutable STABLECOIN;

    mapping(address payer => PayerSlot) internal _accounts;

    constructor(IERC20Metadata stablecoin) {
        uint8 decimals = stablecoin.decimals();
        if (decimals != STABLECOIN_DECIMALS) {
            revert InferencePayments_UnsupportedStablecoin(address(stablecoin), decimals, STABLECOIN_DECIMALS);
        }
        STABLECOIN = IERC20(address(stablecoin));
    }

    // ------------------------------------------------------------------ in

    /// @inheritdoc IInferencePayments
    function deposit(uint256 amountUsd6) external nonReentrant whenInflowOpen returns (uint256 arrivedUsd6) {
        (arrivedUsd6,) = _pullFor(msg.sender, amountUsd6);
    }

    /// @inheritdoc IInferencePayments
    function depositFor(address payer, uint256 amountUsd6)
        external
        nonReentrant
        whenInflowOpen
        returns (uint256 arrivedUsd6)
    {
        (arrivedUsd6,) = _pullFor(payer, amountUsd6);
    }

    /// @inheritdoc IInferencePayments
    function depositWithPermit(uint256 amountUsd6, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        nonReentrant
        whenInflowOpen
        returns (uint256 arrivedUsd6)
    {
        try IERC20Permit(address(STABLECOIN))
            .permit(msg.sender, address(this), amountUsd6, deadline, v, r, s) {}
            catch {
            // Somebody ran ahead with it, or it is bad: the allowance that it left, or did not, decides.
        }
        (arrivedUsd6,) = _pullFor(msg.sender, amountUsd6);
    }

    /// @inheritdoc IInferencePayments
    function depositWithAuthorization(
        address from,
        address payer,
        uint256 amountUsd6,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 salt,
        bytes calldata signature
    ) external nonReentrant whenInflowOpen returns (uint256 arrivedUsd6) {
        bytes32 nonce = depositNonce(payer, salt);
        (arrivedUsd6,) = _receive(from, payer, amountUsd6, validAfter, validBefore, nonce, signature);
    }

    /// @inheritdoc IInferencePayments
    function refund(address payer, uint256 amountUsd6, bytes32 receiptHash)
        external
        nonReentrant
        whenInflowOpen
        returns (uint256 arrivedUsd6)
    {
        uint256 balance;
        (arrivedUsd6, balance) = _pullFor(payer, amountUsd6);
        emit Refunded(msg.sender, payer, receiptHash, arrivedUsd6, balance);
    }

    /// @inheritdoc IInferencePayments
    function refundWithAuthorization(
        address gateway,
        address payer,
        uint256 amountUsd6,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 receiptHash,
        bytes calldata signature
    ) external nonReentrant whenInflowOpen returns (uint256 arrivedUsd6) {
        bytes32 nonce = refundNonce(payer, receiptHash);
        uint256 balance;
        (arrivedUsd6, balance) =
            _receive(gateway, payer, amountUsd6, validAfter, validBefore, nonce, signature);
        emit Refunded(gateway, payer, receiptHash, arrivedUsd6, balance);
    }

    function _pullFor(address payer, uint256 amountUsd6) private returns (uint256 arrived, uint256 balance) {
        arrived = _pull(amountUsd6);
        balance = _deposited(payer, msg.sender, arrived);
    }

    function _pull(uint256 amountUsd6) internal returns (uint256) {
        uint256 before = STABLECOIN.balanceOf(address(this));
        STABLECOIN.safeTransferFrom(msg.sender, address(this), amountUsd6);
        return _arrivedSince(before);
    }

    function _receive(
        address from,
        address payer,
        uint256 amountUsd6,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) private returns (uint256 arrived, uint256 balance) {
        uint256 before = STABLECOIN.balanceOf(address(this));
        IReceiveWithAuthorization(address(STABLECOIN))
            .receiveWithAuthorization(
                from, address(this), amountUsd6, validAfter, validBefore, nonce, signature
            );
        arrived = _arrivedSince(before);
        balance = _deposited(payer, from, arrived);
    }

    /// @dev What came since `before` was held. Everything that moves money holds the same lock, so nothing that the
    ///      stablecoin calls meanwhile can be counted twice.
    function _arrivedSince(uint256 before) private view returns (uint256 arrived) {
        arrived = Math.saturatingSub(STABLECOIN.balanceOf(address(this)), before);
        if (arrived == 0) revert InferencePayments_ZeroAmount();
        if (arrived > type(uint64).max) revert InferencePayments_OverLimit(arrived, type(uint64).max);
    }

    function _deposited(address payer, address from, uint256 arrived) private returns (uint256 balance) {
        if (payer == address(0)) revert InferencePayments_ZeroAddress();
        balance = _addBalance(payer, arrived);
        emit Deposited(payer, from, arrived, balance);
    }

    function _addBalance(address payer, uint256 amountUsd6) internal returns (uint256 balance) {
        PayerWord word = _accounts[payer].word;
        balance = word.balanceUsd6();
        uint256 room = type(uint64).max - balance;
        if (amountUsd6 > room) revert InferencePayments_OverLimit(amountUsd6, room);
        balance += amountUsd6;
        _accounts[payer].word = word.withBalance(balance);
    }

    // ------------------------------------------------------------------ out

    /// @inheritdoc IInferencePayments
    function requestWithdrawal(uint256 amountUsd6) external {
        PayerWord word = _accounts[msg.sender].word;
        if (amountUsd6 > word.balanceUsd6()) {
            revert InferencePayments_InsufficientBalance(msg.sender, amountUsd6, word.balanceUsd6());
        }
        uint256 dueAt = amountUsd6 == 0 ? 0 : block.timestamp + WITHDRAWAL_DELAY_SECONDS;
        _accounts[msg.sender].word = word.withRequest(amountUsd6, dueAt);
        emit WithdrawalRequested(msg.sender, amountUsd6, dueAt);
    }

    /// @inheritdoc IInferencePayments
    function withdraw() external nonReentrant returns (uint256 amountUsd6) {
        PayerWord word = _accounts[msg.sender].word;
        uint256 balance = word.balanceUsd6();
        amountUsd6 = word.requestedUsd6();
        if (amountUsd6 == 0) revert InferencePayments_NothingToWithdraw(msg.sender);
        uint256 dueAt = word.withdrawableAt();
        if (block.timestamp < dueAt) revert InferencePayments_TooEarly(msg.sender, dueAt);
        if (_isLapsed(word)) {
            revert InferencePayments_Lapsed(msg.sender, dueAt + WITHDRAWAL_WINDOW_SECONDS);
        }
        balance -= amountUsd6;
        _accounts[msg.sender].word = word.withBalance(balance).withRequest(0, 0);
        emit Withdrawn(msg.sender, amountUsd6, balance);
        STABLECOIN.safeTransfer(msg.sender, amountUsd6);
    }

    /// @dev A request that waited for ever would be a withdrawal without delay, whenever a voucher comes.
    function _isLapsed(PayerWord word) private view returns (bool) {
        return block.timestamp >= word.withdrawableAt() + WITHDRAWAL_WINDOW_SECONDS;
    }

    /// @dev What the payer can take out at this second.
    function _withdrawable(PayerWord word) internal view returns (uint256) {
        return block.timestamp < word.withdrawableAt() || _isLapsed(word) ? 0 : word.requestedUsd6();
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IInferencePayments
    function account(address payer) external view returns (PayerAccount memory) {
        PayerWord word = _accounts[payer].word;
        if (_isLapsed(word)) word = word.withRequest(0, 0);
        return PayerAccount(word.balanceUsd6(), word.requestedUsd6(), word.withdrawableAt(), word.nonce());
    }

    /// @inheritdoc IInferencePayments
    function depositNonce(address payer, bytes32 salt) public pure returns (bytes32) {
        return keccak256(abi.encode("Deposit", payer, salt));
    }

    /// @inheritdoc IInferencePayments
    function refundNonce(address payer, bytes32 receiptHash) public pure returns (bytes32) {
        return keccak256(abi.encode("Refund", payer, receiptHash));
    }
}
