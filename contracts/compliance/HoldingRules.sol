// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";
import {Authorised} from "../access/Authorised.sol";
import {Powers} from "../access/Powers.sol";
import {ClusterId} from "../types/ClusterId.sol";
import {HoldingLimits, IHoldingRules, Refusal} from "./interfaces/IHoldingRules.sol";
import {ILimitedShare} from "./interfaces/ILimitedShare.sol";
import {RulesWord, RulesWordLib} from "./RulesWord.sol";
import {WalletWord, WalletWordLib} from "./WalletWord.sol";

/// @notice See IHoldingRules. Whoever inherits it knows the wallets and their investors.
/// @dev Nothing is stored of a wallet or an investor: what an investor holds is asked of the share, and only of those
///      who have several wallets, and only when a limit or the count of holders depends on it.
abstract contract HoldingRules is IHoldingRules, Authorised {
    using BitMaps for BitMaps.BitMap;

    /// @notice Notice, in seconds, of a change that may keep somebody from what they may do today.
    uint256 public constant RULES_NOTICE_SECONDS = 7 days;

    /// @notice Highest ISO 3166-1 numeric country code.
    uint16 public constant MAX_COUNTRY = 999;

    struct Move {
        address share;
        address from;
        address to;
        uint256 amount;
        uint256 fromBalance;
        uint256 toBalance;
        bool forced;
    }

    /// @dev Each part has its own second; 0 is nothing scheduled. Countries are only ever excluded with notice.
    struct Schedule {
        RulesWord limits;
        uint40 limitsFromAt;
        uint40 countriesFromAt;
        uint16[] countries;
    }

    mapping(address share => RulesWord) private _rules;
    mapping(address share => BitMaps.BitMap) private _excludedCountries;
    mapping(address share => Schedule) private _schedules;

    /// @dev What is known of `wallet`.
    function _recordOf(address wallet) internal view virtual returns (WalletWord);

    /// @dev Every wallet that was ever attested to `investorId`.
    function _walletsOf(bytes16 investorId) internal view virtual returns (address[] storage);

    // ------------------------------------------------------------------ moves

    /// @inheritdoc IHoldingRules
    function beforeMove(
        address from,
        address to,
        uint256 amount,
        uint256 fromBalance,
        uint256 toBalance,
        bool forced
    ) external {
        RulesWord rules = _rules[msg.sender];
        // The most frequent move by far, between two who held and go on holding a share without limits, depends on the
        // two wallets alone: `_judge` would find nothing else, for more gas.
        if (
            rules.isUnlimited() && amount < fromBalance && toBalance != 0
                && block.timestamp < _recordOf(to).expiresAt()
                && (forced || !_recordOf(from).has(WalletWordLib.BLOCKED))
        ) return;
        Move memory move = Move(msg.sender, from, to, amount, fromBalance, toBalance, forced);
        (Refusal refusal, uint256 value, uint256 limit, bool leaves, bool enters) = _judge(rules, move);
        if (refusal != Refusal.None) _refuse(move, refusal, value, limit);
        if (leaves == enters) return;
        rules = enters ? rules.plusHolder() : rules.minusHolder();
        _rules[msg.sender] = rules;
        emit HoldersChanged(msg.sender, rules.holders());
    }

    /// @inheritdoc IHoldingRules
    function refusalOf(
        address share,
        address from,
        address to,
        uint256 amount,
        uint256 fromBalance,
        uint256 toBalance
    ) external view returns (Refusal refusal, uint256 limit) {
        // More than a share can hold is refused by the share; here it must only not overflow.
        if (amount > type(uint128).max) amount = type(uint128).max;
        (refusal,, limit,,) =
            _judge(_rules[share], Move(share, from, to, amount, fromBalance, toBalance, false));
    }

    /// @dev The one place where it is decided whether shares may move.
    /// @return refusal None if they may.
    /// @return value What would be, where `limit` is in the way.
    /// @return limit What IHoldingRules.refusalOf promises.
    /// @return leaves Whether the sender's investor would hold nothing any more.
    /// @return enters Whether the receiver's investor holds nothing yet.
    function _judge(RulesWord rules, Move memory move)
        private
        view
        returns (Refusal refusal, uint256 value, uint256 limit, bool leaves, bool enters)
    {
        WalletWord sender;
        WalletWord receiver;
        (refusal, limit, sender, receiver) = _judgeParties(rules, move);
        if (refusal != Refusal.None) return (refusal, 0, limit, false, false);
        // Between wallets of one investor nobody's holding changes.
        if (move.amount == 0 || sender.isOfInvestorOf(receiver)) return (refusal, 0, 0, false, false);

        if (move.from != address(0)) {
            (refusal, value, limit) = _judgeSender(rules, move, sender);
            if (refusal != Refusal.None) return (refusal, value, limit, false, false);
            leaves = value == 0;
        }
        if (move.to != address(0)) {
            (refusal, value, limit, enters) = _judgeReceiver(rules, move, receiver, leaves);
        }
    }

    /// @dev What is asked of the two whatever they hold.
    function _judgeParties(RulesWord rules, Move memory move)
        private
        view
        returns (Refusal refusal, uint256 limit, WalletWord sender, WalletWord receiver)
    {
        if (move.from != address(0)) {
            sender = _recordOf(move.from);
            if (!move.forced) {
                if (sender.has(WalletWordLib.BLOCKED)) return (Refusal.SenderBlocked, 0, sender, receiver);
                limit = rules.lockedUntilDay(sender.investorClass()) * 1 days;
                if (block.timestamp < limit) return (Refusal.SenderLocked, limit, sender, receiver);
            }
        }
        if (move.to != address(0)) {
            receiver = _recordOf(move.to);
            if (block.timestamp >= receiver.expiresAt()) {
                bool isBlocked = receiver.has(WalletWordLib.BLOCKED);
                refusal = isBlocked ? Refusal.ReceiverBlocked : Refusal.ReceiverNotAttested;
                return (refusal, 0, sender, receiver);
            }
            // Whoever holds already keeps the use of all their wallets.
            if (
                rules.excludesCountries() && _excludedCountries[move.share].get(receiver.country())
                    && !sender.isOfInvestorOf(receiver)
            ) {
                return (Refusal.CountryExcluded, receiver.country(), sender, receiver);
            }
        }
        return (Refusal.None, 0, sender, receiver);
    }

    /// @dev Finds what the sender's investor would be left with, as far as anything depends on it.
    function _judgeSender(RulesWord rules, Move memory move, WalletWord sender)
        private
        view
        returns (Refusal refusal, uint256 rest, uint256 minimum)
    {
        minimum = move.forced ? 0 : rules.minHolding();
        // A move of more than there is is the share's to refuse.
        rest = move.amount < move.fromBalance ? move.fromBalance - move.amount : 0;
        if (rest == 0 || rest < minimum) rest += _heldBesides(move.share, move.from, sender);
        if (rest != 0 && rest < minimum) refusal = Refusal.SenderBelowMinimum;
    }

    /// @dev Finds what the receiver's investor would hold, as far as anything depends on it, and counts the holders.
    function _judgeReceiver(RulesWord rules, Move memory move, WalletWord receiver, bool leaves)
        private
        view
        returns (Refusal refusal, uint256 holding, uint256 limit, bool enters)
    {
        (uint256 minimum, uint256 maximum) = (rules.minHolding(), rules.maxHolding());
        uint256 held = move.toBalance;
        if (held == 0 || maximum != 0 || held + move.amount < minimum) {
            held += _heldBesides(move.share, move.to, receiver);
        }
        enters = held == 0;
        holding = held + move.amount;
        if (holding < minimum) return (Refusal.ReceiverBelowMinimum, holding, minimum, enters);
        if (maximum != 0 && holding > maximum) {
            return (Refusal.ReceiverAboveMaximum, holding, maximum, enters);
        }
        limit = rules.maxHolders();
        if (enters && !leaves && limit != 0 && rules.holders() >= limit) {
            return (Refusal.TooManyHolders, rules.holders() + 1, limit, enters);
        }
        return (Refusal.None, holding, 0, enters);
    }

    function _refuse(Move memory move, Refusal refusal, uint256 value, uint256 limit) private view {
        if (refusal == Refusal.SenderBlocked) revert ERC7943CannotSend(move.from);
        if (refusal == Refusal.SenderLocked) {
            revert HoldingRules_Locked(move.from, _recordOf(move.from).investorClass(), limit);
        }
        if (refusal == Refusal.CountryExcluded) revert HoldingRules_CountryExcluded(move.to, uint16(limit));
        if (refusal == Refusal.SenderBelowMinimum) revert HoldingRules_BelowMinimum(move.from, value, limit);
        if (refusal == Refusal.ReceiverBelowMinimum) revert HoldingRules_BelowMinimum(move.to, value, limit);
        if (refusal == Refusal.ReceiverAboveMaximum) revert HoldingRules_AboveMaximum(move.to, value, limit);
        if (refusal == Refusal.TooManyHolders) revert HoldingRules_TooManyHolders(value, limit);
        // ReceiverNotAttested and ReceiverBlocked.
        revert ERC7943CannotReceive(move.to);
    }

    /// @dev What the investor of `wallet` holds in others. One call each, at most MAX_WALLETS_PER_INVESTOR − 1.
    function _heldBesides(address share, address wallet, WalletWord record)
        private
        view
        returns (uint256 held)
    {
        if (!record.has(WalletWordLib.HAS_SIBLINGS)) return 0;
        address[] storage wallets = _walletsOf(record.investorId());
        uint256 count = wallets.length;
        for (uint256 i = 0; i < count; ++i) {
            address other = wallets[i];
            if (other != wallet) held += ILimitedShare(share).balanceOf(other);
        }
    }

    // ------------------------------------------------------------------ changes of the rules

    /// @inheritdoc IHoldingRules
    function scheduleLimits(address share, HoldingLimits calldata limits) external {
        _checkIssuer(share);
        if (limits.maxHolding != 0 && limits.minHolding > limits.maxHolding) {
            revert HoldingRules_LimitsCross(limits.minHolding, limits.maxHolding);
        }
        (RulesWord current, RulesWord next) = (_rules[share], RulesWordLib.pack(limits));
        bool isIssued = ILimitedShare(share).totalSupply() != 0;
        // So that with shares issued lock-ups only ever loosen.
        if (isIssued) _checkLocks(current, next);
        bool isAtOnce = !isIssued || current.loosensTo(next);
        uint256 fromAt = isAtOnce ? block.timestamp : block.timestamp + RULES_NOTICE_SECONDS;

        emit LimitsScheduled(share, msg.sender, limits, fromAt);
        if (isAtOnce) _setLimits(share, next);
        else (_schedules[share].limits, _schedules[share].limitsFromAt) = (next, uint40(fromAt));
    }

    /// @inheritdoc IHoldingRules
    function scheduleCountries(address share, uint16[] calldata countries, bool excluded) external {
        _checkIssuer(share);
        for (uint256 i = 0; i < countries.length; ++i) {
            if (countries[i] == 0 || countries[i] > MAX_COUNTRY) {
                revert HoldingRules_CountryOutOfRange(countries[i], MAX_COUNTRY);
            }
        }
        bool isAtOnce = !excluded || ILimitedShare(share).totalSupply() == 0;
        uint256 fromAt = isAtOnce ? block.timestamp : block.timestamp + RULES_NOTICE_SECONDS;

        emit CountriesScheduled(share, msg.sender, countries, excluded, fromAt);
        if (isAtOnce) _setCountries(share, countries, excluded);
        else (_schedules[share].countries, _schedules[share].countriesFromAt) = (countries, uint40(fromAt));
    }

    /// @inheritdoc IHoldingRules
    function applyRules(address share) external {
        Schedule storage schedule = _schedules[share];
        (uint256 limitsFromAt, uint256 countriesFromAt) = _scheduled(share, schedule);
        bool isLimits = limitsFromAt != 0 && block.timestamp >= limitsFromAt;
        bool isCountries = countriesFromAt != 0 && block.timestamp >= countriesFromAt;
        if (!isLimits && !isCountries) {
            bool isLimitsNext = countriesFromAt == 0 || (limitsFromAt != 0 && limitsFromAt < countriesFromAt);
            revert HoldingRules_TooEarly(isLimitsNext ? limitsFromAt : countriesFromAt);
        }
        if (isLimits) _setLimits(share, schedule.limits);
        if (isCountries) _setCountries(share, schedule.countries, true);
    }

    /// @inheritdoc IHoldingRules
    function withdrawRules(address share) external {
        _checkIssuer(share);
        _scheduled(share, _schedules[share]);
        delete _schedules[share];
        emit RulesWithdrawn(share, msg.sender);
    }

    /// @dev Whatever was scheduled before was meant for other limits than these.
    function _setLimits(address share, RulesWord limits) private {
        RulesWord previous = _rules[share];
        RulesWord rules = previous.withLimits(limits);
        (_schedules[share].limits, _schedules[share].limitsFromAt) = (RulesWord.wrap(0), 0);
        _rules[share] = rules;
        emit LimitsChanged(share, previous.unpack(), rules.unpack());
    }

    function _setCountries(address share, uint16[] memory countries, bool excluded) private {
        delete _schedules[share].countries;
        _schedules[share].countriesFromAt = 0;
        BitMaps.BitMap storage excludedCountries = _excludedCountries[share];
        for (uint256 i = 0; i < countries.length; ++i) {
            if (excludedCountries.get(countries[i]) == excluded) continue;
            excludedCountries.setTo(countries[i], excluded);
            emit CountryExclusionChanged(share, countries[i], excluded);
        }
    }

    function _scheduled(address share, Schedule storage schedule)
        private
        view
        returns (uint256 limitsFromAt, uint256 countriesFromAt)
    {
        (limitsFromAt, countriesFromAt) = (schedule.limitsFromAt, schedule.countriesFromAt);
        if (limitsFromAt == 0 && countriesFromAt == 0) revert HoldingRules_NothingScheduled(share);
    }

    function _checkLocks(RulesWord current, RulesWord next) private pure {
        for (uint8 class = 1; class <= 3; ++class) {
            (uint256 day, uint256 limit) = (next.lockedUntilDay(class), current.lockedUntilDay(class));
            if (day > limit) revert HoldingRules_LockExtended(class, day, limit);
        }
    }

    /// @dev What is no share (no code, another answer) belongs to cluster 0, which is no cluster. A share that names
    ///      somebody else's cluster gives that issuer power over its own rules, and nothing more.
    function _checkIssuer(address share) private view {
        (bool ok, bytes memory answer) = share.staticcall(abi.encodeCall(ILimitedShare.clusterId, ()));
        uint256 id = ok && answer.length == 32 ? abi.decode(answer, (uint256)) : 0;
        _checkPower(Powers.ISSUER, ClusterId.wrap(id > type(uint32).max ? 0 : uint32(id)));
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IHoldingRules
    function canSend(address wallet) external view returns (bool) {
        return !_recordOf(wallet).has(WalletWordLib.BLOCKED);
    }

    /// @inheritdoc IHoldingRules
    function canReceive(address wallet) external view returns (bool) {
        return block.timestamp < _recordOf(wallet).expiresAt();
    }

    /// @inheritdoc IHoldingRules
    function limitsOf(address share) external view returns (HoldingLimits memory) {
        return _rules[share].unpack();
    }

    /// @inheritdoc IHoldingRules
    function scheduledLimits(address share)
        external
        view
        returns (HoldingLimits memory limits, uint256 fromAt)
    {
        Schedule storage schedule = _schedules[share];
        return (schedule.limits.unpack(), schedule.limitsFromAt);
    }

    /// @inheritdoc IHoldingRules
    function scheduledCountries(address share)
        external
        view
        returns (uint16[] memory countries, uint256 fromAt)
    {
        Schedule storage schedule = _schedules[share];
        return (schedule.countries, schedule.countriesFromAt);
    }

    /// @inheritdoc IHoldingRules
    function holdersOf(address share) external view returns (uint256) {
        return _rules[share].holders();
    }

    /// @inheritdoc IHoldingRules
    function isCountryExcluded(address share, uint16 country) external view returns (bool) {
        return _excludedCountries[share].get(country);
    }

    /// @inheritdoc IHoldingRules
    function investorHolding(address share, address wallet) external view returns (uint256) {
        return ILimitedShare(share).balanceOf(wallet) + _heldBesides(share, wallet, _recordOf(wallet));
    }
}
