// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterId} from "../../types/ClusterId.sol";

/// @notice What a holder signs to be paid by a relayer. EIP-712 type of the same name, as the three below, with ClusterId
///         as uint32; domain ("Rackstream HolderDesk", "1", chain id, this contract).
/// @param recipient Who is paid; the zero address stands for the holder's payee in each share.
/// @param nonce Any 32 bytes that the owner has not used; each counts once, in whatever order.
/// @param deadline Last Unix second at which it counts.
struct ClaimAuthorization {
    address owner;
    address recipient;
    ClusterId[] clusterIds;
    bytes32 nonce;
    uint256 deadline;
}

/// @param expiresAt Unix second until which the encumbrance lasts; 2^40 − 1 for as long as the taker wants.
/// @param assignedUnits Shares of `amount` whose income is assigned to `payee`; 0 for none.
struct EncumbranceAuthorization {
    address owner;
    ClusterId clusterId;
    address taker;
    uint256 amount;
    uint40 expiresAt;
    uint256 assignedUnits;
    address payee;
    bytes32 nonce;
    uint256 deadline;
}

struct AllowanceAuthorization {
    address owner;
    ClusterId clusterId;
    address spender;
    uint256 amount;
    bytes32 nonce;
    uint256 deadline;
}

struct DelegationAuthorization {
    address owner;
    ClusterId[] clusterIds;
    address delegatee;
    bytes32 nonce;
    uint256 deadline;
}

/// @title HolderDesk
/// @notice What a holder can have done without paying gas, or in many clusters at once. Signatures are of an EOA or, by
///         ERC-1271, of a smart account. Anyone may bring them; nobody can change what they say. Shares trust this
///         contract to have checked them, and let it do nothing else. What a wallet signs that was recovered in a cluster
///         counts for nothing there.
///
///         **Claims** in many clusters are independent: one that fails pays nothing and stops none of the others. Each is
///         given CLAIM_GAS at least and at most, so that whoever brings it can make none fail by too little gas, and none can
///         use up what is for the others. A signed claim that would pay nothing is refused and can be brought again.
interface IHolderDesk {
    event AuthorizationUsed(address indexed owner, bytes32 indexed nonce);
    event AuthorizationCancelled(address indexed owner, bytes32 indexed nonce);
    /// @notice A claim in one of several clusters failed and did not stop the others: `reason` is what it reverted with,
    ///         up to 256 bytes. There is no such event where there was nothing to claim.
    event ClaimSkipped(ClusterId indexed clusterId, address indexed owner, bytes reason);

    error HolderDesk_NoShare(ClusterId clusterId);
    error HolderDesk_Expired(uint256 deadline, uint256 now_);
    error HolderDesk_NonceUsed(address owner, bytes32 nonce);
    error HolderDesk_BadSignature(address owner);
    error HolderDesk_TooManyClusters(uint256 count, uint256 limit);
    /// @notice All that `owner` had in the cluster was recovered to `successor`.
    error HolderDesk_OwnerRecovered(ClusterId clusterId, address owner, address successor);
    /// @notice Stablecoin sent to `recipient`, a share or this contract, would be lost.
    error HolderDesk_InvalidRecipient(address recipient);
    error HolderDesk_NothingToClaim(address owner);
    /// @notice `gasLeft` is left before a claim that is to have as much as `limit` allows for.
    error HolderDesk_TooLittleGas(uint256 gasLeft, uint256 limit);

    /// @notice Pay `owner`'s income of many clusters to their payees. Open to all.
    /// @return amountsUsd6 What was paid of each cluster, 0 where nothing could be.
    function claimMany(address owner, ClusterId[] calldata clusterIds)
        external
        returns (uint256[] memory amountsUsd6);

    /// @notice Pay the signer's income of many clusters to the recipient that they signed for.
    function claimWithAuthorization(ClaimAuthorization calldata authorization, bytes calldata signature)
        external
        returns (uint256[] memory amountsUsd6);

    /// @notice Encumber the signer's shares, and assign income of them, as `encumberUntil` and `assignIncome` of the share.
    function encumberWithAuthorization(
        EncumbranceAuthorization calldata authorization,
        bytes calldata signature
    ) external;

    /// @notice Set an allowance of the signer, as `approve` of the share.
    function approveWithAuthorization(AllowanceAuthorization calldata authorization, bytes calldata signature)
        external;

    /// @notice Delegate the signer's votes in many clusters, as `delegate` of the share.
    function delegateWithAuthorization(
        DelegationAuthorization calldata authorization,
        bytes calldata signature
    ) external;

    /// @notice Make the caller's `nonce` void.
    function cancelAuthorization(bytes32 nonce) external;

    function isNonceUsed(address owner, bytes32 nonce) external view returns (bool);

    /// @notice The EIP-712 digests that an owner signs.
    function claimDigest(ClaimAuthorization calldata authorization) external view returns (bytes32);
    function encumbranceDigest(EncumbranceAuthorization calldata authorization)
        external
        view
        returns (bytes32);
    function allowanceDigest(AllowanceAuthorization calldata authorization) external view returns (bytes32);
    function delegationDigest(DelegationAuthorization calldata authorization) external view returns (bytes32);

    /// @notice Why `amount` of a cluster's shares cannot go from `from` to `to` by `transfer` now, in words that a wallet
    ///         can show; empty if and only if they can.
    function whyNot(ClusterId clusterId, address from, address to, uint256 amount)
        external
        view
        returns (string memory reason);
}
