// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice A stablecoin that does what it should not: it keeps a part of every transfer, calls back into whoever
///         moves it, or has another number of decimals.
contract HostileUsd is ERC20 {
    uint8 private immutable DECIMALS;

    /// @notice Part of every transfer that does not arrive, in 1/10,000.
    uint256 public feeBps;

    /// @notice Whether the last call back succeeded, and what it returned or why it failed.
    bool public callSucceeded;
    bytes public callResult;

    address private _target;
    bytes private _data;

    constructor(uint8 decimals_) ERC20("Hostile", "HOSTILE") {
        DECIMALS = decimals_;
    }

    function decimals() public view override returns (uint8) {
        return DECIMALS;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setFee(uint256 bps) external {
        feeBps = bps;
    }

    /// @notice Call `target` with `data`, once, in the middle of the next transfer.
    function callBack(address target, bytes calldata data) external {
        (_target, _data) = (target, data);
    }

    function _update(address from, address to, uint256 value) internal override {
        if (from != address(0) && to != address(0)) {
            address target = _target;
            if (target != address(0)) {
                _target = address(0);
                (callSucceeded, callResult) = target.call(_data);
            }
            uint256 fee = value * feeBps / 10_000;
            if (fee != 0) super._update(from, address(0), fee);
            value -= fee;
        }
        super._update(from, to, value);
    }
}
