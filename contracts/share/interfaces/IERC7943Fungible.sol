// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

/// @title IERC7943Fungible
/// @notice ERC-7943 for fungible tokens, as in its text under review of 2026: eligibility is asked by `canSend` and
///         `canReceive` (one `canTransact` in OpenZeppelin's community contracts). Interface id 0x3edbb4c4.
interface IERC7943Fungible is IERC165 {
    /// @notice `amount` was moved by order.
    event ForcedTransfer(address indexed from, address indexed to, uint256 amount);
    /// @notice `amount` of `account`'s tokens is frozen now.
    event Frozen(address indexed account, uint256 amount);

    error ERC7943CannotSend(address account);
    error ERC7943CannotReceive(address account);
    error ERC7943CannotTransfer(address from, address to, uint256 amount);
    /// @notice `amount` is within `account`'s balance, of which `unfrozen` is not frozen.
    error ERC7943InsufficientUnfrozenBalance(address account, uint256 amount, uint256 unfrozen);

    /// @notice Move `amount` by order, whatever `from` may send. `to` must be able to receive it.
    function forcedTransfer(address from, address to, uint256 amount) external returns (bool result);

    /// @notice Make `amount` of `account`'s tokens frozen, in place of what was; it may be more than the balance.
    function setFrozenTokens(address account, uint256 amount) external returns (bool result);

    /// @notice Whether `account` may send at all. Never reverts, as all views below.
    function canSend(address account) external view returns (bool allowed);

    /// @notice Whether `account` may receive at all.
    function canReceive(address account) external view returns (bool allowed);

    /// @notice The frozen amount; it may be more than the balance.
    function getFrozenTokens(address account) external view returns (uint256 amount);

    /// @notice Whether no rule stands in the way of this transfer now.
    function canTransfer(address from, address to, uint256 amount) external view returns (bool allowed);
}
