"""The demo's equations of inference: they hold of sound sales, and each wrong unit breaks one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from api.domain.prices import Price
from scripts._lib import cast as actors
from scripts._lib.buyers import Charged
from scripts._lib.sales import Sales, equations_of_sales, summary_of_sales
from tests.support.sold import INFERENCE_USD6, TRANSFERRED_USD6, proven, sold


def failing(sales: Sales) -> set[str]:
    """The equations that do not hold."""
    return {one.text for one in equations_of_sales(sales) if not one.holds}


def _income(**changes: int) -> Callable[[Sales], Sales]:
    def tamper(sales: Sales) -> Sales:
        more = {name: getattr(sales.income, name) + by for name, by in changes.items()}
        return replace(sales, income=replace(sales.income, **more))

    return tamper


def _told(**changes: Any) -> Callable[[Sales], Sales]:
    """The first customer is told something else."""
    return lambda sales: replace(
        sales, bills=[replace(sales.bills[0], **changes), *sales.bills[1:]]
    )


def _receipt(**changes: Any) -> Callable[[Sales], Sales]:
    """The first receipt says something else, and is signed like that."""

    def tamper(sales: Sales) -> Sales:
        first = sales.receipts[0]
        return replace(
            sales,
            receipts=[*proven([replace(first.receipt, **changes)]), *sales.receipts[1:]],
        )

    return tamper


def _proof(sales: Sales) -> Sales:
    first = sales.receipts[0]
    return replace(sales, receipts=[replace(first, proof=()), *sales.receipts[1:]])


def _signature(sales: Sales) -> Sales:
    first, second, *rest = sales.receipts
    return replace(sales, receipts=[replace(first, signature=second.signature), second, *rest])


def _short(sales: Sales) -> Sales:
    first, *rest = sales.income.collections
    short = (replace(first, amount_usd6=first.amount_usd6 - 1), *rest)
    return replace(sales, income=replace(sales.income, collections=short))


def _settled(**changes: Any) -> Callable[[Sales], Sales]:
    """The payment of x402 went otherwise."""

    def tamper(sales: Sales) -> Sales:
        settlements = (replace(sales.income.settlements[0], **changes),)
        return replace(sales, income=replace(sales.income, settlements=settlements))

    return tamper


def test_equations_of_sales__sound__all_hold() -> None:
    assert failing(sold(0)) == set()
    assert len(equations_of_sales(sold(0))) == 16


@pytest.mark.parametrize(
    ("tamper", "broken"),
    [
        (lambda sales: replace(sales, bills=sales.bills[1:]), "answered and paid"),
        (_receipt(input_tokens=101), "tokens in"),
        (_receipt(output_tokens=8), "tokens out"),
        (_told(charge_usd6=1), "quoted price"),
        (_receipt(charge_usd6=1), "charged in receipts"),
        (_receipt(price=Price(1, 1)), "proven by a root"),
        (_proof, "proven by a root"),
        (_signature, "proven by a root"),
        (_settled(root=None), "proven by a root"),
        (_short, "collected from vouchers"),
        (_settled(paid_usd6=TRANSFERRED_USD6 + 1), "paid by x402 − credited"),
        (_settled(credited_usd6=0), "paid by x402 − credited"),
        (_settled(credited_usd6=0), "customers' balances"),
        (_income(pending_usd6=1), "not passed on"),
        (_income(collected_usd6=-1), "not collected"),
        (lambda sales: replace(sales, charged=Charged(1 << 40, 1 << 40)), "not collected"),
        (_income(inference_usd6=-1), "the waterfall's income of inference"),
        (_income(fee_usd6=1), "the waterfall's income of inference"),
        (_income(royalty_usd6=1, inference_usd6=-1), "each rounded down"),
        (_income(balances_usd6=1), "customers' balances"),
        (_income(held_usd6=-1), "stablecoin in InferencePayments"),
    ],
)
def test_equations_of_sales__one_thing_wrong__fails(
    tamper: Callable[[Sales], Sales], broken: str
) -> None:
    assert any(broken in text for text in failing(tamper(sold(0))))


def _charged_more(by: int) -> Sales:
    """The gateway has collected more by voucher than it has billed."""
    sales = sold(0)
    more = _income(collected_usd6=by, inference_usd6=by, balances_usd6=-by, held_usd6=-by)(sales)
    (collection,) = more.income.collections
    collections = (replace(collection, amount_usd6=collection.amount_usd6 + by),)
    return replace(
        more,
        income=replace(more.income, collections=collections),
        charged=Charged(sales.charged.spent_usd6 + by, sales.charged.collected_usd6 + by),
    )


def test_equations_of_sales__an_answer_was_cut_off__its_charge_is_named() -> None:
    more = _charged_more(9)
    # Charged for nothing that anybody asked for again.
    assert any("billed to who pays by them" in text for text in failing(more))
    again = replace(more, repeats={actors.DEPOSITORS[0]: 1})
    assert failing(again) == set()
    assert (again.by_voucher.cut_off_usd6, again.by_x402.cut_off_usd6) == (9, 0)


@pytest.mark.parametrize("by", [-1, 100_651])
def test_equations_of_sales__cut_off_for_less_than_nothing_or_more_than_the_dearest__fails(
    by: int,
) -> None:
    again = replace(_charged_more(by), repeats={actors.DEPOSITORS[0]: 1})
    assert any("cut off, by voucher" in text for text in failing(again))


def test_equations_of_sales__another_payer_was_cut_off__explains_nothing() -> None:
    again = replace(_charged_more(9), repeats={actors.PAYER_BY_REQUEST: 1})
    assert any("billed to who pays by them" in text for text in failing(again))


def test_summary_of_sales__sound__is_in_units_and_whole_numbers() -> None:
    said = summary_of_sales(sold(0))
    assert said["requests"] == 3
    assert said["tokens"] == {"in": 3_434, "out": 19}
    kept = said["feeUsd6"] + said["royaltyUsd6"]
    assert said["incomeUsd6"] == INFERENCE_USD6 == said["billedUsd6"] - kept
    assert (said["byVoucher"]["requests"], said["byX402"]["requests"]) == (2, 1)
    assert said["byVoucher"]["billedUsd6"] + said["byX402"]["billedUsd6"] == said["billedUsd6"]
    assert said["byVoucher"]["gas"] == 100_000
    assert said["byVoucher"]["gasPerRequest"] == 50_000
    assert said["byX402"]["gasPerRequest"] == 250_001
    assert said["byX402"]["transferredUsd6"] == TRANSFERRED_USD6
    # $30 and $60 for a million tokens: 100 and 7; 3,333 and 11.
    assert said["medianRequestUsd6"] == 3_420
    assert said["largestRequestUsd6"] == 100_650
