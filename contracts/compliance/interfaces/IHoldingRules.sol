// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMoveRefusals} from "./IMoveRefusals.sol";

/// @notice What one share asks of its holders. Limits count investors, over all their wallets; 0 is no limit.
/// @param minHolding Least that an investor may hold unless it is nothing, in the share's smallest unit. Nobody is
///        kept from selling all they have in a wallet that is their only one.
/// @param maxHolding Most that one investor may hold, in the share's smallest unit.
/// @param maxHolders Most investors that may hold at a time.
/// @param lockedUntilDay Day (Unix time / 86,400) from whose start investors of class 1, 2 and 3 may send.
/// @param excludesCountries Whether `isCountryExcluded` is asked for a receiver.
struct HoldingLimits {
    uint64 minHolding;
    uint64 maxHolding;
    uint32 maxHolders;
    uint16[3] lockedUntilDay;
    bool excludesCountries;
}

/// @notice Why shares cannot move; None if they can.
enum Refusal {
    None,
    SenderBlocked,
    SenderLocked,
    ReceiverNotAttested,
    ReceiverBlocked,
    CountryExcluded,
    SenderBelowMinimum,
    ReceiverBelowMinimum,
    ReceiverAboveMaximum,
    TooManyHolders
}

/// @title HoldingRules
/// @notice Limits of one share on who holds how much of it, kept by share address: a share is asked about itself
///         alone, and nobody else can move its count of holders.
/// @dev A change that may keep somebody from what they may do today acts after RULES_NOTICE_SECONDS, so that a holder
///      can see it and leave; while nothing is issued, and when it only loosens, at once. A lock-up is never put on
///      or made longer while shares exist.
interface IHoldingRules is IMoveRefusals {
    /// @notice `limits` will be in force for `share` from `fromAt`.
    event LimitsScheduled(
        address indexed share, address indexed issuer, HoldingLimits limits, uint256 fromAt
    );
    /// @notice `limits` are in force for `share`.
    event LimitsChanged(address indexed share, HoldingLimits previous, HoldingLimits limits);
    /// @notice `countries` will be excluded from, or admitted to, `share` from `fromAt`.
    event CountriesScheduled(
        address indexed share, address indexed issuer, uint16[] countries, bool excluded, uint256 fromAt
    );
    /// @notice Investors of `country` are excluded from receiving `share`, or no longer.
    event CountryExclusionChanged(address indexed share, uint16 indexed country, bool excluded);
    /// @notice Nothing is scheduled for `share` any more.
    event RulesWithdrawn(address indexed share, address indexed issuer);
    /// @notice `holders` investors hold `share` now.
    event HoldersChanged(address indexed share, uint256 holders);

    /// @notice ERC-7943: `account` may not send, or may not receive.
    error ERC7943CannotSend(address account);
    error ERC7943CannotReceive(address account);
    /// @notice A lock-up of class `investorClass` would end on day `day`, later than on `limit`, with shares issued.
    error HoldingRules_LockExtended(uint8 investorClass, uint256 day, uint256 limit);
    /// @notice `minimum` is above `maximum`.
    error HoldingRules_LimitsCross(uint256 minimum, uint256 maximum);
    error HoldingRules_CountryOutOfRange(uint16 country, uint16 limit);
    error HoldingRules_NothingScheduled(address share);
    /// @notice The scheduled change acts from `fromAt`.
    error HoldingRules_TooEarly(uint256 fromAt);

    /// @notice Put `limits` in force for `share`: at once if that only loosens or nothing is issued, after
    ///         RULES_NOTICE_SECONDS otherwise, by `applyRules`. Replaces the limits that were scheduled. For the ISSUER of the
    ///         share's cluster. The holders are counted from the first issue on, whether limited or not.
    function scheduleLimits(address share, HoldingLimits calldata limits) external;

    /// @notice Exclude receivers of `countries` (ISO 3166-1 numeric) after RULES_NOTICE_SECONDS (at once while nothing is
    ///         issued), or admit them again at once. Replaces the countries that were scheduled. For the ISSUER of the
    ///         share's cluster.
    function scheduleCountries(address share, uint16[] calldata countries, bool excluded) external;

    /// @notice Put in force what was scheduled, limits and countries, as far as its notice is over. Open to all.
    function applyRules(address share) external;

    /// @notice Withdraw all that was scheduled for `share`. For the ISSUER of the share's cluster.
    function withdrawRules(address share) external;

    /// @notice Check a move of the caller's shares and count its holders; called by a share before its balances change.
    /// @param from Sender; the zero address when shares are issued.
    /// @param to Receiver; the zero address when shares are burnt.
    /// @param amount What moves, in the share's smallest unit.
    /// @param fromBalance Balance of the sender before.
    /// @param toBalance Balance of the receiver before.
    /// @param forced Whether an order moves the shares: then nothing is asked of the sender.
    function beforeMove(
        address from,
        address to,
        uint256 amount,
        uint256 fromBalance,
        uint256 toBalance,
        bool forced
    ) external;

    /// @notice Why `beforeMove` would refuse an unforced move of `share` now, and the value that is in the way: the
    ///         second until which the sender is locked, the country, the limit, or 0.
    function refusalOf(
        address share,
        address from,
        address to,
        uint256 amount,
        uint256 fromBalance,
        uint256 toBalance
    ) external view returns (Refusal refusal, uint256 limit);

    /// @notice Whether `wallet` may send any share: it was not blocked.
    function canSend(address wallet) external view returns (bool);

    /// @notice Whether `wallet` may receive some share at this second: it is attested and not blocked. One storage read.
    function canReceive(address wallet) external view returns (bool);

    function limitsOf(address share) external view returns (HoldingLimits memory);

    /// @notice The scheduled limits; `fromAt` is 0 when there are none.
    function scheduledLimits(address share)
        external
        view
        returns (HoldingLimits memory limits, uint256 fromAt);

    /// @notice The countries that are to be excluded; `fromAt` is 0 when there are none.
    function scheduledCountries(address share)
        external
        view
        returns (uint16[] memory countries, uint256 fromAt);

    /// @notice Investors that hold `share`.
    function holdersOf(address share) external view returns (uint256);

    function isCountryExcluded(address share, uint16 country) external view returns (bool);

    /// @notice What the investor of `wallet` holds of `share` over all their wallets; of a wallet that was never
    ///         attested its own balance.
    function investorHolding(address share, address wallet) external view returns (uint256);
}
