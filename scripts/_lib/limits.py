"""The limits of a share on its holders: what is in force, what is scheduled, and changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ape.api import AccountAPI

from api.errors import OutOfRange
from scripts._lib.deployment import System
from scripts._lib.events import newest_first
from scripts._lib.money import shares
from scripts._lib.operations import share_of
from scripts._lib.record import Record
from scripts._lib.times import utc

DAY = 86_400
MAX_DAY = 2**16 - 1
"""The last day, counted from 1970, until which the contract can lock shares: in 2149."""
MAX_HOLDING = 2**64 - 1
CLASSES = ("retail", "professional", "institution")


@dataclass(frozen=True)
class Change:
    """What is to be different; None stays as it is. Shares in the smallest unit, locks in Unix
    seconds (rounded up to a day), countries by ISO 3166-1 number."""

    min_holding: int | None = None
    max_holding: int | None = None
    max_holders: int | None = None
    locked_until: Mapping[str, int | None] = field(default_factory=dict)
    excludes_countries: bool | None = None
    excluded: Sequence[int] = ()
    admitted: Sequence[int] = ()

    @property
    def limits_differ(self) -> bool:
        named = (self.min_holding, self.max_holding, self.max_holders, self.excludes_countries)
        return any(value is not None for value in (*named, *self.locked_until.values()))

    @property
    def is_any(self) -> bool:
        return self.limits_differ or bool(self.excluded) or bool(self.admitted)


def schedule(system: System, cluster_id: int, change: Change, issuer: AccountAPI) -> None:
    """Schedule a change; the contract puts it in force at once where it only loosens or nothing
    is issued.

    What was scheduled before and is not named stays scheduled, if with notice anew: the contract
    keeps one schedule of limits and one of countries. Raises InvalidInput for a lock-up too late
    for it, or a number too large.
    """
    share = share_of(system, cluster_id)
    pending, limits_at = system.identity.scheduledLimits(share)
    base = _fields(pending if limits_at else system.identity.limitsOf(share))
    limits = _changed(base, change)
    if limits != base:
        system.identity.scheduleLimits(share, limits, sender=issuer)
    scheduled, _ = system.identity.scheduledCountries(share)
    if change.admitted:
        # First: to admit a country drops what was scheduled.
        system.identity.scheduleCountries(share, list(change.admitted), False, sender=issuer)
    if change.excluded or (change.admitted and scheduled):
        excluded = sorted({*map(int, scheduled), *change.excluded} - {*change.admitted})
        if excluded:
            system.identity.scheduleCountries(share, excluded, True, sender=issuer)


def _fields(limits: Any) -> dict[str, Any]:
    """HoldingLimits by name: ape names the fields of a struct only where it is all that is
    returned."""
    minimum, maximum, holders, locks, excludes = (limits[index] for index in range(5))
    return {
        "minHolding": int(minimum),
        "maxHolding": int(maximum),
        "maxHolders": int(holders),
        "lockedUntilDay": [int(day) for day in locks],
        "excludesCountries": bool(excludes),
    }


def _changed(base: dict[str, Any], change: Change) -> dict[str, Any]:
    named = {
        "minHolding": _at_most(MAX_HOLDING, change.min_holding, "least holding"),
        "maxHolding": _at_most(MAX_HOLDING, change.max_holding, "most holding"),
        "maxHolders": change.max_holders,
        "excludesCountries": change.excludes_countries,
    }
    locks = {
        name: day if change.locked_until.get(name) is None else _day(change.locked_until[name])
        for name, day in zip(CLASSES, base["lockedUntilDay"], strict=True)
    }
    changes = {name: value for name, value in named.items() if value is not None}
    return base | changes | {"lockedUntilDay": list(locks.values())}


def _day(moment: int | None) -> int | None:
    return _at_most(MAX_DAY, None if moment is None else -(-moment // DAY), "day of a lock-up")


def _at_most(limit: int, value: int | None, name: str) -> int | None:
    if value is not None and value > limit:
        raise OutOfRange(name, value, 0, limit)
    return value


def apply(system: System, cluster_id: int, sender: AccountAPI) -> None:
    """Put in force what was scheduled and whose notice is over."""
    system.identity.applyRules(share_of(system, cluster_id), sender=sender)


def withdraw(system: System, cluster_id: int, issuer: AccountAPI) -> None:
    """Withdraw what was scheduled."""
    system.identity.withdrawRules(share_of(system, cluster_id), sender=issuer)


def in_words(record: Record, cluster_id: int) -> Iterator[str]:
    """What is in force and what is scheduled, line by line."""
    system = record.system()
    share = share_of(system, cluster_id)
    holders = int(system.identity.holdersOf(share))
    yield f"{holders} investors hold cluster {cluster_id}"
    limits = _fields(system.identity.limitsOf(share))
    excluded = _excluded(record, share.address) if limits["excludesCountries"] else []
    yield f"in force: {_words(limits)}{_named(excluded)}"
    scheduled, limits_at = system.identity.scheduledLimits(share)
    if limits_at:
        yield f"from {utc(int(limits_at))}, by --apply: {_words(_fields(scheduled))}"
    countries, countries_at = system.identity.scheduledCountries(share)
    if countries_at:
        named = ", ".join(str(country) for country in countries)
        yield f"from {utc(int(countries_at))}, by --apply: countries {named} excluded"


def _words(limits: Mapping[str, Any]) -> str:
    parts = []
    if limits["minHolding"]:
        parts.append(f"at least {shares(limits['minHolding'])} shares an investor")
    if limits["maxHolding"]:
        parts.append(f"at most {shares(limits['maxHolding'])} shares an investor")
    if limits["maxHolders"]:
        parts.append(f"at most {limits['maxHolders']} investors")
    for name, day in zip(CLASSES, limits["lockedUntilDay"], strict=True):
        if day:
            parts.append(f"{name} locked until {utc(day * DAY)}")
    if limits["excludesCountries"]:
        parts.append("countries excluded")
    return "; ".join(parts) or "no limits"


def _excluded(record: Record, share: str) -> list[int]:
    """The countries excluded now, from the events: the contract lists none."""
    found: dict[int, bool] = {}
    for event in newest_first(
        "IdentityRegistry",
        record.system().identity.address,
        ["CountryExclusionChanged"],
        from_block=record.deployment.contracts["IdentityRegistry"].block,
        first_indexed=share,
    ):
        found.setdefault(int(event.fields["country"]), bool(event.fields["excluded"]))
    return sorted(country for country, excluded in found.items() if excluded)


def _named(countries: Sequence[int]) -> str:
    return f": {', '.join(map(str, countries))}" if countries else ""
