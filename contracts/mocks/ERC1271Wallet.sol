// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @notice A contract account for tests: what its owner signs counts as signed by it, and it forwards its owner's
///         calls.
contract ERC1271Wallet is IERC1271 {
    address public immutable OWNER;

    error ERC1271Wallet_NotTheOwner(address account, address owner);

    constructor(address owner) {
        OWNER = owner;
    }

    /// @inheritdoc IERC1271
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        bool isValid = SignatureChecker.isValidSignatureNowCalldata(OWNER, hash, signature);
        return isValid ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }

    /// @notice Call `target` with `data` as this account; a revert is passed on. For the owner.
    function execute(address target, bytes calldata data) external returns (bytes memory) {
        if (msg.sender != OWNER) revert ERC1271Wallet_NotTheOwner(msg.sender, OWNER);
        (bool ok, bytes memory answer) = target.call(data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
        return answer;
    }
}
