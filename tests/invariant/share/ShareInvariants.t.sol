// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {Encumbrance} from "../../../contracts/share/interfaces/IClusterShare.sol";
import {PlainLedger} from "./PlainLedger.sol";
import {RetiredShareHandler, ShareHandler} from "./ShareHandler.sol";

struct Selectors {
    address target;
    bytes4[] selectors;
}

/// @notice What holds of a share after anything that can be done to it, beside what each act checks around itself. The
///         numbers are those of the README.
abstract contract ShareInvariants {
    uint256 private constant BOUNDARY = 4 hours;
    uint256 private constant ALL = type(uint64).max;

    ShareHandler internal handler;
    ClusterShare private share;

    function setUp() external {
        handler = _newHandler();
        share = handler.SHARE();
    }

    function _newHandler() internal virtual returns (ShareHandler);

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function excludeSelectors() external view returns (Selectors[] memory excluded) {
        excluded = new Selectors[](1);
        excluded[0].target = address(handler);
        excluded[0].selectors = new bytes4[](1);
        excluded[0].selectors[0] = handler.settleUp.selector;
    }

    function afterInvariant() external {
        handler.settleUp(handler.accountCount());
    }

    /// @dev One search for all of them.
    function invariant_share() external view {
        uint256 balances;
        uint256 earning;
        for (uint256 i; i < handler.accountCount(); ++i) {
            address owner = handler.accounts(i);
            _checkPledges(owner);
            _checkVotes(owner);
            balances += share.balanceOf(owner);
            earning += share.balanceOf(owner) - share.accountState(owner).assigned;
        }
        for (uint256 i; i < handler.interestCount(); ++i) {
            (uint256 units,,) = share.interestState(handler.interests(i, 0), handler.interests(i, 1));
            earning += units;
        }
        uint256 supply = share.totalSupply();
        require(supply == handler.supply() && balances == supply, "23: balances are not the supply");
        require(supply == 0 || supply >= share.MIN_SUPPLY(), "23: the supply is too small");
        require(earning == supply, "30: what earns is not the supply");
        _checkEnds();
    }

    /// @dev 26 to 28, 31, 35.
    function _checkPledges(address owner) private view {
        address[] memory takers = share.takersOf(owner);
        address[] memory expected = handler.takersOf(owner);
        require(keccak256(abi.encode(takers)) == keccak256(abi.encode(expected)), "35: other takers");
        uint256 encumbered;
        uint256 assigned;
        for (uint256 i; i < takers.length; ++i) {
            Encumbrance memory one = share.encumbranceOf(owner, takers[i]);
            PlainLedger.Pledge memory booked = handler.pledge(owner, takers[i]);
            require(
                one.amount == booked.amount && one.assigned == booked.assigned
                    && one.expiresAt == booked.expiresAt && one.payee == booked.payee,
                "36: an encumbrance is not what was pledged less what was given up"
            );
            require(one.amount != 0 && one.assigned <= one.amount, "28: assigned is more than encumbered");
            encumbered += one.amount;
            assigned += one.assigned;
        }
        uint256 balance = share.balanceOf(owner);
        require(encumbered == share.encumberedBalanceOf(owner), "26: encumbered is not the sum over takers");
        require(encumbered <= balance, "27: more is encumbered than there is");
        require(assigned == share.accountState(owner).assigned, "28: assigned is not the sum over takers");
        uint256 held = encumbered + share.getFrozenTokens(owner);
        require(
            share.availableBalanceOf(owner) == (balance > held ? balance - held : 0),
            "31: available is something else"
        );
    }

    /// @dev 24.
    function _checkVotes(address delegatee) private view {
        uint256 delegated;
        for (uint256 i; i < handler.accountCount(); ++i) {
            address owner = handler.accounts(i);
            if (handler.delegateOf(owner) == delegatee) delegated += share.balanceOf(owner);
        }
        require(share.getVotes(delegatee) == delegated, "24: votes are not what was delegated");
    }

    /// @dev 15.
    function _checkEnds() private view {
        (uint256[] memory ends, uint256[] memory rates) = share.streamEnds();
        require(ends.length <= 7, "15: more than seven ends");
        uint256 sum;
        for (uint256 i; i < ends.length; ++i) {
            require(ends[i] % BOUNDARY == 0, "15: an end off the grid");
            require(i == 0 || ends[i] > ends[i - 1], "15: ends out of order");
            require(rates[i] != 0, "15: an end of nothing");
            sum += rates[i];
        }
        require(ends.length == 0 || ends[ends.length - 1] - ends[0] <= 6 * BOUNDARY, "15: ends too far apart");
        require(sum == share.streamState().ratePerSecond, "15: rates are not the rate");
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
