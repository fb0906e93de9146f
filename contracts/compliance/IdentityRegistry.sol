// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Authorised} from "../access/Authorised.sol";
import {Powers} from "../access/Powers.sol";
import {IAuthority} from "../access/interfaces/IAuthority.sol";
import {HoldingRules} from "./HoldingRules.sol";
import {Attestation, IIdentityRegistry} from "./interfaces/IIdentityRegistry.sol";
import {WalletWord, WalletWordLib} from "./WalletWord.sol";

/// @notice See IIdentityRegistry and, of what a share asks of its holders, IHoldingRules.
/// @dev The two are one contract so that a share makes one call a transfer.
contract IdentityRegistry is IIdentityRegistry, HoldingRules, EIP712 {
    /// @notice Most wallets that one investor may ever have; bounds the work of `revokeInvestor` and of finding what
    ///         an investor holds.
    uint256 public constant MAX_WALLETS_PER_INVESTOR = 32;

    /// @notice Highest investor class: institution.
    uint8 public constant MAX_INVESTOR_CLASS = 3;

    bytes32 private constant ATTESTATION_TYPEHASH = keccak256(
        "Attestation(address wallet,bytes16 investorId,uint16 country,uint8 investorClass,uint40 issuedAt,uint40 expiresAt)"
    );

    mapping(address wallet => WalletWord) private _records;
    mapping(bytes16 investorId => address[]) private _wallets;
    mapping(bytes16 investorId => uint40) private _investorRevokedAt;

    constructor(IAuthority authority_) Authorised(authority_) EIP712("Rackstream IdentityRegistry", "1") {}

    /// @inheritdoc IIdentityRegistry
    function attest(Attestation calldata attestation, address provider, bytes calldata signature) external {
        _check(attestation);
        WalletWord cached = _records[attestation.wallet];
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

        if (cached.investorId() == 0 && _list(attestation.investorId, attestation.wallet)) {
            cached = cached.plus(WalletWordLib.HAS_SIBLINGS);
        }
        _records[attestation.wallet] = cached.attested(
            attestation.investorId,
            attestation.issuedAt,
            attestation.expiresAt,
            attestation.country,
            attestation.investorClass
        );
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
        WalletWord record = _records[wallet];
        bytes16 investorId = record.investorId();
        if (investorId == 0) revert IdentityRegistry_UnknownWallet(wallet);
        uint40 revokedAt = uint40(block.timestamp);
        _records[wallet] = record.voided(revokedAt);
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
            address wallet = wallets[i];
            _records[wallet] = _records[wallet].voided(revokedAt);
        }
        emit InvestorRevoked(investorId, msg.sender, revokedAt);
    }

    /// @inheritdoc IIdentityRegistry
    function blockWallet(address wallet) external restricted {
        if (wallet == address(0)) revert IdentityRegistry_ZeroWalletOrInvestor();
        WalletWord record = _records[wallet];
        // A wallet is lost in every share, and each may have it blocked.
        if (record.has(WalletWordLib.BLOCKED)) return;
        _records[wallet] = record.voided(uint40(block.timestamp)).plus(WalletWordLib.BLOCKED);
        emit WalletBlocked(wallet, record.investorId(), msg.sender);
    }

    /// @inheritdoc IIdentityRegistry
    function attestationOf(address wallet) external view returns (Attestation memory) {
        WalletWord record = _records[wallet];
        return Attestation({
            wallet: wallet,
            investorId: record.investorId(),
            country: record.country(),
            investorClass: record.investorClass(),
            issuedAt: record.issuedAt(),
            expiresAt: record.expiresAt()
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

    function _checkNewer(Attestation calldata attestation, WalletWord cached) private view {
        if (cached.has(WalletWordLib.BLOCKED)) revert IdentityRegistry_WalletBlocked(attestation.wallet);
        bytes16 investorId = cached.investorId();
        if (investorId != 0 && investorId != attestation.investorId) {
            revert IdentityRegistry_WalletOfAnotherInvestor(attestation.wallet, investorId);
        }
        uint40 limit = cached.issuedAt();
        uint40 revokedAt = _investorRevokedAt[attestation.investorId];
        if (revokedAt > limit) limit = revokedAt;
        if (attestation.issuedAt <= limit) revert IdentityRegistry_NotNewer(attestation.issuedAt, limit);
    }

    /// @dev Returns whether the investor has other wallets.
    function _list(bytes16 investorId, address wallet) private returns (bool hasSiblings) {
        address[] storage wallets = _wallets[investorId];
        uint256 count = wallets.length;
        if (count == MAX_WALLETS_PER_INVESTOR) {
            revert IdentityRegistry_TooManyWallets(investorId, MAX_WALLETS_PER_INVESTOR);
        }
        // The first one was alone until now; all others know from the start that they are not.
        if (count == 1) _records[wallets[0]] = _records[wallets[0]].plus(WalletWordLib.HAS_SIBLINGS);
        wallets.push(wallet);
        return count != 0;
    }

    /// @inheritdoc HoldingRules
    function _recordOf(address wallet) internal view override returns (WalletWord) {
        return _records[wallet];
    }

    /// @inheritdoc HoldingRules
    function _walletsOf(bytes16 investorId) internal view override returns (address[] storage) {
        return _wallets[investorId];
    }
}
