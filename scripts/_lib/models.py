"""Registered models and their royalties."""

from __future__ import annotations

from collections.abc import Iterator

from ape.api import AccountAPI

from api.domain.work import model_id_of
from api.types import Address, Digest
from scripts._lib.deployment import System
from scripts._lib.events import newest_first
from scripts._lib.money import exact_dollars, percent
from scripts._lib.operations import events_of
from scripts._lib.record import Record
from scripts._lib.times import utc

BPS = 10_000


def register(
    system: System, name: str, pay_to: str, royalty_bps: int, weights: bytes, owner: AccountAPI
) -> Digest:
    """Register a model of the owner; its id."""
    system.models.register(name, pay_to, royalty_bps, weights, sender=owner)
    return model_id_of(Address(str(owner.address)), name)


def is_registered(record: Record, system: System, name: str, owner: Address) -> bool:
    """Whether the owner has registered a model of that name."""
    told = newest_first(
        "ModelRegistry",
        str(system.models.address),
        ["ModelRegistered"],
        from_block=record.deployment.contracts["ModelRegistry"].block,
        first_indexed=int.from_bytes(model_id_of(owner, name)),
    )
    return any(told)


def pay_out(system: System, pay_to: str, sender: AccountAPI) -> int:
    """Pay an account the royalties that it is owed; how much, which may be nothing."""
    if not int(system.payments.royaltyOwedUsd6(pay_to)):
        return 0
    receipt = system.payments.payRoyalty(pay_to, sender=sender)
    return int(events_of(system.payments, receipt, "RoyaltyPaid")[-1].amountUsd6)


def earned_usd6(record: Record, system: System, model_id: bytes) -> int:
    """All royalties that a model ever brought, paid or owed."""
    return sum(
        int(event.fields["amountUsd6"])
        for event in newest_first(
            "InferencePayments",
            str(system.payments.address),
            ["RoyaltyAllocated"],
            from_block=record.deployment.contracts["InferencePayments"].block,
            first_indexed=int.from_bytes(model_id),
        )
    )


def in_words(record: Record, system: System, owner: str, name: str) -> Iterator[str]:
    """A model, a line for each thing. Raises ape's error for one that nobody registered."""
    model_id = model_id_of(Address(owner), name)
    model = system.models.model(model_id)
    yield f"{name} of {model.owner}: 0x{model_id.hex()}"
    words = f"asks {percent(int(model.royaltyBps), BPS)}"
    if int(model.nextRoyaltyBps) != int(model.royaltyBps):
        words += f", from {utc(int(model.nextFrom))} on {percent(int(model.nextRoyaltyBps), BPS)}"
    yield words
    earned = exact_dollars(earned_usd6(record, system, model_id))
    owed = exact_dollars(int(system.payments.royaltyOwedUsd6(model.payTo)))
    yield f"has earned {earned}; {model.payTo} is owed {owed}"
