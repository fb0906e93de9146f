"""The limits of a share on its holders: what is in force, what is scheduled, and changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib.deployment import System
from scripts._lib.money import shares
from scripts._lib.operations import share_of
from scripts._lib.times import utc

DAY = 86_400
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
    is issued."""
    share = share_of(system, cluster_id)
    if change.limits_differ:
        now = system.identity.limitsOf(share)
        system.identity.scheduleLimits(share, _changed(now, change), sender=issuer)
    if change.excluded:
        system.identity.scheduleCountries(share, list(change.excluded), True, sender=issuer)
    if change.admitted:
        system.identity.scheduleCountries(share, list(change.admitted), False, sender=issuer)


def _changed(now: Any, change: Change) -> dict[str, Any]:
    def chosen(value: int | None, present: int) -> int:
        return int(present) if value is None else value

    locks = [
        int(day) if change.locked_until.get(name) is None else -(-_locked(change, name) // DAY)
        for name, day in zip(CLASSES, now.lockedUntilDay, strict=True)
    ]
    excludes = now.excludesCountries if change.excludes_countries is None else True
    return {
        "minHolding": chosen(change.min_holding, now.minHolding),
        "maxHolding": chosen(change.max_holding, now.maxHolding),
        "maxHolders": chosen(change.max_holders, now.maxHolders),
        "lockedUntilDay": locks,
        "excludesCountries": excludes,
    }


def _locked(change: Change, name: str) -> int:
    return change.locked_until[name] or 0


def apply(system: System, cluster_id: int, sender: AccountAPI) -> None:
    """Put in force what was scheduled and whose notice is over."""
    system.identity.applyRules(share_of(system, cluster_id), sender=sender)


def withdraw(system: System, cluster_id: int, issuer: AccountAPI) -> None:
    """Withdraw what was scheduled."""
    system.identity.withdrawRules(share_of(system, cluster_id), sender=issuer)


def in_words(system: System, cluster_id: int) -> Iterator[str]:
    """What is in force and what is scheduled, line by line."""
    share = share_of(system, cluster_id)
    holders = int(system.identity.holdersOf(share))
    yield f"{holders} investors hold cluster {cluster_id}"
    yield f"in force: {_words(system.identity.limitsOf(share))}{_countries(system, share)}"
    limits, limits_at = system.identity.scheduledLimits(share)
    if limits_at:
        yield f"from {utc(int(limits_at))}, by --apply: {_words(limits)}"
    countries, countries_at = system.identity.scheduledCountries(share)
    if countries_at:
        named = ", ".join(str(country) for country in countries)
        yield f"from {utc(int(countries_at))}, by --apply: countries {named} excluded"


def _words(limits: Any) -> str:
    parts = []
    if limits.minHolding:
        parts.append(f"at least {shares(int(limits.minHolding))} shares an investor")
    if limits.maxHolding:
        parts.append(f"at most {shares(int(limits.maxHolding))} shares an investor")
    if limits.maxHolders:
        parts.append(f"at most {int(limits.maxHolders)} investors")
    for name, day in zip(CLASSES, limits.lockedUntilDay, strict=True):
        if day:
            parts.append(f"{name} locked until {utc(int(day) * DAY)}")
    if limits.excludesCountries:
        parts.append("countries excluded")
    return "; ".join(parts) or "no limits"


def _countries(system: System, share: ContractInstance) -> str:
    excluded = (
        [
            str(country)
            for country in range(1, 1000)
            if system.identity.isCountryExcluded(share, country)
        ]
        if system.identity.limitsOf(share).excludesCountries
        else []
    )
    return f": {', '.join(excluded)}" if excluded else ""
