// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {AccountState, StreamState} from "../../../contracts/share/interfaces/IClusterShare.sol";
import {ShareHandler} from "./ShareHandler.sol";

/// @notice What holds of a share after anything that can be done to it. The numbers are those of the README.
contract ShareInvariantsTest {
    uint256 private constant SCALE = 2 ** 72;
    uint256 private constant BOUNDARY = 4 hours;

    ShareHandler private handler;
    ClusterShare private share;

    function setUp() external {
        handler = new ShareHandler();
        share = handler.SHARE();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev One search for all of them.
    function invariant_share() external view {
        _conservation();
        _supply();
        _votes();
        _ends();
    }

    /// @dev Equations 1 and 2.
    function _conservation() private view {
        StreamState memory stream = share.streamState();
        (uint256 claimed, uint256 earned) = (0, 0);
        for (uint256 i; i < handler.holderCount(); ++i) {
            AccountState memory account = share.accountState(handler.holders(i));
            claimed += account.claimedUsd6;
            earned += account.earned;
        }
        require(
            stream.fundedUsd6 * SCALE
                == claimed * SCALE + earned + stream.indexRemainder + stream.unstreamed
                    + stream.fundingRemainder,
            "income is not conserved"
        );
        require(handler.stablecoinHeld() == stream.fundedUsd6 - claimed, "the share holds something else");
    }

    /// @dev Equation 7.
    function _supply() private view {
        uint256 supply = share.totalSupply();
        uint256 sum;
        for (uint256 i; i < handler.holderCount(); ++i) {
            sum += share.balanceOf(handler.holders(i));
        }
        require(sum == supply, "balances are not the supply");
        require(supply == 0 || supply >= share.MIN_SUPPLY(), "the supply is too small");
    }

    /// @dev Equation 8.
    function _votes() private view {
        for (uint256 i; i < handler.holderCount(); ++i) {
            uint256 delegated;
            for (uint256 j; j < handler.holderCount(); ++j) {
                address holder = handler.holders(j);
                if (share.delegates(holder) == handler.holders(i)) delegated += share.balanceOf(holder);
            }
            require(share.getVotes(handler.holders(i)) == delegated, "votes are not what was delegated");
        }
    }

    /// @dev Equation 9.
    function _ends() private view {
        StreamState memory stream = share.streamState();
        (uint256[] memory ends, uint256[] memory rates) = share.streamEnds();
        require(ends.length <= 7, "more than seven ends");
        uint256 sum;
        for (uint256 i; i < ends.length; ++i) {
            require(ends[i] % BOUNDARY == 0, "an end off the grid");
            require(i == 0 || ends[i] > ends[i - 1], "ends out of order");
            require(rates[i] != 0, "an end of nothing");
            sum += rates[i];
        }
        require(ends.length == 0 || ends[ends.length - 1] - ends[0] <= 6 * BOUNDARY, "ends too far apart");
        require(sum == stream.ratePerSecond, "rates are not the rate");
    }
}
