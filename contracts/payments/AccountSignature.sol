// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IInferencePayments} from "./interfaces/IInferencePayments.sol";

/// @notice Whether an account signed, where the account is not to be trusted with the caller's gas or memory.
/// @dev OpenZeppelin's SignatureChecker gives a contract all gas there is: one payer could then stop a batch of others.
library AccountSignature {
    /// @dev Enough for a wallet of several owners and for a passkey checked by a precompile.
    uint256 internal constant CONTRACT_GAS = 100_000;

    /// @dev A call is given at most 63/64 of what is left, and comes with a few thousand of costs of its own.
    uint256 private constant GAS_BEFORE_CONTRACT = CONTRACT_GAS * 64 / 63 + 10_000;

    /// @notice By its key, or else, if it has code, by what the code answers (ERC-1271).
    /// @dev The key first: code that an account has delegated to (EIP-7702) takes nothing from it.
    function isBy(address account, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        if (isByKey(account, digest, signature)) return true;
        return account.code.length != 0 && isByContract(account, digest, signature);
    }

    /// @notice By its key, whatever its code says: what was signed so is signed for ever.
    function isByKey(address account, bytes32 digest, bytes calldata signature) internal pure returns (bool) {
        // What is wrong with a bad one is left out: its signer is zero.
        // slither-disable-next-line unused-return
        (address signer,,) = ECDSA.tryRecoverCalldata(digest, signature);
        return signer == account && signer != address(0);
    }

    /// @notice What the code of `account` answers to at most CONTRACT_GAS, by a static call of which one word is copied. An
    ///         account without code answers nothing.
    /// @dev Reverts where it could not be given that much: a refusal is the account's own, never for want of gas.
    function isByContract(address account, bytes32 digest, bytes calldata signature)
        internal
        view
        returns (bool isValid)
    {
        bytes memory question = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        if (gasleft() < GAS_BEFORE_CONTRACT) {
            revert IInferencePayments.InferencePayments_TooLittleGas(gasleft(), GAS_BEFORE_CONTRACT);
        }
        bytes32 answer;
        assembly ("memory-safe") {
            isValid := staticcall(CONTRACT_GAS, account, add(question, 32), mload(question), 0, 32)
            isValid := and(isValid, gt(returndatasize(), 31))
            answer := mload(0)
        }
        return isValid && answer == bytes32(IERC1271.isValidSignature.selector);
    }
}
