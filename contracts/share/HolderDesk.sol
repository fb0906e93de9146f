// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {IClusterRegistry} from "../registry/interfaces/IClusterRegistry.sol";
import {ClusterId} from "../types/ClusterId.sol";
import {IClusterShare} from "./interfaces/IClusterShare.sol";
import {IClusterShareNotices} from "./interfaces/IClusterShareNotices.sol";
import {
    AllowanceAuthorization,
    ClaimAuthorization,
    DelegationAuthorization,
    EncumbranceAuthorization,
    IHolderDesk
} from "./interfaces/IHolderDesk.sol";
import {ShareBase} from "./ShareBase.sol";
import {TransferWords} from "./TransferWords.sol";

/// @notice See IHolderDesk.
/// @dev Holds nothing and needs no lock: a nonce is written before anything is called.
contract HolderDesk is IHolderDesk, EIP712 {
    /// @notice Most clusters in one call.
    uint256 public constant MAX_CLUSTERS = 64;

    /// @notice Gas that each claim among many is given: more than twice what one takes after any silence.
    uint256 public constant CLAIM_GAS = 300_000;

    /// @dev A call is given at most 63/64 of what is left, and comes with a few thousand of costs of its own.
    uint256 private constant GAS_BEFORE_CLAIM = CLAIM_GAS * 64 / 63 + 10_000;

    /// @dev Most that is copied of what a claim reverts with.
    uint256 private constant MAX_REASON_BYTES = 256;

    bytes32 private constant CLAIM_TYPEHASH = keccak256(
        "ClaimAuthorization(address owner,address recipient,uint32[] clusterIds,bytes32 nonce,uint256 deadline)"
    );
    bytes32 private constant ENCUMBRANCE_TYPEHASH = keccak256(
        "EncumbranceAuthorization(address owner,uint32 clusterId,address taker,uint256 amount,uint40 expiresAt,uint256 assignedUnits,address payee,bytes32 nonce,uint256 deadline)"
    );
    bytes32 private constant ALLOWANCE_TYPEHASH = keccak256(
        "AllowanceAuthorization(address owner,uint32 clusterId,address spender,uint256 amount,bytes32 nonce,uint256 deadline)"
    );
    bytes32 private constant DELEGATION_TYPEHASH = keccak256(
        "DelegationAuthorization(address owner,uint32[] clusterIds,address delegatee,bytes32 nonce,uint256 deadline)"
    );

    IClusterRegistry public immutable REGISTRY;

    /// @inheritdoc IHolderDesk
    mapping(address owner => mapping(bytes32 nonce => bool)) public isNonceUsed;

    constructor(IClusterRegistry registry) EIP712("Rackstream HolderDesk", "1") {
        REGISTRY = registry;
    }

    // ------------------------------------------------------------------ claims

    /// @inheritdoc IHolderDesk
    function claimMany(address owner, ClusterId[] calldata clusterIds)
        external
        returns (uint256[] memory amountsUsd6)
    {
        _checkCount(clusterIds.length);
        amountsUsd6 = new uint256[](clusterIds.length);
        bytes memory call_ = abi.encodeCall(IClusterShare.claimFor, (owner));
        for (uint256 i; i < clusterIds.length; ++i) {
            amountsUsd6[i] = _tryClaim(clusterIds[i], _shareOf(clusterIds[i]), owner, call_);
        }
    }

    /// @inheritdoc IHolderDesk
    function claimWithAuthorization(ClaimAuthorization calldata authorization, bytes calldata signature)
        external
        returns (uint256[] memory amountsUsd6)
    {
        (address owner, address recipient) = (authorization.owner, authorization.recipient);
        ClusterId[] calldata clusterIds = authorization.clusterIds;
        _checkCount(clusterIds.length);
        _use(owner, authorization.nonce, authorization.deadline, claimDigest(authorization), signature);
        if (recipient == address(this)) revert HolderDesk_InvalidRecipient(recipient);

        amountsUsd6 = new uint256[](clusterIds.length);
        bytes memory call_ = abi.encodeCall(IClusterShare.claimTo, (owner, recipient));
        uint256 sum = 0;
        for (uint256 i; i < clusterIds.length; ++i) {
            IClusterShare share = _shareFor(clusterIds[i], owner);
            if (recipient == address(share)) revert HolderDesk_InvalidRecipient(recipient);
            amountsUsd6[i] = _tryClaim(clusterIds[i], share, owner, call_);
            sum += amountsUsd6[i];
        }
        if (sum == 0) revert HolderDesk_NothingToClaim(owner);
    }

    /// @dev Calls `share` with `call_`, which returns an amount. Copies a bounded part of what comes back, and gives it a
    ///      fixed amount of gas: a failure is the share's or the stablecoin's, never for want of the caller's gas.
    function _tryClaim(ClusterId clusterId, IClusterShare share, address owner, bytes memory call_)
        private
        returns (uint256 amountUsd6)
    {
        if (gasleft() < GAS_BEFORE_CLAIM) revert HolderDesk_TooLittleGas(gasleft(), GAS_BEFORE_CLAIM);
        bool done;
        bytes memory reason;
        assembly ("memory-safe") {
            done := call(CLAIM_GAS, share, 0, add(call_, 32), mload(call_), 0, 32)
            done := and(done, gt(returndatasize(), 31))
            switch done
            case 1 { amountUsd6 := mload(0) }
            default {
                reason := mload(0x40)
                let size := returndatasize()
                if gt(size, MAX_REASON_BYTES) { size := MAX_REASON_BYTES }
                mstore(reason, size)
                returndatacopy(add(reason, 32), 0, size)
                mstore(0x40, add(reason, add(32, MAX_REASON_BYTES)))
            }
        }
        if (!done && bytes4(reason) != IClusterShareNotices.ClusterShare_NothingToClaim.selector) {
            emit ClaimSkipped(clusterId, owner, reason);
        }
    }

    // ------------------------------------------------------------------ signed acts

    /// @inheritdoc IHolderDesk
    function encumberWithAuthorization(
        EncumbranceAuthorization calldata authorization,
        bytes calldata signature
    ) external {
        address owner = authorization.owner;
        _use(owner, authorization.nonce, authorization.deadline, encumbranceDigest(authorization), signature);
        _shareFor(authorization.clusterId, owner)
            .encumberFor(
                owner,
                authorization.taker,
                authorization.amount,
                authorization.expiresAt,
                authorization.assignedUnits,
                authorization.payee
            );
    }

    /// @inheritdoc IHolderDesk
    function approveWithAuthorization(AllowanceAuthorization calldata authorization, bytes calldata signature)
        external
    {
        address owner = authorization.owner;
        _use(owner, authorization.nonce, authorization.deadline, allowanceDigest(authorization), signature);
        _shareFor(authorization.clusterId, owner)
            .approveFor(owner, authorization.spender, authorization.amount);
    }

    /// @inheritdoc IHolderDesk
    function delegateWithAuthorization(
        DelegationAuthorization calldata authorization,
        bytes calldata signature
    ) external {
        address owner = authorization.owner;
        ClusterId[] calldata clusterIds = authorization.clusterIds;
        _checkCount(clusterIds.length);
        _use(owner, authorization.nonce, authorization.deadline, delegationDigest(authorization), signature);
        for (uint256 i; i < clusterIds.length; ++i) {
            _shareFor(clusterIds[i], owner).delegateFor(owner, authorization.delegatee);
        }
    }

    /// @inheritdoc IHolderDesk
    function cancelAuthorization(bytes32 nonce) external {
        _spend(msg.sender, nonce);
        emit AuthorizationCancelled(msg.sender, nonce);
    }

    /// @dev The signature last: the dearest check. A signer that is a contract is asked by a static call.
    function _use(address owner, bytes32 nonce, uint256 deadline, bytes32 digest, bytes calldata signature)
        private
    {
        if (block.timestamp > deadline) revert HolderDesk_Expired(deadline, block.timestamp);
        _spend(owner, nonce);
        if (!SignatureChecker.isValidSignatureNowCalldata(owner, digest, signature)) {
            revert HolderDesk_BadSignature(owner);
        }
        emit AuthorizationUsed(owner, nonce);
    }

    function _spend(address owner, bytes32 nonce) private {
        if (isNonceUsed[owner][nonce]) revert HolderDesk_NonceUsed(owner, nonce);
        isNonceUsed[owner][nonce] = true;
    }

    function _checkCount(uint256 count) private pure {
        if (count > MAX_CLUSTERS) revert HolderDesk_TooManyClusters(count, MAX_CLUSTERS);
    }

    function _shareOf(ClusterId clusterId) private view returns (IClusterShare share) {
        share = IClusterShare(REGISTRY.cluster(clusterId).share);
        if (address(share) == address(0)) revert HolderDesk_NoShare(clusterId);
    }

    /// @dev The share, of whom `owner` may still dispose by signature.
    function _shareFor(ClusterId clusterId, address owner) private view returns (IClusterShare share) {
        share = _shareOf(clusterId);
        address successor = share.successorOf(owner);
        if (successor != address(0)) revert HolderDesk_OwnerRecovered(clusterId, owner, successor);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IHolderDesk
    function claimDigest(ClaimAuthorization calldata authorization) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    CLAIM_TYPEHASH,
                    authorization.owner,
                    authorization.recipient,
                    keccak256(abi.encodePacked(authorization.clusterIds)),
                    authorization.nonce,
                    authorization.deadline
                )
            )
        );
    }

    /// @inheritdoc IHolderDesk
    function encumbranceDigest(EncumbranceAuthorization calldata authorization)
        public
        view
        returns (bytes32)
    {
        // All its fields are words of fixed size, which is how EIP-712 encodes them.
        return _hashTypedDataV4(keccak256(abi.encode(ENCUMBRANCE_TYPEHASH, authorization)));
    }

    /// @inheritdoc IHolderDesk
    function allowanceDigest(AllowanceAuthorization calldata authorization) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(ALLOWANCE_TYPEHASH, authorization)));
    }

    /// @inheritdoc IHolderDesk
    function delegationDigest(DelegationAuthorization calldata authorization) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    DELEGATION_TYPEHASH,
                    authorization.owner,
                    keccak256(abi.encodePacked(authorization.clusterIds)),
                    authorization.delegatee,
                    authorization.nonce,
                    authorization.deadline
                )
            )
        );
    }

    /// @inheritdoc IHolderDesk
    function whyNot(ClusterId clusterId, address from, address to, uint256 amount)
        external
        view
        returns (string memory reason)
    {
        IClusterShare share = _shareOf(clusterId);
        return TransferWords.whyNot(share, ShareBase(address(share)).IDENTITIES(), from, to, amount);
    }
}
