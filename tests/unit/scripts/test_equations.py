"""The demo's equations: they hold of a sound ending, and each wrong unit breaks one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any, cast

import pytest

from api.chain.views import EARNED_SCALE, AccountState, MeterReading, StreamState, WaterfallState
from api.domain.figures import ClusterFigures
from api.types import Address, ClusterId
from scripts._lib import cast as actors
from scripts._lib.commerce import bill_usd6
from scripts._lib.equations import (
    Ending,
    HolderResult,
    equations_of,
    operating_cost_usd6,
)
from scripts._lib.expected import EpochFigures
from scripts._lib.opening import CUSTOMER_FUNDS_USD6, INFERENCE_FUNDS_USD6, Opened
from scripts._lib.story import Story
from tests.support.sold import INFERENCE_USD6, TRANSFERRED_USD6, sold

EPOCHS = range(480_000, 480_002)
PRICE = 2_350_000
FIGURES = EpochFigures(
    energy_wh=5_000, contracted=28_800, available=28_000, busy=9_000, billable=9_000
)
WATERFALL = Address("0x" + "1" * 40)
SHARE = Address("0x" + "2" * 40)


class Terms:
    """An opened cluster, as far as equations look at it."""

    waterfall, share = WATERFALL, SHARE

    def term(self, field: str) -> int:
        return {
            "gpuCount": 8,
            "gpuMaxPowerWatts": 700,
            "pueBps": 13_000,
            "tariffUsd6PerKwh": 92_900,
            "contractedRateUsd6PerGpuHour": 250_000,
        }[field]


class Told:
    """A story that was told, as far as equations look at it."""

    def __init__(self) -> None:
        self.opened = cast(Opened, Terms())
        self.epochs = EPOCHS
        self.price_usd6 = PRICE
        self.final_cost_usd6 = operating_cost_usd6(self.opened, 2, 10_000)


def sound() -> Ending:
    """Two hours, two of the holders, everything streamed and claimed but fractions of a unit."""
    leases = bill_usd6(18_000, PRICE)
    received = leases + INFERENCE_USD6
    cost = operating_cost_usd6(cast(Opened, Terms()), 2, 10_000)
    reserve = (received - cost) // 20
    holders = received - cost - reserve
    claimed = [holders // 2, holders - holders // 2 - 1]
    accounts, results = {}, []
    for number, holder in enumerate(actors.HOLDERS):
        amount = claimed[number] if number < 2 else 0
        left = EARNED_SCALE // 2 if number < 2 else 0
        accounts[holder.address] = AccountState(100, 0, 0, 0, amount, left, holder.address)
        exact = Fraction(left, EARNED_SCALE) + amount
        results.append(HolderResult(holder.name, holder.address, 100, amount, amount, 0, exact))
    balances = {
        WATERFALL: received - cost - holders,
        SHARE: 1,
        actors.operator().address: cost,
        **{holder.address: accounts[holder.address].claimed_usd6 for holder in actors.HOLDERS},
        **{one.address: CUSTOMER_FUNDS_USD6 - INFERENCE_FUNDS_USD6 for one in actors.DEPOSITORS},
        actors.PAYER_BY_REQUEST.address: CUSTOMER_FUNDS_USD6 - TRANSFERRED_USD6,
    }
    balances[actors.CUSTOMERS[0].address] -= leases
    figures = ClusterFigures(ClusterId(1), 5_000, 28_800, 28_000, 9_000, 9_000)
    return Ending(
        at=EPOCHS[-1] * 3_600 + 7_200,
        waterfall=WaterfallState(
            received, 0, cost, cost, cost, 0, 0, 0, 0, reserve, 0, holders, holders
        ),
        stream=StreamState(holders, 0, 0, 0, 0, 0),
        accounts=accounts,
        reading=MeterReading(EPOCHS[-1], 10_000, 57_600, 56_000, 18_000),
        figures=dict.fromkeys(EPOCHS, figures),
        counted=dict.fromkeys(EPOCHS, 1),
        holders=tuple(results),
        distributions=2,
        supply=600,
        balances=balances,
        sales=sold(leases),
    )


def failing(end: Ending, told: Told | None = None) -> set[str]:
    """The equations that do not hold."""
    story = cast(Story, told or Told())
    equations = equations_of(story, end, dict.fromkeys(EPOCHS, FIGURES))
    assert len(equations) == 39
    assert len({one.text for one in equations}) == 39
    return {one.text for one in equations if not one.holds}


def test_equations_of__a_sound_ending__all_hold() -> None:
    assert failing(sound()) == set()


def _with(part: str, **changes: Any) -> Callable[[Ending], Ending]:
    return lambda end: replace(end, **{part: replace(getattr(end, part), **changes)})


def _more(part: str, field: str, by: int = 1) -> Callable[[Ending], Ending]:
    return lambda end: _with(part, **{field: getattr(getattr(end, part), field) + by})(end)


def _richer(owner: Address) -> Callable[[Ending], Ending]:
    return lambda end: replace(end, balances={**end.balances, owner: end.balances[owner] + 1})


def _account(**changes: Any) -> Callable[[Ending], Ending]:
    holder = actors.HOLDERS[0].address
    return lambda end: replace(
        end, accounts={**end.accounts, holder: replace(end.accounts[holder], **changes)}
    )


def _leases(end: Ending) -> Ending:
    sales = end.sales
    income = replace(sales.income, leases_usd6=sales.income.leases_usd6 + 1)
    return replace(end, sales=replace(sales, income=income))


@pytest.mark.parametrize(
    ("tamper", "broken"),
    [
        (_more("waterfall", "received"), "received = operator"),
        (_more("waterfall", "received"), "received = leases + inference"),
        (_leases, "income of leases"),
        (_leases, "what left the customers"),
        (lambda end: replace(end, sales=replace(end.sales, bills=())), "answered and paid"),
        (_more("waterfall", "undistributed"), "received = operator"),
        (_more("waterfall", "operator_paid"), "stablecoin in the waterfall"),
        (_more("waterfall", "holders_streamed"), "holders' part"),
        (_more("stream", "funded_usd6"), "passed to the stream"),
        (_more("stream", "index_remainder"), "funded = claimed"),
        (_more("stream", "unstreamed"), "still to stream"),
        (_more("reading", "contracted_gpu_seconds"), "contracted GPU-seconds"),
        (_more("reading", "available_gpu_seconds"), "available GPU-seconds"),
        (_more("reading", "billable_gpu_seconds"), "billable GPU-seconds"),
        (_more("reading", "energy_wh"), "modelled energy"),
        (_richer(WATERFALL), "stablecoin in the waterfall"),
        (_richer(SHARE), "stablecoin in the share"),
        (_richer(actors.HOLDERS[3].address), "stablecoin of the holders"),
        (_richer(actors.operator().address), "stablecoin of the operator"),
        (_richer(actors.CUSTOMERS[2].address), "what left the customers"),
        (_account(balance=101), "shares in issue"),
        (_account(earned=EARNED_SCALE), "most that is left"),
        (_account(earned=0), "funded = claimed"),
        (lambda end: replace(end, counted={EPOCHS[0]: 1}), "Final exactly once"),
        (lambda end: replace(end, counted={**end.counted, 1: 1}), "Final in all"),
        (lambda end: replace(end, counted=dict.fromkeys(EPOCHS, 2)), "Final exactly once"),
        (
            lambda end: replace(
                end,
                figures={
                    **end.figures,
                    EPOCHS[1]: replace(end.figures[EPOCHS[1]], busy_gpu_seconds=9_001),
                },
            ),
            "every figure",
        ),
        (
            lambda end: replace(
                end,
                holders=(replace(end.holders[0], exact=end.holders[0].exact + 1), *end.holders[1:]),
            ),
            "exact model",
        ),
    ],
)
def test_equations_of__one_unit_wrong__fails(
    tamper: Callable[[Ending], Ending], broken: str
) -> None:
    assert any(broken in text for text in failing(tamper(sound())))


def test_equations_of__the_cost_is_a_unit_off__fails() -> None:
    told = Told()
    told.final_cost_usd6 += 1
    (text,) = failing(sound(), told)
    assert "operator's cost" in text


def test_operating_cost_usd6__by_hand__power_and_rate() -> None:
    # 8 GPUs for 2 hours at $0.25, and 10 kWh × 1.3 × $0.0929.
    cost = operating_cost_usd6(cast(Opened, Terms()), 2, 10_000)
    assert cost == 4_000_000 + 10 * 13 * 92_900 // 10


def test_operating_cost_usd6__impossible_energy__capped_at_the_maximum() -> None:
    opened = cast(Opened, Terms())
    most = 8 * 700 * 2
    assert operating_cost_usd6(opened, 2, most) == operating_cost_usd6(opened, 2, 10 * most)
