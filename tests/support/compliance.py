"""Rules on holders, for tests: limits, refusals, and shares that only ask the rules."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import ape
from ape import chain
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance
from ape.utils import ZERO_ADDRESS
from eth_utils.address import to_checksum_address

from tests.support.scenario import travel_to

DAY_SECONDS = 86_400
NOTICE_SECONDS = 7 * DAY_SECONDS

Limits = dict[str, Any]


class Refusal(IntEnum):
    """IHoldingRules.Refusal."""

    NONE = 0
    SENDER_BLOCKED = 1
    SENDER_LOCKED = 2
    RECEIVER_NOT_ATTESTED = 3
    RECEIVER_BLOCKED = 4
    COUNTRY_EXCLUDED = 5
    SENDER_BELOW_MINIMUM = 6
    RECEIVER_BELOW_MINIMUM = 7
    RECEIVER_ABOVE_MAXIMUM = 8
    TOO_MANY_HOLDERS = 9


def limits(**changes: Any) -> Limits:
    """IHoldingRules.HoldingLimits, without a limit but those that are given."""
    none: Limits = {
        "minHolding": 0,
        "maxHolding": 0,
        "maxHolders": 0,
        "lockedUntilDay": [0, 0, 0],
        "excludesCountries": False,
    }
    unknown = changes.keys() - none.keys()
    if unknown:
        raise KeyError(f"HoldingLimits has no {sorted(unknown)}")
    return none | changes


def as_limits(answer: Any) -> Limits:
    """HoldingLimits as a view or an event gives them."""
    found = dict(zip(limits(), tuple(answer), strict=True))
    return found | {"lockedUntilDay": list(found["lockedUntilDay"])}


def wallet_number(number: int) -> str:
    """The address of a wallet that nobody has the key of."""
    return str(to_checksum_address(f"0x{number:040x}"))


SECOND_WALLET = wallet_number(0xA2)
OTHER_SECOND_WALLET = wallet_number(0xB2)
NEWCOMER = wallet_number(0xC1)
THIRD_PARTY = wallet_number(0xD1)
NO_ONE = wallet_number(0xDEAD)

NETHERLANDS, USA = 528, 840


def today() -> int:
    """The day of the next block, were it mined now: Unix time / 86,400."""
    return int(chain.pending_timestamp) // DAY_SECONDS


@dataclass(frozen=True)
class LimitedShare:
    """A TestLimitedShare, the rules that it asks, and who sets them."""

    token: ContractInstance
    rules: ContractInstance
    cluster_id: int
    issuer: AccountAPI

    def counted(self, receipt: ReceiptAPI) -> list[int]:
        """The numbers of holders that a transaction announced."""
        events = receipt.decode_logs(self.rules.HoldersChanged)
        assert all(event.share == self.token.address for event in events)
        return [event.holders for event in events]

    def set_limits(self, **changes: Any) -> None:
        """Put limits in force, whatever notice that takes: a chain that holds shares travels."""
        receipt = self.rules.scheduleLimits(self.token, limits(**changes), sender=self.issuer)
        self._put_in_force(self.rules.scheduledLimits(self.token).fromAt, receipt)

    def exclude(self, *countries: int) -> None:
        """Exclude countries, whatever notice that takes."""
        receipt = self.rules.scheduleCountries(
            self.token, list(countries), True, sender=self.issuer
        )
        self._put_in_force(self.rules.scheduledCountries(self.token).fromAt, receipt)

    def _put_in_force(self, from_at: int, receipt: ReceiptAPI) -> None:
        if from_at > receipt.timestamp:
            travel_to(from_at)
            self.rules.applyRules(self.token, sender=self.issuer)

    def issue(self, to: AccountAPI | str, amount: int) -> ReceiptAPI:
        return self.move(ZERO_ADDRESS, to, amount)

    def burn(self, of: AccountAPI | str, amount: int) -> ReceiptAPI:
        return self.move(of, ZERO_ADDRESS, amount)

    def move(
        self, giver: AccountAPI | str, to: AccountAPI | str, amount: int, forced: bool = False
    ) -> ReceiptAPI:
        """A move that goes through, and of which nothing else was foretold."""
        if not forced:
            assert self.refusal(giver, to, amount) == (Refusal.NONE, 0)
        receipt: ReceiptAPI = self.token.move(giver, to, amount, forced, sender=self.issuer)
        return receipt

    def refusal(
        self, giver: AccountAPI | str, to: AccountAPI | str, amount: int
    ) -> tuple[Refusal, int]:
        """Why the rules say that a move would be refused, and the value that is in the way."""
        refusal, limit = self.token.refusalOf(giver, to, amount)
        return Refusal(refusal), int(limit)

    def see_refused(
        self,
        giver: AccountAPI | str,
        to: AccountAPI | str,
        amount: int,
        foretold: tuple[Refusal, int],
        error: Any,
        **values: Any,
    ) -> None:
        """A move is refused with `error` and its `values`, and `foretold` is why."""
        assert self.refusal(giver, to, amount) == foretold
        self.see_force_refused(giver, to, amount, error, forced=False, **values)

    def see_force_refused(
        self,
        giver: AccountAPI | str,
        to: AccountAPI | str,
        amount: int,
        error: Any,
        forced: bool = True,
        **values: Any,
    ) -> None:
        """A move by order is refused; nothing foretells those."""
        with ape.reverts(error, **values):
            self.token.move(giver, to, amount, forced, sender=self.issuer)

    def holders(self) -> int:
        return int(self.rules.holdersOf(self.token))
