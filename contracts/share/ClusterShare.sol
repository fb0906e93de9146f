// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {Powers} from "../access/Powers.sol";
import {Refusal} from "../compliance/interfaces/IHoldingRules.sol";
import {ClusterStatus} from "../registry/interfaces/IClusterRegistry.sol";
import {ClusterId} from "../types/ClusterId.sol";
import {AccountState, Encumbrance, IClusterShare, StreamState} from "./interfaces/IClusterShare.sol";
import {IERC7246} from "./interfaces/IERC7246.sol";
import {IERC7943Fungible} from "./interfaces/IERC7943Fungible.sol";
import {Holding, IncomeWord, IncomeWordLib, SharesWord, SharesWordLib} from "./Holding.sol";
import {ShareBase} from "./ShareBase.sol";
import {ShareExtension} from "./ShareExtension.sol";

/// @notice See IClusterShare.
/// @dev What is used every day is here; the rest is the ShareExtension's code, run on this contract's storage.
contract ClusterShare is ShareBase, IClusterShare {
    using SafeERC20 for IERC20;

    uint8 private constant STABLECOIN_DECIMALS = 6;

    ClusterId private immutable CLUSTER_ID;
    address public immutable EXTENSION;

    /// @param name_ Name of the token, also of its EIP-712 domain.
    /// @param extension The other half of the code; it also says which system the share belongs to.
    constructor(string memory name_, string memory symbol_, ClusterId clusterId_, ShareExtension extension)
        ShareBase(name_, symbol_, extension.system())
    {
        uint8 stablecoinDecimals = IERC20Metadata(address(STABLECOIN)).decimals();
        if (stablecoinDecimals != STABLECOIN_DECIMALS) {
            revert ClusterShare_UnsupportedStablecoin(
                address(STABLECOIN), stablecoinDecimals, STABLECOIN_DECIMALS
            );
        }
        CLUSTER_ID = clusterId_;
        EXTENSION = address(extension);
    }

    modifier onlyDesk() {
        if (msg.sender != DESK) revert ClusterShare_NotTheDesk(msg.sender);
        _;
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
        uint256 received = Math.saturatingSub(STABLECOIN.balanceOf(address(this)), before);
        if (received != amountUsd6) revert ClusterShare_FundingShort(amountUsd6, received);
        (uint256 endsAt, uint256 fundedUsd6) = _addToStream(amountUsd6);
        emit StreamFunded(msg.sender, amountUsd6, endsAt, fundedUsd6);
    }

    /// @inheritdoc IClusterShare
    function claim() external returns (uint256 amountUsd6) {
        return claimFor(msg.sender);
    }

    /// @inheritdoc IClusterShare
    function claimFor(address owner) public returns (uint256 amountUsd6) {
        return _claim(owner, address(0));
    }

    /// @inheritdoc IClusterShare
    function claimTo(address owner, address recipient) external onlyDesk returns (uint256 amountUsd6) {
        if (recipient == address(this)) revert ClusterShare_InvalidPayee(recipient);
        return _claim(owner, recipient);
    }

    /// @param recipient The zero address stands for the owner's payee.
    function _claim(address owner, address recipient) private nonReentrant returns (uint256 amountUsd6) {
        Holding storage holding = _holdings[owner];
        SharesWord shares = holding.shares;
        IncomeWord income = _settled(owner, shares, holding.income, _currentIndex());
        amountUsd6 = income.earned() >> INDEX_FRACTION_BITS;
        if (amountUsd6 == 0) revert ClusterShare_NothingToClaim(owner);
        if (shares.frozen() == SharesWordLib.ALL) revert ClusterShare_IncomeFrozen(owner);
        shares = shares.plusClaimed(amountUsd6);
        holding.shares = shares;
        holding.income = income.minusEarned(amountUsd6 << INDEX_FRACTION_BITS);
        if (recipient == address(0)) recipient = _payee(owner, income);
        emit IncomeClaimed(owner, recipient, amountUsd6, shares.claimedUsd6());
        STABLECOIN.safeTransfer(recipient, amountUsd6);
    }

    /// @inheritdoc IClusterShare
    function claimAssigned(address owner, address payee) external nonReentrant returns (uint256 amountUsd6) {
        Interest storage interest = _interests[owner][payee];
        IncomeWord income = interest.income.settled(interest.units, _currentIndex());
        amountUsd6 = income.earned() >> INDEX_FRACTION_BITS;
        if (amountUsd6 == 0) revert ClusterShare_NothingToClaim(payee);
        address recipient = _lastSuccessor(payee);
        if (_holdings[owner].shares.frozen() == SharesWordLib.ALL) revert ClusterShare_IncomeFrozen(owner);
        if (_holdings[recipient].shares.frozen() == SharesWordLib.ALL) {
            revert ClusterShare_IncomeFrozen(recipient);
        }
        interest.income = income.minusEarned(amountUsd6 << INDEX_FRACTION_BITS);
        uint64 claimed = interest.claimedUsd6 + uint64(amountUsd6);
        interest.claimedUsd6 = claimed;
        emit AssignedIncomeClaimed(owner, payee, amountUsd6, claimed);
        STABLECOIN.safeTransfer(recipient, amountUsd6);
    }

    /// @dev As often as a wallet was recovered, which takes two offices and two weeks each time.
    function _lastSuccessor(address account) private view returns (address) {
        while (_successors[account] != address(0)) account = _successors[account];
        return account;
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

    // ------------------------------------------------------------------ signed acts

    /// @inheritdoc IClusterShare
    function approveFor(address owner, address spender, uint256 amount) external onlyDesk {
        _approve(owner, spender, amount);
    }

    /// @inheritdoc IClusterShare
    function delegateFor(address owner, address delegatee) external onlyDesk {
        _delegate(owner, delegatee);
    }

    // ------------------------------------------------------------------ by the extension

    /// @inheritdoc ERC20
    function transferFrom(address from, address to, uint256 amount)
        public
        override(ERC20, IERC20)
        returns (bool)
    {
        // Asked first: most owners have pledged nothing, and their shares are read anyway.
        if (_holdings[from].shares.encumbered() != 0 && _encumbrances[from][msg.sender].amount != 0) {
            _extend();
        }
        return super.transferFrom(from, to, amount);
    }

    /// @inheritdoc IERC7246
    function encumber(address, uint256) external {
        _extend();
    }

    /// @inheritdoc IERC7246
    function encumberFrom(address, address, uint256) external {
        _extend();
    }

    /// @inheritdoc IERC7246
    function release(address, uint256) external {
        _extend();
    }

    /// @inheritdoc IClusterShare
    function encumberUntil(address, uint256, uint40) external {
        _extend();
    }

    /// @inheritdoc IClusterShare
    function encumberFor(address, address, uint256, uint40, uint256, address) external {
        _extend();
    }

    /// @inheritdoc IClusterShare
    function releaseExpired(address, address) external {
        _extend();
    }

    /// @inheritdoc IClusterShare
    function assignIncome(address, uint256, address) external {
        _extend();
    }

    /// @inheritdoc IERC7943Fungible
    function setFrozenTokens(address, uint256) external returns (bool) {
        _extend();
    }

    /// @inheritdoc IERC7943Fungible
    function forcedTransfer(address, address, uint256) external returns (bool) {
        _extend();
    }

    /// @inheritdoc IClusterShare
    function recover(address, address) external {
        _extend();
    }

    /// @inheritdoc IClusterShare
    function closeBooks() external {
        _extend();
    }

    /// @dev Run the call that came in with the extension's code, and answer what it answers.
    function _extend() private {
        address extension = EXTENSION;
        // The memory is this function's to spoil: it never returns to the compiler's code.
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, 0, calldatasize())
            let done := delegatecall(gas(), extension, data, calldatasize(), 0, 0)
            returndatacopy(data, 0, returndatasize())
            if iszero(done) { revert(data, returndatasize()) }
            return(data, returndatasize())
        }
    }

    // ------------------------------------------------------------------ views

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

    /// @inheritdoc IERC7246
    function availableBalanceOf(address owner) external view returns (uint256) {
        return _holdings[owner].shares.available();
    }

    /// @inheritdoc IERC7246
    function encumbrances(address owner, address taker) external view returns (uint256) {
        return _encumbrances[owner][taker].amount;
    }

    /// @inheritdoc IClusterShare
    function encumbranceOf(address owner, address taker) external view returns (Encumbrance memory) {
        return _encumbrances[owner][taker];
    }

    /// @inheritdoc IClusterShare
    function takersOf(address owner) external view returns (address[] memory) {
        return _takers[owner];
    }

    /// @inheritdoc IClusterShare
    function successorOf(address lost) external view returns (address) {
        return _successors[lost];
    }

    /// @inheritdoc IERC7246
    function encumberedBalanceOf(address owner) external view returns (uint256) {
        return _holdings[owner].shares.encumbered();
    }

    /// @inheritdoc IERC7943Fungible
    function getFrozenTokens(address account) external view returns (uint256) {
        return _holdings[account].shares.frozen();
    }

    /// @inheritdoc IERC7943Fungible
    function canSend(address account) external view returns (bool) {
        return IDENTITIES.canSend(account);
    }

    /// @inheritdoc IERC7943Fungible
    function canReceive(address account) external view returns (bool) {
        return account != address(this) && IDENTITIES.canReceive(account);
    }

    /// @inheritdoc IERC7943Fungible
    function canTransfer(address from, address to, uint256 amount) external view returns (bool) {
        SharesWord shares = _holdings[from].shares;
        // The rules take nobody for an issue or a burn, which a transfer never is.
        bool isTransfer = from != address(0) && to != address(0) && to != address(this);
        if (!isTransfer || _index.closed || amount > shares.available()) return false;
        // slither-disable-next-line unused-return
        (Refusal refusal,) = IDENTITIES.refusalOf(
            address(this), from, to, amount, shares.balance(), _holdings[to].shares.balance()
        );
        return refusal == Refusal.None;
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == type(IERC165).interfaceId || interfaceId == type(IERC20).interfaceId
            || interfaceId == type(IERC7943Fungible).interfaceId || interfaceId == type(IERC7246).interfaceId;
    }

    /// @inheritdoc IClusterShare
    function interestState(address owner, address payee)
        external
        view
        returns (uint256 units, uint256 earned, uint256 claimed)
    {
        Interest storage interest = _interests[owner][payee];
        units = interest.units;
        earned = interest.income.settled(units, _currentIndex()).earned();
        claimed = interest.claimedUsd6;
    }

    /// @inheritdoc IClusterShare
    function booksClosed() external view returns (bool) {
        return _index.closed;
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
            assigned: _assignedUnits[owner],
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
    function clusterId() public view override(ShareBase, IClusterShare) returns (ClusterId) {
        return CLUSTER_ID;
    }

    function _earned(address owner) private view returns (uint256) {
        Holding storage holding = _holdings[owner];
        return _settled(owner, holding.shares, holding.income, _currentIndex()).earned();
    }
}
