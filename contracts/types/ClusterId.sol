// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Identifies one GPU cluster. Ids count up from 1 in the order of registration; 0 is no cluster.
/// @dev 32 bits, so that a role id can hold (power, cluster) and a figures word can hold its cluster.
type ClusterId is uint32;

using {equal as ==, notEqual as !=} for ClusterId global;

function equal(ClusterId a, ClusterId b) pure returns (bool) {
    return ClusterId.unwrap(a) == ClusterId.unwrap(b);
}

function notEqual(ClusterId a, ClusterId b) pure returns (bool) {
    return ClusterId.unwrap(a) != ClusterId.unwrap(b);
}
