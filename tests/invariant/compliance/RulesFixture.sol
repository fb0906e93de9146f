// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {Authority} from "../../../contracts/access/Authority.sol";
import {Powers} from "../../../contracts/access/Powers.sol";
import {IdentityRegistry} from "../../../contracts/compliance/IdentityRegistry.sol";
import {Attestation} from "../../../contracts/compliance/interfaces/IIdentityRegistry.sol";
import {TestLimitedShare} from "../../../contracts/mocks/TestLimitedShare.sol";
import {ClusterId} from "../../../contracts/types/ClusterId.sol";
import {vm} from "../Vm.sol";

/// @notice A KYC provider whose signature always counts.
contract TrustedProvider is IERC1271 {
    /// @inheritdoc IERC1271
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return IERC1271.isValidSignature.selector;
    }
}

/// @notice The real registry with a share of nothing but balances: whoever inherits holds every other power.
abstract contract RulesFixture {
    uint256 internal constant START = 1_800_000_000;
    uint256 internal constant NEVER = type(uint40).max;

    IdentityRegistry internal identities;
    TestLimitedShare internal share;
    address private provider;

    /// @dev Unix time, kept by the test: the compiler may take `block.timestamp` for constant within a call.
    uint256 internal time;

    function _open() internal {
        _warp(START);
        Authority authority = new Authority(address(this));
        identities = new IdentityRegistry(authority);
        share = new TestLimitedShare(identities, ClusterId.wrap(1));
        provider = address(new TrustedProvider());
        authority.grantRole(Powers.KYC_PROVIDER_ROLE, provider, 0);
        authority.grantRole(Powers.CLUSTER_REGISTRY_ROLE, address(this), 0);
        authority.grantRole(Powers.over(Powers.ISSUER, ClusterId.wrap(1)), address(this), 0);
        authority.grantRole(Powers.COMPLIANCE_ROLE, address(this), 0);
        authority.grantRole(Powers.ENFORCEMENT_ROLE, address(this), 0);
        bytes4[] memory selectors = new bytes4[](2);
        selectors[0] = identities.revokeWallet.selector;
        selectors[1] = identities.revokeInvestor.selector;
        authority.setTargetFunctionRole(address(identities), selectors, Powers.COMPLIANCE_ROLE);
        selectors = new bytes4[](1);
        selectors[0] = identities.blockWallet.selector;
        authority.setTargetFunctionRole(address(identities), selectors, Powers.ENFORCEMENT_ROLE);
    }

    function _attest(address wallet, uint256 investor, uint16 country, uint8 class, uint256 expiresAt)
        internal
    {
        // The next second: newer than whatever happened before.
        _warp(time + 1);
        identities.attest(
            Attestation(wallet, bytes16(uint128(investor)), country, class, uint40(time), uint40(expiresAt)),
            provider,
            ""
        );
    }

    function _warp(uint256 to) internal {
        time = to;
        vm.warp(to);
    }

    /// @dev `value` brought into [low, high].
    function _bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + value % (high - low + 1);
    }
}
