// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {AccountState, StreamState} from "../../../contracts/share/interfaces/IClusterShare.sol";
import {vm} from "../Vm.sol";
import {ShareFixture} from "./ShareFixture.sol";

/// @notice What a supply that falls to zero, and rises again, does to the stream.
contract SupplyTest is ShareFixture {
    address private constant FIRST = address(0xF1);
    address private constant SECOND = address(0xF2);

    ClusterShare private share;

    function setUp() external {
        _open();
        share = _newShare();
    }

    /// @dev A large supply leaves a remainder of many steps of a small one's index.
    function test_issue__after_zero_supply_with_a_remainder__conserves_income(uint256 amount, uint256 shares)
        external
    {
        shares = _bound(shares, 2 ** 60, 2 ** 62);
        _issue(share, FIRST, shares);
        _fund(share, _bound(amount, 1, 1e12));
        _warp(time + 12345);
        vm.prank(FIRST);
        share.burn(shares);
        _issue(share, SECOND, share.MIN_SUPPLY());
        _checkConservation();
        _warp(time + 2 * STREAM);
        _checkConservation();
    }

    /// @dev Money waits while nobody holds and streams on for whoever holds next: the clock stood still.
    function test_issue__money_waiting_at_zero_supply__streams_on_where_it_stood(uint256 wait, uint256 ran)
        external
    {
        wait = _bound(wait, 0, 50 * 365 days);
        ran = _bound(ran, 0, STREAM);
        _issue(share, FIRST, 2 ** 40);
        _fund(share, STREAM * 1e6);
        _warp(time + ran);
        vm.prank(FIRST);
        share.burn(2 ** 40);
        _warp(time + wait);
        require(share.streamState().unstreamed == (STREAM - ran) * 1e6 * SCALE, "money streamed to nobody");
        _issue(share, SECOND, 2 ** 40);
        _warp(time + (STREAM - ran) / 2);
        require(
            share.earnedUsd6(SECOND) == (STREAM - ran) / 2 * 1e6, "the clock did not go on where it stood"
        );
        _warp(time + STREAM);
        require(share.earnedUsd6(SECOND) == (STREAM - ran) * 1e6, "not all that waited was streamed");
        require(share.earnedUsd6(FIRST) == ran * 1e6, "who held first earned something else");
        (uint256[] memory ends,) = share.streamEnds();
        require(ends.length == 0, "an end is left");
        _checkConservation();
    }

    function _checkConservation() private view {
        StreamState memory stream = share.streamState();
        AccountState memory first = share.accountState(FIRST);
        AccountState memory second = share.accountState(SECOND);
        require(
            stream.fundedUsd6 * SCALE
                == (first.claimedUsd6 + second.claimedUsd6) * SCALE + first.earned + second.earned
                    + stream.indexRemainder + stream.unstreamed + stream.fundingRemainder,
            "income is not conserved"
        );
    }
}
