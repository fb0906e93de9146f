// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Authorised} from "../access/Authorised.sol";
import {Powers} from "../access/Powers.sol";
import {IAuthority} from "../access/interfaces/IAuthority.sol";
import {Attestation, IIdentityRegistry} from "./interfaces/IIdentityRegistry.sol";

/// @notice See IIdentityRegistry.
contract IdentityRegistry is IIdentityRegistry, Authorised, EIP712 {
    /// @notice Most wallets that one investor may have at a time; bounds the work of `revokeInvestor`.
    uint256 public constant MAX_WALLETS_PER_INVESTOR = 16;

    /// @notice Highest ISO 3166-1 numeric country code.
    uint16 public constant MAX_COUNTRY = 999;

    /// @notice Highest investor class: institution.
    uint8 public constant MAX_INVESTOR_CLASS = 3;

    bytes32 private constant ATTESTATION_TYPEHASH = keccak256(
        "Attestation(address wallet,bytes16 investorId,uint16 country,uint8 investorClass,uint40 issuedAt,uint40 expiresAt)"
    );

    /// @dev One slot, 240 of 256 bits. A revoked wallet has `expiresAt` 0 and the time of its revocation as
    ///      `issuedAt`, so that one comparison tells whether an attestation is newer than both.
    /// @param place 1 + position in its investor's list of wallets; 0 if it is not in the list.
    struct Record {
        bytes16 investorId;
        uint40 issuedAt;
        uint40 expiresAt;
        uint16 country;
        uint8 investorClass;
        uint8 place;
    }

    mapping(address wallet => Record) private _records;
    mapping(bytes16 investorId => address[]) private _wallets;
    mapping(bytes16 investorId => uint40) private _investorRevokedAt;

    constructor(IAuthority authority_) Authorised(authority_) EIP712("Rackstream IdentityRegistry", "1") {}

    /// @inheritdoc IIdentityRegistry
    function attest(Attestation calldata attestation, address provider, bytes calldata signature) external {
        _check(attestation);
        Record storage record = _records[attestation.wallet];
        Record memory cached = record;
        _checkNewer(attestation, cached);
        // A delay of the role is one of calls; a signature has none.
        // slither-disable-next-line unused-return
        (bool isProvider,) = IAuthority(authority()).hasRole(Powers.KYC_PROVIDER_ROLE, provider);
        if (!isProvider) revert IdentityRegistry_NotAProvider(provider);
        // Last: the dearest check. A provider that is a contract is asked by a static call, which can change nothing.
        if (!SignatureChecker.isValidSignatureNowCalldata(
                provider, attestationDigest(attestation), signature
            )) {
            revert IdentityRegistry_BadSignature(provider, attestation.wallet);
        }

        uint8 place = cached.place;
        if (cached.investorId != attestation.investorId && place != 0) {
            _unlist(cached.investorId, place);
            place = 0;
        }
        if (place == 0) place = _list(attestation.investorId, attestation.wallet);
        _records[attestation.wallet] = Record({
            investorId: attestation.investorId,
            issuedAt: attestation.issuedAt,
            expiresAt: attestation.expiresAt,
            country: attestation.country,
            investorClass: attestation.investorClass,
            place: place
        });
        emit WalletAttested(
            attestation.wallet,
            attestation.investorId,
            provider,
            attestation.country,
            attestation.investorClass,
            attestation.issuedAt,
            attestation.expiresAt
        );
    }

    /// @inheritdoc IIdentityRegistry
    function revokeWallet(address wallet) external restricted {
        Record storage record = _records[wallet];
        bytes16 investorId = record.investorId;
        if (investorId == 0) revert IdentityRegistry_UnknownWallet(wallet);
        uint8 place = record.place;
        if (place != 0) {
            _unlist(investorId, place);
            record.place = 0;
        }
        uint40 revokedAt = uint40(block.timestamp);
        record.issuedAt = revokedAt;
        record.expiresAt = 0;
        emit WalletRevoked(wallet, investorId, msg.sender, revokedAt);
    }

    /// @inheritdoc IIdentityRegistry
    function revokeInvestor(bytes16 investorId) external restricted {
        if (investorId == 0) revert IdentityRegistry_ZeroWalletOrInvestor();
        uint40 revokedAt = uint40(block.timestamp);
        _investorRevokedAt[investorId] = revokedAt;
        address[] storage wallets = _wallets[investorId];
        uint256 count = wallets.length;
        for (uint256 i = 0; i < count; ++i) {
            Record storage record = _records[wallets[i]];
            record.issuedAt = revokedAt;
            record.expiresAt = 0;
        }
        emit InvestorRevoked(investorId, msg.sender, revokedAt);
    }

    /// @inheritdoc IIdentityRegistry
    function canReceive(address wallet) external view returns (bool) {
        return block.timestamp < _records[wallet].expiresAt;
    }

    /// @inheritdoc IIdentityRegistry
    function attestationOf(address wallet) external view returns (Attestation memory) {
        Record memory record = _records[wallet];
        return Attestation({
            wallet: wallet,
            investorId: record.investorId,
            country: record.country,
            investorClass: record.investorClass,
            issuedAt: record.issuedAt,
            expiresAt: record.expiresAt
        });
    }

    /// @inheritdoc IIdentityRegistry
    function walletsOf(bytes16 investorId) external view returns (address[] memory) {
        return _wallets[investorId];
    }

    /// @inheritdoc IIdentityRegistry
    function investorRevokedAt(bytes16 investorId) external view returns (uint40) {
        return _investorRevokedAt[investorId];
    }

    /// @inheritdoc IIdentityRegistry
    function attestationDigest(Attestation calldata attestation) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    ATTESTATION_TYPEHASH,
                    attestation.wallet,
                    attestation.investorId,
                    attestation.country,
                    attestation.investorClass,
                    attestation.issuedAt,
                    attestation.expiresAt
                )
            )
        );
    }

    function _check(Attestation calldata attestation) private view {
        if (attestation.wallet == address(0) || attestation.investorId == 0) {
            revert IdentityRegistry_ZeroWalletOrInvestor();
        }
        if (attestation.country == 0 || attestation.country > MAX_COUNTRY) {
            revert IdentityRegistry_CountryOutOfRange(attestation.country, MAX_COUNTRY);
        }
        if (attestation.investorClass == 0 || attestation.investorClass > MAX_INVESTOR_CLASS) {
            revert IdentityRegistry_UnknownInvestorClass(attestation.investorClass);
        }
        if (attestation.issuedAt > block.timestamp) {
            revert IdentityRegistry_IssuedInFuture(attestation.issuedAt, block.timestamp);
        }
        if (attestation.expiresAt <= block.timestamp) {
            revert IdentityRegistry_Expired(attestation.expiresAt, block.timestamp);
        }
    }

    function _checkNewer(Attestation calldata attestation, Record memory cached) private view {
        uint40 limit = cached.issuedAt;
        uint40 revokedAt = _investorRevokedAt[attestation.investorId];
        if (revokedAt > limit) limit = revokedAt;
        if (attestation.issuedAt <= limit) revert IdentityRegistry_NotNewer(attestation.issuedAt, limit);
        // A wallet moves to another investor only after a revocation, which has set `expiresAt` to 0.
        if (cached.expiresAt != 0 && cached.investorId != attestation.investorId) {
            revert IdentityRegistry_WalletOfAnotherInvestor(attestation.wallet, cached.investorId);
        }
    }

    function _list(bytes16 investorId, address wallet) private returns (uint8 place) {
        uint256 count = _wallets[investorId].length;
        if (count == MAX_WALLETS_PER_INVESTOR) {
            revert IdentityRegistry_TooManyWallets(investorId, MAX_WALLETS_PER_INVESTOR);
        }
        _wallets[investorId].push(wallet);
        return uint8(count + 1);
    }

    /// @dev The last wallet of the list takes the place that falls free.
    function _unlist(bytes16 investorId, uint8 place) private {
        address[] storage wallets = _wallets[investorId];
        address last = wallets[wallets.length - 1];
        wallets[place - 1] = last;
        _records[last].place = place;
        wallets.pop();
    }
}
