// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What is known of one wallet, in one word.
/// @dev From the lowest bit: investorId 128 | issuedAt 40 | expiresAt 40 | country 16 | investorClass 8 | flags 8. The
///      id is zero until the wallet is attested. One that was revoked or blocked has `expiresAt` 0 and the time of
///      that as `issuedAt`, so that one comparison tells whether an attestation is newer than both.
type WalletWord is uint256;

using WalletWordLib for WalletWord global;

library WalletWordLib {
    /// @dev For good.
    uint256 internal constant BLOCKED = 1 << 232;
    /// @dev The investor has other wallets: they are looked up only if there are any.
    uint256 internal constant HAS_SIBLINGS = 1 << 233;

    uint256 private constant TIMES_MASK = uint256(type(uint80).max) << 128;
    uint256 private constant ATTESTED_MASK = (1 << 232) - 1;

    function investorId(WalletWord word) internal pure returns (bytes16) {
        return bytes16(uint128(WalletWord.unwrap(word)));
    }

    function issuedAt(WalletWord word) internal pure returns (uint40) {
        return uint40(WalletWord.unwrap(word) >> 128);
    }

    function expiresAt(WalletWord word) internal pure returns (uint40) {
        return uint40(WalletWord.unwrap(word) >> 168);
    }

    function country(WalletWord word) internal pure returns (uint16) {
        return uint16(WalletWord.unwrap(word) >> 208);
    }

    function investorClass(WalletWord word) internal pure returns (uint8) {
        return uint8(WalletWord.unwrap(word) >> 224);
    }

    function has(WalletWord word, uint256 flag) internal pure returns (bool) {
        return WalletWord.unwrap(word) & flag != 0;
    }

    function plus(WalletWord word, uint256 flag) internal pure returns (WalletWord) {
        return WalletWord.wrap(WalletWord.unwrap(word) | flag);
    }

    /// @notice Whether both were attested to one investor.
    function isOfInvestorOf(WalletWord word, WalletWord other) internal pure returns (bool) {
        uint256 id = uint128(WalletWord.unwrap(word));
        return id != 0 && id == uint128(WalletWord.unwrap(other));
    }

    /// @notice The word after an attestation; the flags stay.
    function attested(
        WalletWord word,
        bytes16 investorId_,
        uint40 issuedAt_,
        uint40 expiresAt_,
        uint16 country_,
        uint8 investorClass_
    ) internal pure returns (WalletWord) {
        return WalletWord.wrap(
            WalletWord.unwrap(word) & ~ATTESTED_MASK | uint128(investorId_) | uint256(issuedAt_) << 128
                | uint256(expiresAt_) << 168 | uint256(country_) << 208 | uint256(investorClass_) << 224
        );
    }

    /// @notice The word of a wallet whose attestations up to `voidedAt` are void.
    function voided(WalletWord word, uint40 voidedAt) internal pure returns (WalletWord) {
        return WalletWord.wrap(WalletWord.unwrap(word) & ~TIMES_MASK | uint256(voidedAt) << 128);
    }
}
