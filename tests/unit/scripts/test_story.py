"""What holders and customers do in the demo, planned."""

from __future__ import annotations

from collections.abc import Awaitable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.chain.client import ChainClient
from api.chain.views import IncomeKind, MeterReading
from api.types import LOCAL_CHAIN_ID, Address, ClusterId
from scripts._lib import cast as actors
from scripts._lib.buyers import Buyers
from scripts._lib.commerce import Commerce, bill_usd6
from scripts._lib.local_chain import LocalChain
from scripts._lib.opening import ALLOCATIONS, Opened
from scripts._lib.recorded_requests import RequestPlan
from scripts._lib.story import Story

FIRST = 480_000


class Ledger:
    """A chain that books what is sent to it: (sender, calldata)."""

    def __init__(self) -> None:
        self.client = ChainClient("http://127.0.0.1:1", chain_id=LOCAL_CHAIN_ID)
        self.sent: list[tuple[Address, bytes]] = []

    async def send(self, signer: Any, to: Address, data: bytes) -> None:
        self.sent.append((signer.address, data))

    async def patiently(self, ask: Any) -> Any:
        answer = ask()
        return await answer if isinstance(answer, Awaitable) else answer


def opened() -> Opened:
    place = Address("0x" + "3" * 40)
    return cast(
        Opened,
        SimpleNamespace(
            cluster_id=ClusterId(1), oracle=place, share=place, waterfall=place, stablecoin=place
        ),
    )


def story(epochs: int, ledger: Ledger) -> Story:
    return Story(
        opened=opened(),
        chain=cast(LocalChain, ledger),
        buyers=cast(Buyers, None),
        plan=RequestPlan("a.csv", ((),) * epochs, 0, 0),
        price_usd6=2_350_000,
        epochs=range(FIRST, FIRST + epochs),
        samples=1_000,
        on_epoch=lambda _: None,
    )


@pytest.mark.parametrize("epochs", [1, 2, 3, 8, 23, 720])
async def test_agenda__a_trace_of_any_length__in_order_and_covered(epochs: int) -> None:
    ledger = Ledger()
    acts = story(epochs, ledger)._agenda
    assert [act.at for act in acts] == sorted(act.at for act in acts)
    # After the first hour, when income streams; and early enough for the days after the trace.
    assert acts[0].at > (FIRST + 1) * 3_600
    assert acts[-1].at < (FIRST + max(epochs, 2) + 1) * 3_600
    trades = [act for act in acts if "sells" in act.words]
    for act in trades:
        await act.perform()
    balances = dict(
        zip((holder.address for holder in actors.HOLDERS), [*ALLOCATIONS, 0], strict=True)
    )
    for sender, data in ledger.sent:
        balances[sender] -= int.from_bytes(data[-32:], "big")
        assert balances[sender] >= 0
    assert len(ledger.sent) == len(trades) == 3


def test_bill_usd6__billable_seconds__rounded_down() -> None:
    assert bill_usd6(3_600, 2_350_000) == 2_350_000
    assert bill_usd6(1, 2_350_000) == 652
    assert bill_usd6(0, 2_350_000) == 0


async def test_pay__bill_after_bill__the_sum_is_that_of_one_bill() -> None:
    ledger = Ledger()
    commerce = Commerce(opened(), cast(LocalChain, ledger), 2_350_000)
    for epoch, billable in enumerate((1, 2, 3, 3, 1_000_001), start=FIRST):
        await commerce.pay(MeterReading(epoch, 0, 0, 0, billable))
        assert commerce.paid_usd6 == bill_usd6(billable, 2_350_000)
    amounts = [int.from_bytes(data[36:68], "big") for _, data in ledger.sent]
    assert all(amounts)
    assert sum(amounts) == commerce.paid_usd6
    # By the inference is paid elsewhere: these are leases.
    assert {int.from_bytes(data[68:100], "big") for _, data in ledger.sent} == {IncomeKind.LEASE}
