// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Cluster, ClusterStatus, IClusterRegistry} from "../registry/interfaces/IClusterRegistry.sol";
import {ICapitalBook} from "../share/interfaces/ICapitalBook.sol";
import {IClusterShare} from "../share/interfaces/IClusterShare.sol";
import {ClusterId} from "../types/ClusterId.sol";
import {ICapitalProceeds, ProceedsKind, ProceedsState} from "./interfaces/ICapitalProceeds.sol";
import {ITranche} from "./interfaces/ITranche.sol";
import {IWaterfall} from "./interfaces/IWaterfall.sol";

/// @notice See ICapitalProceeds.
/// @dev Units and widths are those of the share's income stream, for the same bounds: MAX_PROCEEDS_USD6 over the least
///      supply that a share can have fits the index, and all of it fits one account.
contract CapitalProceeds is ICapitalProceeds, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice Most proceeds that a cluster can have, in 10⁻⁶ dollars: 10¹² dollars.
    uint256 public constant MAX_PROCEEDS_USD6 = 1e18;

    uint8 private constant STABLECOIN_DECIMALS = 6;
    uint256 private constant INDEX_FRACTION_BITS = 72;
    /// @dev The frozen amount that stands for all.
    uint256 private constant FROZEN_WHOLE = type(uint64).max;

    /// @dev Two slots; settling reads no more than the first while the index stands.
    /// @param share Taken from the registry at the first deposit; a cluster's share is registered once.
    struct Book {
        uint112 index;
        uint64 remainder;
        uint64 receivedUsd6;
        IClusterShare share;
        uint64 paidUsd6;
    }

    /// @param earned Brought by the owner's balances up to the moment when the book's index was `index`, and not paid.
    struct Account {
        uint112 index;
        uint136 earned;
        uint64 paidUsd6;
    }

    IERC20 public immutable STABLECOIN;
    IClusterRegistry public immutable REGISTRY;
    IWaterfall public immutable WATERFALL;

    mapping(ClusterId clusterId => Book) private _books;
    mapping(ClusterId clusterId => mapping(address owner => Account)) private _accounts;

    /// @param stablecoin What proceeds are paid in; it must have 6 decimals.
    constructor(IClusterRegistry registry, IWaterfall waterfall, IERC20Metadata stablecoin) {
        uint8 stablecoinDecimals = stablecoin.decimals();
        if (stablecoinDecimals != STABLECOIN_DECIMALS) {
            revert CapitalProceeds_UnsupportedStablecoin(
                address(stablecoin), stablecoinDecimals, STABLECOIN_DECIMALS
            );
        }
        STABLECOIN = IERC20(address(stablecoin));
        REGISTRY = registry;
        WATERFALL = waterfall;
    }

    // ------------------------------------------------------------------ in

    /// @inheritdoc ICapitalProceeds
    function depositProceeds(ClusterId clusterId, uint256 amountUsd6, ProceedsKind kind, bytes32 reference_)
        external
        nonReentrant
    {
        if (amountUsd6 == 0) revert CapitalProceeds_ZeroAmount();
        IClusterShare share = _closeBooks(clusterId);
        uint256 supply = share.totalSupply();
        if (supply == 0) revert CapitalProceeds_NoHolders(clusterId);
        _checkLenders(clusterId);
        Book storage book = _books[clusterId];
        uint256 total = book.receivedUsd6;
        if (amountUsd6 > MAX_PROCEEDS_USD6 - total) {
            revert CapitalProceeds_OverLimit(amountUsd6, MAX_PROCEEDS_USD6 - total);
        }
        total += amountUsd6;

        uint256 before = STABLECOIN.balanceOf(address(this));
        STABLECOIN.safeTransferFrom(msg.sender, address(this), amountUsd6);
        uint256 received = Math.saturatingSub(STABLECOIN.balanceOf(address(this)), before);
        if (received != amountUsd6) revert CapitalProceeds_Short(amountUsd6, received);

        uint256 scaled = (amountUsd6 << INDEX_FRACTION_BITS) + book.remainder;
        book.index += uint112(scaled / supply);
        book.remainder = uint64(scaled % supply);
        book.receivedUsd6 = uint64(total);
        book.share = share;
        emit ProceedsReceived(clusterId, msg.sender, kind, reference_, amountUsd6, total);
    }

    /// @dev From here on the supply stands, and no balance changes unsettled.
    function _closeBooks(ClusterId clusterId) private returns (IClusterShare share) {
        Cluster memory cluster = REGISTRY.cluster(clusterId);
        if (cluster.status != ClusterStatus.Retired) revert CapitalProceeds_BooksOpen(clusterId);
        share = IClusterShare(cluster.share);
        if (!share.booksClosed()) share.closeBooks();
    }

    /// @dev A tranche that cannot be read stops the deposit: a junior is never paid before the senior is known.
    function _checkLenders(ClusterId clusterId) private view {
        // What was paid to them is a part of what was assigned, and anyone can have the rest paid.
        // slither-disable-next-line unused-return
        (address[] memory tranches, uint256[] memory assignedUsd6,) = WATERFALL.tranches(clusterId);
        uint256 owedUsd6 = 0;
        for (uint256 i; i < tranches.length; ++i) {
            uint256 due = ITranche(tranches[i]).serviceDueUsd6(block.timestamp);
            if (due > assignedUsd6[i]) owedUsd6 += due - assignedUsd6[i];
        }
        if (owedUsd6 != 0) revert CapitalProceeds_LendersUnpaid(clusterId, owedUsd6);
    }

    /// @inheritdoc ICapitalBook
    /// @dev Open to all, at any moment, also in the middle of a deposit: it writes down what is so already.
    function settle(ClusterId clusterId, address owner) external {
        _settle(_books[clusterId], _accounts[clusterId][owner], owner);
    }

    function _settle(Book storage book, Account storage account, address owner) private {
        uint112 index = book.index;
        if (account.index == index) return;
        account.earned = uint136(_earned(book, account, owner));
        account.index = index;
    }

    /// @dev Exact: the product needs no division, so that settling often or seldom gives the same.
    function _earned(Book storage book, Account storage account, address owner)
        private
        view
        returns (uint256)
    {
        uint256 growth = book.index - account.index;
        return growth == 0 ? account.earned : account.earned + book.share.balanceOf(owner) * growth;
    }

    // ------------------------------------------------------------------ out

    /// @inheritdoc ICapitalProceeds
    function claimCapital(ClusterId clusterId, address owner)
        external
        nonReentrant
        returns (uint256 amountUsd6)
    {
        Book storage book = _books[clusterId];
        Account storage account = _accounts[clusterId][owner];
        _settle(book, account, owner);
        amountUsd6 = account.earned >> INDEX_FRACTION_BITS;
        if (amountUsd6 == 0) revert CapitalProceeds_NothingToClaim(clusterId, owner);
        uint256 limit = book.receivedUsd6 - book.paidUsd6;
        if (amountUsd6 > limit) revert CapitalProceeds_Overdrawn(amountUsd6, limit);
        address payee = _payeeOf(clusterId, book.share, owner);

        account.earned -= uint136(amountUsd6 << INDEX_FRACTION_BITS);
        uint64 total = account.paidUsd6 + uint64(amountUsd6);
        account.paidUsd6 = total;
        book.paidUsd6 += uint64(amountUsd6);
        emit CapitalClaimed(clusterId, owner, payee, amountUsd6, total);
        STABLECOIN.safeTransfer(payee, amountUsd6);
    }

    /// @dev One step for every time that the wallet was replaced, each of which takes Enforcement days; it ends, because
    ///      a wallet that was replaced replaces none. Any limit would strand what is beyond it.
    function _payeeOf(ClusterId clusterId, IClusterShare share, address owner)
        private
        view
        returns (address)
    {
        while (true) {
            if (share.getFrozenTokens(owner) == FROZEN_WHOLE) {
                revert CapitalProceeds_Frozen(clusterId, owner);
            }
            address successor = share.successorOf(owner);
            if (successor == address(0)) break;
            owner = successor;
        }
        return share.payeeOf(owner);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc ICapitalProceeds
    function claimableCapitalUsd6(ClusterId clusterId, address owner) external view returns (uint256) {
        return earnedCapital(clusterId, owner) >> INDEX_FRACTION_BITS;
    }

    /// @inheritdoc ICapitalProceeds
    function earnedCapital(ClusterId clusterId, address owner) public view returns (uint256) {
        return _earned(_books[clusterId], _accounts[clusterId][owner], owner);
    }

    /// @inheritdoc ICapitalProceeds
    function capitalPaidUsd6(ClusterId clusterId, address owner) external view returns (uint256) {
        return _accounts[clusterId][owner].paidUsd6;
    }

    /// @inheritdoc ICapitalProceeds
    function proceeds(ClusterId clusterId) external view returns (ProceedsState memory) {
        Book storage book = _books[clusterId];
        return ProceedsState({
            receivedUsd6: book.receivedUsd6,
            paidUsd6: book.paidUsd6,
            index: book.index,
            remainder: book.remainder
        });
    }
}
