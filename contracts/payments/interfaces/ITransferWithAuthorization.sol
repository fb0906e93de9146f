// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title ITransferWithAuthorization
/// @notice The one function of EIP-3009 that X402Settler needs, in the form that USDC has had since v2.2: the signature as
///         bytes, so that contract accounts can give theirs (ERC-1271).
interface ITransferWithAuthorization {
    /// @notice Move `value` from `from` to `to` by the signature of `from`, whoever brings it.
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;
}
