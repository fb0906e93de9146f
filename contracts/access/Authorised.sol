// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ClusterId} from "../types/ClusterId.sol";
import {IAuthority} from "./interfaces/IAuthority.sol";
import {Powers} from "./Powers.sol";

/// @notice Base of every contract that somebody has a power over.
/// @dev `restricted` guards powers over the system (its role and delay are set in the Authority);
///      `onlyPower` guards powers over one cluster.
abstract contract Authorised is AccessManaged {
    /// @notice `account` does not hold `power` over `clusterId`.
    error Authorised_MissingPower(address account, uint32 power, ClusterId clusterId);

    constructor(IAuthority authority_) AccessManaged(address(authority_)) {}

    modifier onlyPower(uint32 power, ClusterId clusterId) {
        _checkPower(power, clusterId);
        _;
    }

    function _checkPower(uint32 power, ClusterId clusterId) internal view {
        // The Authority grants powers over a cluster without delay only.
        // slither-disable-next-line unused-return
        (bool isMember,) = IAuthority(authority()).hasRole(Powers.over(power, clusterId), msg.sender);
        if (!isMember) revert Authorised_MissingPower(msg.sender, power, clusterId);
    }
}
