// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Two of halmos's cheat codes.
interface Prover {
    /// @notice From here on, `condition` holds: what bounds the values that a theorem is about.
    function assume(bool condition) external pure;
    function warp(uint256 timestamp) external;
}

Prover constant prover = Prover(address(uint160(uint256(keccak256("hevm cheat code")))));

/// @dev Both, without a branch: a theorem's claims are put to the solver as one.
function both(bool one, bool other) pure returns (bool result) {
    assembly ("memory-safe") {
        result := and(one, other)
    }
}
