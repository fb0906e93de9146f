// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Votes} from "@openzeppelin/contracts/governance/utils/Votes.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Authorised} from "../access/Authorised.sol";
import {IAuthority} from "../access/interfaces/IAuthority.sol";
import {Powers} from "../access/Powers.sol";
import {IIdentityRegistry} from "../compliance/interfaces/IIdentityRegistry.sol";
import {ClusterStatus, IClusterRegistry} from "../registry/interfaces/IClusterRegistry.sol";
import {ClusterId} from "../types/ClusterId.sol";
import {AccountState, IClusterShare, StreamState} from "./interfaces/IClusterShare.sol";
import {IncomeWord, IncomeWordLib, SharesWord} from "./Holding.sol";
import {RevenueStream} from "./RevenueStream.sol";

/// @notice See IClusterShare.
/// @dev Balances live in this contract's own two words a holder instead of OpenZeppelin's mapping, so that a transfer
///      writes four slots, no more: `_update`, `balanceOf` and `totalSupply` are replaced, everything built upon them
///      (ERC-20, permits, votes) is OpenZeppelin's.
contract ClusterShare is
    ERC20,
    ERC20Permit,
    Votes,
    Authorised,
    ReentrancyGuardTransient,
    RevenueStream,
    IClusterShare
{
    using SafeERC20 for IERC20;

    uint8 private constant STABLECOIN_DECIMALS = 6;

    struct Holding {
        SharesWord shares;
        IncomeWord income;
    }

    IERC20 public immutable STABLECOIN;
    ClusterId private immutable CLUSTER_ID;
    IClusterRegistry public immutable REGISTRY;
    IIdentityRegistry public immutable IDENTITIES;
    address public immutable WATERFALL;

    mapping(address owner => Holding) private _holdings;
    mapping(address owner => address) private _payees;

    /// @param name_ Name of the token, also of its EIP-712 domain.
    /// @param waterfall The only account that funds.
    /// @param stablecoin What income is paid in; it must have 6 decimals.
    constructor(
        string memory name_,
        string memory symbol_,
        ClusterId clusterId_,
        IAuthority authority_,
        IClusterRegistry registry,
        IIdentityRegistry identities,
        address waterfall,
        IERC20Metadata stablecoin
    ) ERC20(name_, symbol_) ERC20Permit(name_) Authorised(authority_) {
        if (stablecoin.decimals() != STABLECOIN_DECIMALS) {
            revert ClusterShare_UnsupportedStablecoin(
                address(stablecoin), stablecoin.decimals(), STABLECOIN_DECIMALS
            );
        }
        CLUSTER_ID = clusterId_;
        REGISTRY = registry;
        IDENTITIES = identities;
        WATERFALL = waterfall;
        STABLECOIN = IERC20(address(stablecoin));
    }

    // ------------------------------------------------------------------ supply

    /// @inheritdoc IClusterShare
    function issue(address[] calldata accounts, uint256[] calldata amounts)
        external
        onlyPower(Powers.ISSUER, CLUSTER_ID)
    {
        if (accounts.length != amounts.length) {
            revert ClusterShare_LengthMismatch(accounts.length, amounts.length);
        }
        if (REGISTRY.statusOf(CLUSTER_ID) != ClusterStatus.Funding) {
            revert ClusterShare_NotInFunding(CLUSTER_ID);
        }
        uint256 authorised = REGISTRY.cluster(CLUSTER_ID).authorisedShares;
        for (uint256 i; i < accounts.length; ++i) {
            // Checked before each mint: the words hold supplies up to the limit, which is below 2^63.
            if (amounts[i] > authorised - totalSupply()) {
                revert ClusterShare_OverAuthorised(amounts[i], authorised - totalSupply());
            }
            _mint(accounts[i], amounts[i]);
        }
        _checkSupply();
    }

    /// @inheritdoc IClusterShare
    function burn(uint256 amount) external {
        _burn(msg.sender, amount);
        _checkSupply();
    }

    function _checkSupply() private view {
        uint256 supply = totalSupply();
        if (supply != 0 && supply < MIN_SUPPLY) revert ClusterShare_SupplyTooSmall(supply, MIN_SUPPLY);
    }

    // ------------------------------------------------------------------ income

    /// @inheritdoc IClusterShare
    function fund(uint256 amountUsd6) external nonReentrant {
        if (msg.sender != WATERFALL) revert ClusterShare_NotTheWaterfall(msg.sender);
        if (amountUsd6 == 0) revert ClusterShare_ZeroFunding();
        if (_flow.supply == 0) revert ClusterShare_SupplyTooSmall(0, MIN_SUPPLY);
        if (amountUsd6 > MAX_FUNDED_USD6 - _index.fundedUsd6) {
            revert ClusterShare_FundingOverLimit(amountUsd6, MAX_FUNDED_USD6 - _index.fundedUsd6);
        }
        uint256 before = STABLECOIN.balanceOf(address(this));
        STABLECOIN.safeTransferFrom(msg.sender, address(this), amountUsd6);
        uint256 received = STABLECOIN.balanceOf(address(this)) - before;
        if (received != amountUsd6) revert ClusterShare_FundingShort(amountUsd6, received);
        (uint256 endsAt, uint256 fundedUsd6) = _addToStream(amountUsd6);
        emit StreamFunded(msg.sender, amountUsd6, endsAt, fundedUsd6);
    }

    /// @inheritdoc IClusterShare
    function claim() external returns (uint256 amountUsd6) {
        return claimFor(msg.sender);
    }

    /// @inheritdoc IClusterShare
    function claimFor(address owner) public nonReentrant returns (uint256 amountUsd6) {
        Holding storage holding = _holdings[owner];
        SharesWord shares = holding.shares;
        IncomeWord income = holding.income.settled(shares.balance(), _currentIndex());
        amountUsd6 = income.earned() >> INDEX_FRACTION_BITS;
        if (amountUsd6 == 0) revert ClusterShare_NothingToClaim(owner);
        shares = shares.plusClaimed(amountUsd6);
        holding.shares = shares;
        holding.income = income.minusEarned(amountUsd6 << INDEX_FRACTION_BITS);
        address payee = _payee(owner, income);
        emit IncomeClaimed(owner, payee, amountUsd6, shares.claimedUsd6());
        STABLECOIN.safeTransfer(payee, amountUsd6);
    }

    /// @inheritdoc IClusterShare
    function setPayee(address payee) external {
        if (payee == address(this)) revert ClusterShare_InvalidPayee(payee);
        if (payee == address(0)) payee = msg.sender;
        IncomeWord income = _holdings[msg.sender].income;
        address previous = _payee(msg.sender, income);
        bool another = payee != msg.sender;
        _holdings[msg.sender].income = income.with(IncomeWordLib.HAS_PAYEE, another);
        _payees[msg.sender] = another ? payee : address(0);
        emit PayeeChanged(msg.sender, previous, payee);
    }

    function _payee(address owner, IncomeWord income) private view returns (address) {
        return income.has(IncomeWordLib.HAS_PAYEE) ? _payees[owner] : owner;
    }

    // ------------------------------------------------------------------ transfer

    /// @dev Settles and moves. Calls the identity registry for the receiver and nobody else; moves no stablecoin.
    function _update(address from, address to, uint256 value) internal override {
        // Read before the supply changes: what then moves the index is the carried remainder, and belongs to those who
        // hold after the change.
        uint256 index = _currentIndex();
        if (from == address(0)) _setStreamSupply(totalSupply() + value);
        uint256 flags;
        if (from != address(0)) {
            Holding storage sender = _holdings[from];
            SharesWord shares = sender.shares;
            if (value > shares.balance()) revert ERC20InsufficientBalance(from, shares.balance(), value);
            if (value > shares.available()) {
                revert ClusterShare_InsufficientAvailable(from, shares.available(), value);
            }
            IncomeWord income = sender.income.settled(shares.balance(), index);
            sender.income = income;
            sender.shares = shares.minusBalance(value);
            flags = IncomeWord.unwrap(income);
        }
        if (to == address(0)) {
            _setStreamSupply(totalSupply() - value);
        } else {
            // The share itself could never hand on what it earned, whoever admits it.
            if (to == address(this) || !IDENTITIES.canReceive(to)) revert ClusterShare_NotEligible(to);
            // Read after the sender was written: the two may be one.
            Holding storage receiver = _holdings[to];
            SharesWord shares = receiver.shares;
            IncomeWord income = receiver.income.settled(shares.balance(), index);
            receiver.income = income;
            receiver.shares = shares.plusBalance(value);
            flags |= IncomeWord.unwrap(income);
        }
        emit Transfer(from, to, value);
        // Two reads saved where neither side delegates; minting and burning also move the votes' total supply.
        if (from == address(0) || to == address(0) || flags & IncomeWordLib.DELEGATED != 0) {
            _transferVotingUnits(from, to, value);
        }
    }

    /// @inheritdoc Votes
    function _delegate(address account, address delegatee) internal override {
        Holding storage holding = _holdings[account];
        holding.income = holding.income.with(IncomeWordLib.DELEGATED, delegatee != address(0));
        super._delegate(account, delegatee);
    }

    function _getVotingUnits(address account) internal view override returns (uint256) {
        return balanceOf(account);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc ERC20
    function balanceOf(address account) public view override(ERC20, IERC20) returns (uint256) {
        return _holdings[account].shares.balance();
    }

    /// @inheritdoc ERC20
    function totalSupply() public view override(ERC20, IERC20) returns (uint256) {
        return _flow.supply;
    }

    /// @inheritdoc ERC20
    function decimals() public pure override returns (uint8) {
        return 6;
    }

    /// @inheritdoc IClusterShare
    function claimableUsd6(address owner) public view returns (uint256) {
        return _earned(owner) >> INDEX_FRACTION_BITS;
    }

    /// @inheritdoc IClusterShare
    function earnedUsd6(address owner) external view returns (uint256) {
        return claimedUsd6(owner) + claimableUsd6(owner);
    }

    /// @inheritdoc IClusterShare
    function claimedUsd6(address owner) public view returns (uint256) {
        return _holdings[owner].shares.claimedUsd6();
    }

    /// @inheritdoc IClusterShare
    function availableBalanceOf(address owner) external view returns (uint256) {
        return _holdings[owner].shares.available();
    }

    /// @inheritdoc IClusterShare
    function payeeOf(address owner) external view returns (address) {
        return _payee(owner, _holdings[owner].income);
    }

    /// @inheritdoc IClusterShare
    function accountState(address owner) external view returns (AccountState memory) {
        SharesWord shares = _holdings[owner].shares;
        return AccountState({
            balance: shares.balance(),
            encumbered: shares.encumbered(),
            frozen: shares.frozen(),
            claimedUsd6: shares.claimedUsd6(),
            earned: _earned(owner),
            payee: _payee(owner, _holdings[owner].income)
        });
    }

    /// @inheritdoc IClusterShare
    function streamState() external view returns (StreamState memory) {
        (uint256 index, uint256 remainder, uint256 unstreamed, uint256 ratePerSecond) = _streamPosition();
        return StreamState({
            fundedUsd6: _index.fundedUsd6,
            index: index,
            indexRemainder: remainder,
            unstreamed: unstreamed,
            fundingRemainder: uint256(_flow.fundingRemainder) << (INDEX_FRACTION_BITS - RATE_FRACTION_BITS),
            ratePerSecond: ratePerSecond
        });
    }

    /// @inheritdoc IClusterShare
    function streamEnds() external view returns (uint256[] memory endsAt, uint256[] memory ratesPerSecond) {
        return _liveEnds();
    }

    /// @inheritdoc IClusterShare
    function clusterId() external view returns (ClusterId) {
        return CLUSTER_ID;
    }

    /// @notice ERC-6372: votes are counted by Unix second.
    function clock() public view override returns (uint48) {
        return uint48(block.timestamp);
    }

    /// @notice ERC-6372.
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    /// @inheritdoc ERC20Permit
    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    function _earned(address owner) private view returns (uint256) {
        Holding storage holding = _holdings[owner];
        return holding.income.settled(holding.shares.balance(), _currentIndex()).earned();
    }
}
