// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Authority} from "../../../contracts/access/Authority.sol";
import {Powers} from "../../../contracts/access/Powers.sol";
import {HoldingLimits} from "../../../contracts/compliance/interfaces/IHoldingRules.sol";
import {TestUsd} from "../../../contracts/mocks/TestUsd.sol";
import {ClusterStatus, IClusterRegistry} from "../../../contracts/registry/interfaces/IClusterRegistry.sol";
import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {HolderDesk} from "../../../contracts/share/HolderDesk.sol";
import {ShareExtension} from "../../../contracts/share/ShareExtension.sol";
import {TransferWords} from "../../../contracts/share/TransferWords.sol";
import {ICapitalBook} from "../../../contracts/share/interfaces/ICapitalBook.sol";
import {ClusterId} from "../../../contracts/types/ClusterId.sol";
import {RulesFixture} from "../compliance/RulesFixture.sol";
import {RegistryStub} from "../revenue/CapitalFixture.sol";
import {vm} from "../Vm.sol";
import {NoCapital} from "./ShareFixture.sol";

/// @notice Against the real holding rules: the desk has words for why shares cannot be sent if and only if they cannot.
contract WhyNotTest is RulesFixture {
    ClusterId private constant CLUSTER = ClusterId.wrap(1);
    uint256 private constant WALLETS = 6;

    ClusterShare private token;
    RegistryStub private registry;
    HolderDesk private desk;

    function setUp() external {
        _open();
        registry = new RegistryStub();
        desk = new HolderDesk(IClusterRegistry(address(registry)));
        Authority authority = Authority(identities.authority());
        authority.grantRole(Powers.ENCUMBRANCER_ROLE, address(this), 0);
        ShareExtension extension = new ShareExtension(
            authority,
            IClusterRegistry(address(registry)),
            identities,
            address(this),
            IERC20Metadata(address(new TestUsd())),
            address(this),
            address(desk),
            ICapitalBook(address(new NoCapital()))
        );
        token = new ClusterShare("Share", "SHARE", CLUSTER, extension);
        registry.set(CLUSTER, ClusterStatus.Funding, address(token));
        // Wallets 0 and 1 are one investor's; the last is never attested.
        for (uint256 i; i < WALLETS - 1; ++i) {
            _attest(_wallet(i), i == 1 ? 1 : i + 1, uint16(528 + i / 2), uint8(1 + i % 3), time + 365 days);
        }
    }

    function test_why_not__any_holders_under_any_rules__empty_if_and_only_if_the_transfer_succeeds(
        uint256 rulesSeed,
        uint256 holdingsSeed,
        uint256 movesSeed
    ) external {
        _setRules(rulesSeed);
        _setHoldings(holdingsSeed);
        for (uint256 i; i < 8; ++i) {
            movesSeed = uint256(keccak256(abi.encode(movesSeed)));
            _compare(movesSeed);
        }
    }

    /// @dev What a fuzzer would hardly find: the first and the last day of every month until the calendar repeats.
    function test_in_date__each_month_of_four_centuries__is_the_calendars() external pure {
        uint256 today;
        for (uint256 month; month < 4800; ++month) {
            (uint256 year, uint256 ofYear) = (1970 + month / 12, month % 12 + 1);
            _checkDate(today * 1 days, year, ofYear, 1);
            today += _daysOf(year, ofYear);
            _checkDate(today * 1 days - 1, year, ofYear, _daysOf(year, ofYear));
        }
        require(today == 146_097, "not four centuries");
    }

    function test_in_shares__any_amount__reads_back_as_itself(uint64 units) external pure {
        bytes memory words = bytes(TransferWords.inShares(units));
        require(words[words.length - 7] == ".", "not six decimals");
        uint256 whole = _number(words, 0, words.length - 7);
        require(whole * 1e6 + _number(words, words.length - 6, words.length) == units, "another amount");
    }

    function _compare(uint256 seed) private {
        address from = _wallet(seed);
        // Among the receivers are the zero address, the share, and the sender.
        address to =
            seed >> 8 & 15 == 0 ? address(0) : seed >> 8 & 15 == 1 ? address(token) : _wallet(seed >> 16);
        uint256 balance = token.balanceOf(from);
        uint256 amount = seed >> 24 & 3 == 0
            ? balance
            : seed >> 24 & 3 == 1 ? token.availableBalanceOf(from) : _bound(seed >> 32, 0, balance + 2);
        string memory reason = desk.whyNot(CLUSTER, from, to, amount);
        vm.prank(from);
        try token.transfer(to, amount) {
            require(bytes(reason).length == 0, string.concat("it could be sent: ", reason));
        } catch {
            require(bytes(reason).length != 0, "no reason why it could not be sent");
        }
    }

    function _setRules(uint256 seed) private {
        HoldingLimits memory limits;
        // Around what there is: 0 to 9 units a wallet, of two wallets an investor at most.
        if (seed % 2 == 0) limits.minHolding = uint64(_bound(seed >> 8, 1, 5));
        if (seed >> 1 & 1 == 0) limits.maxHolding = uint64(_bound(seed >> 16, 6, 14));
        if (seed >> 2 & 1 == 0) limits.maxHolders = uint32(_bound(seed >> 24, 4, 6));
        if (seed >> 3 & 3 == 0) limits.lockedUntilDay[seed >> 32 & 1] = uint16(time / 1 days + 9);
        limits.excludesCountries = seed >> 5 & 1 == 0;
        // Lock-ups come before shares, all else may come after them.
        identities.scheduleLimits(address(token), HoldingLimits(0, 0, 0, limits.lockedUntilDay, false));
        // The supply needs a whole share, which is held beside.
        _issue(address(this), 1e6);
        for (uint256 i; i < WALLETS - 1; ++i) {
            if (seed >> (64 + i) & 3 != 0) _issue(_wallet(i), _bound(seed >> (80 + 8 * i), 0, 9));
        }
        identities.scheduleLimits(address(token), limits);
        uint16[] memory countries = new uint16[](1);
        countries[0] = uint16(528 + seed % 3);
        identities.scheduleCountries(address(token), countries, true);
        _warp(time + identities.RULES_NOTICE_SECONDS());
        identities.applyRules(address(token));
    }

    function _setHoldings(uint256 seed) private {
        address frozen = _wallet(seed);
        if (seed >> 8 & 3 == 0) token.setFrozenTokens(frozen, seed >> 16 & 1 == 0 ? type(uint64).max : 3);
        address pledger = _wallet(seed >> 24);
        uint256 available = token.availableBalanceOf(pledger);
        if (seed >> 32 & 1 == 0 && available != 0) {
            vm.prank(pledger);
            token.encumber(address(this), _bound(seed >> 40, 1, available));
        }
        if (seed >> 48 & 7 == 0) identities.blockWallet(_wallet(seed >> 56));
        if (seed >> 64 & 7 == 0) identities.revokeWallet(_wallet((seed >> 72) % (WALLETS - 1)));
        if (seed >> 80 & 15 == 0) {
            registry.set(CLUSTER, ClusterStatus.Retired, address(token));
            token.closeBooks();
        }
    }

    function _issue(address holder, uint256 amount) private {
        if (!identities.canReceive(holder)) _attest(holder, 99, 276, 3, time + 365 days);
        address[] memory holders = new address[](1);
        uint256[] memory amounts = new uint256[](1);
        (holders[0], amounts[0]) = (holder, amount);
        token.issue(holders, amounts);
    }

    function _wallet(uint256 index) private pure returns (address) {
        return address(uint160(0xF00 + index % WALLETS));
    }

    function _checkDate(uint256 timestamp, uint256 year, uint256 month, uint256 day) private pure {
        bytes memory words = bytes(TransferWords.inDate(timestamp));
        require(words.length == 10 && words[4] == "-" && words[7] == "-", "not a date");
        require(_number(words, 0, 4) == year && _number(words, 5, 7) == month, "another month");
        require(_number(words, 8, 10) == day, "another day");
    }

    function _number(bytes memory digits, uint256 from, uint256 to) private pure returns (uint256 number) {
        for (uint256 i = from; i < to; ++i) {
            require(digits[i] >= "0" && digits[i] <= "9", "not a digit");
            number = 10 * number + uint8(digits[i]) - 48;
        }
    }

    function _daysOf(uint256 year, uint256 month) private pure returns (uint256) {
        if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
        return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
    }
}
