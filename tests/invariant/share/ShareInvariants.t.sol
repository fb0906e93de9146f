// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RetiredShareHandler, ShareHandler} from "./ShareHandler.sol";

/// @notice What forge takes for a list of functions.
struct Selectors {
    address target;
    bytes4[] selectors;
}

/// @notice The search for a sequence of acts after which something of the README does not hold.
abstract contract ShareInvariants {
    ShareHandler private handler;

    function setUp() external {
        handler = _newHandler();
    }

    function _newHandler() internal virtual returns (ShareHandler);

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev It ends everything that is worth a search.
    function excludeSelectors() external view returns (Selectors[] memory excluded) {
        excluded = new Selectors[](1);
        excluded[0] = Selectors(address(handler), new bytes4[](1));
        excluded[0].selectors[0] = handler.settleUp.selector;
    }

    function invariant_share() external view {
        handler.check();
    }

    /// @dev After each sequence.
    function afterInvariant() external {
        handler.settleUp();
    }
}

contract ShareInvariantsTest is ShareInvariants {
    function _newHandler() internal override returns (ShareHandler) {
        return new ShareHandler();
    }
}

contract RetiredShareInvariantsTest is ShareInvariants {
    function _newHandler() internal override returns (ShareHandler) {
        return new RetiredShareHandler();
    }
}
