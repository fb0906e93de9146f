"""A cluster's hours: who is related when, what is summed, which hours are told."""

from __future__ import annotations

import pytest

from api.domain.figures import ClusterFigures
from api.domain.quality import Hour, Payment, Relation, hours_of
from api.types import Address, ClusterId, Epoch

RELATED = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
OTHER = Address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
EPOCHS = [Epoch(epoch) for epoch in (12, 11, 10)]
FIGURES = ClusterFigures(ClusterId(1), 400, 3_600, 3_000, 2_500, 1_800)


@pytest.mark.parametrize(
    ("payer", "epoch", "last", "is_covered"),
    [
        (RELATED, 9, 11, False),
        (RELATED, 10, 11, True),
        (RELATED, 11, 11, True),
        (RELATED, 12, 11, False),
        (RELATED, 10**6, None, True),
        (OTHER, 10, None, False),
        (None, 10, None, False),
    ],
)
def test_covers__at_the_ends_of_a_relation__both_are_included(
    payer: Address | None, epoch: int, last: int | None, is_covered: bool
) -> None:
    relation = Relation(RELATED, Epoch(10), None if last is None else Epoch(last))
    assert relation.covers(Payment(Epoch(epoch), payer, 1)) is is_covered


def test_hours_of__payments_of_all_kinds__are_summed_by_hour() -> None:
    payments = [
        Payment(Epoch(11), RELATED, 5),
        Payment(Epoch(11), OTHER, 7),
        Payment(Epoch(11), None, 2),
        Payment(Epoch(10), RELATED, 1),
        Payment(Epoch(9), RELATED, 100),
    ]
    # Declared twice over: what is related is so once.
    relations = [Relation(RELATED, Epoch(11), Epoch(11)), Relation(RELATED, Epoch(11), None)]

    found = hours_of(EPOCHS, Epoch(10), {Epoch(11): FIGURES}, payments, relations)

    assert found == [
        Hour(Epoch(12)),
        Hour(Epoch(11), 2_500, 1_800, 14, 5, 2),
        Hour(Epoch(10), None, None, 1, 0, 0),
    ]
    assert [hour.leaked_gpu_seconds for hour in found] == [None, 700, None]


def test_hours_of__many_are_declared__a_payer_is_held_against_his_own_relations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held: list[Relation] = []
    covers = Relation.covers

    def counted(relation: Relation, payment: Payment) -> bool:
        held.append(relation)
        return covers(relation, payment)

    monkeypatch.setattr(Relation, "covers", counted)
    others = [Relation(Address(f"0x{number:040x}"), Epoch(0), None) for number in range(1, 100)]
    payments = [Payment(Epoch(11), RELATED, 5), Payment(Epoch(11), None, 2)]

    found = hours_of(EPOCHS, Epoch(10), {}, payments, [*others, Relation(RELATED, Epoch(11), None)])

    assert found[1].related_usd6 == 5
    assert {one.account for one in held} == {RELATED}


def test_hours_of__before_the_first_hour__those_alone_in_which_something_was_paid() -> None:
    payments = [Payment(Epoch(10), OTHER, 1)]
    found = hours_of(EPOCHS, Epoch(12), {}, payments, [])
    assert [hour.epoch for hour in found] == [12, 10]


def test_to_json__an_hour__has_its_bounds_and_amounts_as_strings() -> None:
    assert Hour(Epoch(2), 9, 4, 2**60, 1).to_json() == {
        "epoch": 2,
        "from": 7_200,
        "to": 10_800,
        "busyGpuSeconds": 9,
        "billableGpuSeconds": 4,
        "leakedGpuSeconds": 5,
        "paidUsd6": str(2**60),
        "relatedUsd6": "1",
        "unknownUsd6": "0",
    }
