// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterStatus} from "../../../contracts/registry/interfaces/IClusterRegistry.sol";
import {
    ICapitalProceeds,
    ProceedsKind,
    ProceedsState
} from "../../../contracts/revenue/interfaces/ICapitalProceeds.sol";
import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {ClusterId} from "../../../contracts/types/ClusterId.sol";
import {vm} from "../Vm.sol";
import {CapitalFixture} from "./CapitalFixture.sol";

/// @notice A share that says of balances whatever somebody tells it.
contract LyingShare {
    bool public constant booksClosed = true;
    uint256 public constant totalSupply = 1e6;
    mapping(address owner => uint256) public balanceOf;

    function lie(address owner, uint256 balance) external {
        balanceOf[owner] = balance;
    }

    function getFrozenTokens(address) external pure returns (uint256) {}
    function successorOf(address) external pure returns (address) {}

    function payeeOf(address owner) external pure returns (address) {
        return owner;
    }
}

/// @notice The ends of the ranges that CapitalProceeds is made for, and a share that is not what it should be.
contract CapitalLimitsTest is CapitalFixture {
    ClusterId private constant CLUSTER = ClusterId.wrap(1);
    ClusterId private constant OTHER_CLUSTER = ClusterId.wrap(2);
    address private constant HOLDER = address(0xF1);
    address private constant OTHER = address(0xF2);

    function setUp() external {
        _open();
    }

    function test_deposit__all_that_may_ever_come_at_the_least_supply__no_width_overflows(uint256 pieces)
        external
    {
        ClusterShare share = _retiredShare(1e6 - 1, 1);
        pieces = _bound(pieces, 1, 7);
        uint256 left = capital.MAX_PROCEEDS_USD6();
        for (uint256 i = 1; i <= pieces; ++i) {
            uint256 amount = i == pieces ? left : left / 2 + 1;
            _deposit(CLUSTER, amount);
            left -= amount;
        }
        usd.mint(address(this), 1);
        vm.expectRevert(abi.encodeWithSelector(ICapitalProceeds.CapitalProceeds_OverLimit.selector, 1, 0));
        capital.depositProceeds(CLUSTER, 1, ProceedsKind.Sale, bytes32(0));

        share.setFrozenTokens(HOLDER, 1);
        share.forcedTransfer(HOLDER, OTHER, 1);
        uint256 earned = capital.earnedCapital(CLUSTER, HOLDER) + capital.earnedCapital(CLUSTER, OTHER);
        ProceedsState memory state = capital.proceeds(CLUSTER);
        require(earned + state.remainder == 1e18 * SCALE, "a width overflowed");
        uint256 paid = capital.claimCapital(CLUSTER, HOLDER) + capital.claimCapital(CLUSTER, OTHER);
        require(paid >= 1e18 - 2 && paid <= 1e18, "more than dust is left");
        require(usd.balanceOf(address(capital)) == 1e18 - paid, "something else is left");
    }

    function test_deposit__at_the_largest_supply__reaches_the_holders_but_for_a_unit_each(
        uint256 part,
        uint256 amount
    ) external {
        uint256 supply = uint64(type(int64).max);
        part = _bound(part, 0, supply);
        amount = _bound(amount, 2, 1e15);
        _retiredShare(supply - part, part);
        _deposit(CLUSTER, 1);
        _deposit(CLUSTER, amount - 1);
        uint256 claimable =
            capital.claimableCapitalUsd6(CLUSTER, HOLDER) + capital.claimableCapitalUsd6(CLUSTER, OTHER);
        require(claimable <= amount && amount - claimable <= 2, "a holder lost a unit or more");
    }

    /// @dev Whatever one share says, no other cluster's holders pay for it.
    function test_claim__share_that_credits_more_than_came__stops_at_what_its_cluster_received(uint256 lie)
        external
    {
        LyingShare liar = new LyingShare();
        registry.set(OTHER_CLUSTER, ClusterStatus.Retired, address(liar));
        _retiredShare(600_000, 400_000);
        _deposit(CLUSTER, 1000e6);
        liar.lie(HOLDER, 1e6);
        _deposit(OTHER_CLUSTER, 10e6);
        capital.claimCapital(OTHER_CLUSTER, HOLDER);

        lie = _bound(lie, 1, 1e9);
        liar.lie(OTHER, lie);
        uint256 credited = capital.claimableCapitalUsd6(OTHER_CLUSTER, OTHER);
        bytes memory refusal =
            abi.encodeWithSelector(ICapitalProceeds.CapitalProceeds_Overdrawn.selector, credited, 0);
        if (credited == 0) {
            refusal = abi.encodeWithSelector(
                ICapitalProceeds.CapitalProceeds_NothingToClaim.selector, OTHER_CLUSTER, OTHER
            );
        }
        vm.expectRevert(refusal);
        capital.claimCapital(OTHER_CLUSTER, OTHER);
        require(capital.claimCapital(CLUSTER, HOLDER) == 600e6, "another cluster paid");
        require(capital.claimCapital(CLUSTER, OTHER) == 400e6, "another cluster paid");
    }

    function _retiredShare(uint256 ofHolder, uint256 ofOther) private returns (ClusterShare share) {
        address[] memory holders = new address[](2);
        uint256[] memory amounts = new uint256[](2);
        (holders[0], holders[1], amounts[0], amounts[1]) = (HOLDER, OTHER, ofHolder, ofOther);
        share = _newShare(CLUSTER, holders, amounts);
        _retire(share);
    }
}
