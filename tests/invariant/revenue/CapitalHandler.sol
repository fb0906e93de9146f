// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {CapitalProceeds} from "../../../contracts/revenue/CapitalProceeds.sol";
import {ClusterId} from "../../../contracts/types/ClusterId.sol";
import {vm} from "../Vm.sol";
import {CapitalFixture} from "./CapitalFixture.sol";

/// @notice All that can happen to the holders of two retired clusters, in any order: proceeds, orders, deliveries,
///         recoveries, freezes, claims, and pokes.
/// @dev Beside it runs what each holder is owed by definition, Σ amount × balance / supply: the supply stands, so that one
///      number an owner, over it, says so exactly. Each action checks equation 9 of this folder's README around itself.
///      No action may revert.
contract CapitalHandler is CapitalFixture {
    uint256 private constant MAX_DEPOSIT = 1e15;

    ClusterShare[2] public shares;
    address[] public holders;

    /// @notice Of each cluster: Σ amount × balance at each deposit, for each owner; divided by the supply it is dollars.
    mapping(uint256 cluster => mapping(address owner => uint256)) public due;
    /// @notice Of each cluster: deposits so far, each of which steps the index by a whole number.
    mapping(uint256 cluster => uint256) public deposits;

    constructor() {
        _open();
        for (uint160 i = 1; i <= 6; ++i) {
            holders.push(address(0xF000 + i));
        }
        address[] memory first = new address[](3);
        uint256[] memory amounts = new uint256[](3);
        (first[0], first[1], first[2]) = (holders[0], holders[1], holders[2]);
        // The least supply, where the index is the largest, and one that divides nothing.
        (amounts[0], amounts[1], amounts[2]) = (500_000, 499_999, 1);
        shares[0] = _newShare(ClusterId.wrap(1), first, amounts);
        (amounts[0], amounts[1], amounts[2]) = (uint256(2 ** 62), 3, 1_000_000_007);
        shares[1] = _newShare(ClusterId.wrap(2), first, amounts);
        _retire(shares[0]);
        _retire(shares[1]);
    }

    /// @dev Nobody's capital of the cluster, paid and not, moves.
    modifier movesNoCapital(uint256 cluster) {
        uint256[] memory before = _capitals(cluster % 2);
        _;
        uint256[] memory afterwards = _capitals(cluster % 2);
        for (uint256 i; i < before.length; ++i) {
            require(afterwards[i] == before[i], "an action moved capital");
        }
    }

    function deposit(uint256 cluster, uint256 amount) external {
        cluster %= 2;
        ClusterShare share = shares[cluster];
        amount = _bound(amount >> 8, 1, amount % 4 == 0 ? 10 : MAX_DEPOSIT);
        if (capital.proceeds(_id(cluster)).receivedUsd6 + amount > capital.MAX_PROCEEDS_USD6()) return;
        for (uint256 i; i < holders.length; ++i) {
            due[cluster][holders[i]] += amount * share.balanceOf(holders[i]);
        }
        ++deposits[cluster];
        _deposit(_id(cluster), amount);
        require(share.booksClosed(), "proceeds came on open books");
    }

    function forceTransfer(uint256 cluster, uint256 from, uint256 to, uint256 amount)
        external
        movesNoCapital(cluster)
    {
        ClusterShare share = shares[cluster % 2];
        (address sender, address receiver) = (_holder(from), _holder(to));
        uint256 balance = share.balanceOf(sender);
        if (sender == receiver || !share.booksClosed() || balance == 0) return;
        amount = _bound(amount, 0, balance);
        if (share.getFrozenTokens(sender) != ALL) share.setFrozenTokens(sender, amount);
        share.forcedTransfer(sender, receiver, amount);
    }

    /// @dev To anybody, the owner too.
    function deliver(uint256 cluster, uint256 from, uint256 to, uint256 amount)
        external
        movesNoCapital(cluster)
    {
        ClusterShare share = shares[cluster % 2];
        (address sender, address receiver) = (_holder(from), _holder(to));
        uint256 available = share.availableBalanceOf(sender);
        if (!share.booksClosed() || available == 0 || share.takersOf(sender).length == 8) return;
        amount = _bound(amount, 1, available);
        vm.prank(sender);
        share.encumber(address(this), amount);
        share.transferFrom(sender, receiver, amount - amount / 3);
    }

    function recover(uint256 cluster, uint256 from, uint256 to, bool lift) external movesNoCapital(cluster) {
        ClusterShare share = shares[cluster % 2];
        (address lost, address replacement) = (_holder(from), _holder(to));
        if (
            lost == replacement || share.successorOf(lost) != address(0)
                || share.successorOf(replacement) != address(0) || share.encumberedBalanceOf(replacement) != 0
        ) return;
        share.setFrozenTokens(lost, ALL);
        share.recover(lost, replacement);
        if (lift) share.setFrozenTokens(replacement, 0);
    }

    function setFrozen(uint256 cluster, uint256 who, bool whole) external movesNoCapital(cluster) {
        shares[cluster % 2].setFrozenTokens(_holder(who), whole ? ALL : 0);
    }

    function setPayee(uint256 cluster, uint256 who, uint256 payee) external movesNoCapital(cluster) {
        vm.prank(_holder(who));
        shares[cluster % 2].setPayee(_holder(payee));
    }

    function settle(uint256 cluster, uint256 who) external movesNoCapital(cluster) {
        capital.settle(_id(cluster % 2), _holder(who));
    }

    /// @dev Pays whoever it should, or stops for the reason that it should.
    function claim(uint256 cluster, uint256 who) external movesNoCapital(cluster) {
        cluster %= 2;
        (ClusterShare share, address owner) = (shares[cluster], _holder(who));
        address heir = owner;
        bool isFrozen = share.getFrozenTokens(owner) == ALL;
        while (share.successorOf(heir) != address(0)) {
            heir = share.successorOf(heir);
            isFrozen = isFrozen || share.getFrozenTokens(heir) == ALL;
        }
        uint256 claimable = capital.claimableCapitalUsd6(_id(cluster), owner);
        address payee = share.payeeOf(heir);
        uint256 held = usd.balanceOf(payee);
        try capital.claimCapital(_id(cluster), owner) returns (uint256 amountUsd6) {
            require(!isFrozen && claimable != 0, "a claim that should have stopped");
            require(amountUsd6 == claimable, "a claim paid something else than the claimable");
            require(usd.balanceOf(payee) == held + amountUsd6, "a claim did not reach the payee");
            require(capital.claimableCapitalUsd6(_id(cluster), owner) == 0, "a claim left whole units");
        } catch {
            require(isFrozen || claimable == 0, "a claim that should have paid");
            require(usd.balanceOf(payee) == held, "a claim that stopped has paid");
        }
    }

    function book() external view returns (CapitalProceeds) {
        return capital;
    }

    function stablecoinHeld() external view returns (uint256) {
        return usd.balanceOf(address(capital));
    }

    function holderCount() external view returns (uint256) {
        return holders.length;
    }

    function _capitals(uint256 cluster) private view returns (uint256[] memory capitals) {
        capitals = new uint256[](holders.length);
        ClusterId id = _id(cluster);
        for (uint256 i; i < capitals.length; ++i) {
            capitals[i] =
                capital.capitalPaidUsd6(id, holders[i]) * SCALE + capital.earnedCapital(id, holders[i]);
        }
    }

    function _id(uint256 cluster) private pure returns (ClusterId) {
        return ClusterId.wrap(uint32(cluster + 1));
    }

    function _holder(uint256 index) private view returns (address) {
        return holders[index % holders.length];
    }
}
