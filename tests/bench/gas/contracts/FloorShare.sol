// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

/// @notice The floor of `make bench AREA=gas`: OpenZeppelin's ERC-20 with permits and votes, and nothing else. No
///         rule says who may hold, and no income runs.
contract FloorShare is ERC20, ERC20Permit, ERC20Votes {
    constructor() ERC20("Floor", "FLOOR") ERC20Permit("Floor") {}

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    /// @dev Open to all: an access check would only make the floor dearer.
    function issue(address[] calldata accounts, uint256[] calldata amounts) external {
        for (uint256 i; i < accounts.length; ++i) {
            _mint(accounts[i], amounts[i]);
        }
    }

    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
    }
}
