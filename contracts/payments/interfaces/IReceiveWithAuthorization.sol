// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IReceiveWithAuthorization
/// @notice The one function of EIP-3009 that InferencePayments needs, in the form that USDC has had since v2.2: the signature
///         as bytes, so that contract accounts can give theirs (ERC-1271).
interface IReceiveWithAuthorization {
    /// @notice Move `value` from `from` to the caller, who must be `to`, by the signature of `from`.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;
}
