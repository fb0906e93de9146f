// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @notice How income is paid to the holders of a token that pays none: pushed to each of them, in `make bench AREA=gas`.
contract PushPayer {
    using SafeERC20 for IERC20;

    /// @param payments Amount in the upper 96 bits of a word, receiver in the lower 160: the cheapest calldata.
    function pay(IERC20 token, uint256[] calldata payments) external {
        for (uint256 i; i < payments.length; ++i) {
            token.safeTransferFrom(msg.sender, address(uint160(payments[i])), payments[i] >> 160);
        }
    }
}
