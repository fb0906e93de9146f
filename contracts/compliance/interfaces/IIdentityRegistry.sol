// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What a KYC provider attests of a wallet. EIP-712 type of the same name, domain
///         ("Rackstream IdentityRegistry", "1", chain id, this contract).
/// @param wallet The wallet that may hold.
/// @param investorId Whom it belongs to: the provider's salted digest of the person, equal for all wallets of one.
/// @param country ISO 3166-1 numeric code, 1 to 999.
/// @param investorClass 1 retail, 2 professional, 3 institution; other values are refused.
/// @param issuedAt Unix second of the attestation; the newest counts.
/// @param expiresAt Unix second from which the wallet may no longer receive.
struct Attestation {
    address wallet;
    bytes16 investorId;
    uint16 country;
    uint8 investorClass;
    uint40 issuedAt;
    uint40 expiresAt;
}

/// @title IdentityRegistry
/// @notice Who may hold shares, as attested by KYC providers and cached in one slot a wallet.
/// @dev An attestation is presented by anyone and counts if it was signed by an account that holds
///      KYC_PROVIDER_ROLE (EOA or ERC-1271) and is newer than the wallet's cached one and than any revocation of
///      the wallet or its investor. Expiry and revocation stop receiving only: what a holder has stays theirs,
///      earns and can be sold to somebody eligible. Stopping a sender is the share's freeze, and the block of a
///      wallet that was lost. A wallet belongs for good to the investor whom it is attested to first: what an
///      investor holds is the sum over the wallets of theirs, and must not change by an attestation.
interface IIdentityRegistry {
    /// @notice The attestation of `wallet` by `provider` is now in force.
    event WalletAttested(
        address indexed wallet,
        bytes16 indexed investorId,
        address indexed provider,
        uint16 country,
        uint8 investorClass,
        uint40 issuedAt,
        uint40 expiresAt
    );
    /// @notice `wallet` may no longer receive; attestations issued up to `revokedAt` are void.
    event WalletRevoked(
        address indexed wallet, bytes16 indexed investorId, address indexed actor, uint40 revokedAt
    );
    /// @notice No wallet of `investorId` may receive; attestations issued up to `revokedAt` are void.
    event InvestorRevoked(bytes16 indexed investorId, address indexed actor, uint40 revokedAt);
    /// @notice `wallet` can never again send, receive or be attested; zero `investorId` if it never was.
    event WalletBlocked(address indexed wallet, bytes16 indexed investorId, address indexed actor);

    error IdentityRegistry_NotAProvider(address account);
    error IdentityRegistry_BadSignature(address provider, address wallet);
    error IdentityRegistry_ZeroWalletOrInvestor();
    error IdentityRegistry_CountryOutOfRange(uint16 country, uint16 limit);
    error IdentityRegistry_UnknownInvestorClass(uint8 investorClass);
    /// @notice Issued at `issuedAt`, after the block's time `limit`.
    error IdentityRegistry_IssuedInFuture(uint40 issuedAt, uint256 limit);
    error IdentityRegistry_Expired(uint40 expiresAt, uint256 limit);
    /// @notice Issued at `issuedAt`; must be later than `limit`, the cached attestation or a revocation.
    error IdentityRegistry_NotNewer(uint40 issuedAt, uint40 limit);
    /// @notice `wallet` belongs to `investorId`, for good.
    error IdentityRegistry_WalletOfAnotherInvestor(address wallet, bytes16 investorId);
    error IdentityRegistry_TooManyWallets(bytes16 investorId, uint256 limit);
    error IdentityRegistry_UnknownWallet(address wallet);
    error IdentityRegistry_WalletBlocked(address wallet);

    /// @notice Put an attestation in force. Open to all; the provider's signature is what counts.
    function attest(Attestation calldata attestation, address provider, bytes calldata signature) external;

    /// @notice Void every attestation of `wallet` so far. For the COMPLIANCE_ROLE. A wallet that was never attested
    ///         is an error: what was issued for it and not yet presented is voided by `revokeInvestor`.
    function revokeWallet(address wallet) external;

    /// @notice Void every attestation of every wallet of `investorId` so far, presented or not. For the
    ///         COMPLIANCE_ROLE.
    function revokeInvestor(bytes16 investorId) external;

    /// @notice Stop `wallet` for good: it can never again send, receive or be attested, in any share. Only an order
    ///         moves what it may still hold. Blocking it again changes nothing. For the ENFORCEMENT_ROLE.
    function blockWallet(address wallet) external;

    /// @notice The cached attestation; zero `investorId` if there is none. One of a revoked or blocked wallet has
    ///         `expiresAt` 0 and the time of that as `issuedAt`.
    function attestationOf(address wallet) external view returns (Attestation memory);

    /// @notice Every wallet that was ever attested to the investor, the first one first; at most
    ///         MAX_WALLETS_PER_INVESTOR (32).
    function walletsOf(bytes16 investorId) external view returns (address[] memory);

    /// @notice Unix second of the last revocation of the whole investor; 0 if there was none.
    function investorRevokedAt(bytes16 investorId) external view returns (uint40);

    /// @notice The EIP-712 digest that a provider signs.
    function attestationDigest(Attestation calldata attestation) external view returns (bytes32);
}
