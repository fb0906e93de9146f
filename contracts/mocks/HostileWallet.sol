// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice How a contract account answers whether it signed.
enum WalletVice {
    None,
    BurnsGas,
    Reverts,
    AnswersNothing,
    AnswersGarbage,
    /// Twenty thousand bytes, of which the first word is right.
    AnswersAtLength,
    /// Right, if the call that it was told to make meanwhile went through.
    CallsBack
}

/// @notice A contract account whose every signature is good, unless it has a vice. It does what anybody tells it to.
contract HostileWallet {
    bytes4 private constant VALID = 0x1626ba7e;

    WalletVice public vice;
    address public target;
    bytes public data;

    function setVice(WalletVice vice_) external {
        vice = vice_;
    }

    /// @notice What is called while it is asked.
    function callBack(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
    }

    /// @notice Call `to` as this account; a revert is passed on.
    function execute(address to, bytes calldata call) external {
        (bool ok, bytes memory answer) = to.call(call);
        if (ok) return;
        assembly ("memory-safe") {
            revert(add(answer, 32), mload(answer))
        }
    }

    function isValidSignature(bytes32, bytes calldata) external returns (bytes4) {
        if (vice == WalletVice.None) return VALID;
        if (vice == WalletVice.CallsBack) {
            (bool ok,) = target.call(data);
            return ok ? VALID : bytes4(0);
        }
        WalletVice vice_ = vice;
        if (vice_ == WalletVice.BurnsGas) while (true) {}
        assembly ("memory-safe") {
            switch vice_
            case 2 { revert(0, 0) }
            case 3 { return(0, 0) }
            case 4 {
                mstore(0, not(0))
                return(0, 32)
            }
            default {
                let start := mload(0x40)
                mstore(start, VALID)
                return(start, 20000)
            }
        }
    }
}
