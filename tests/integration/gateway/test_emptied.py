"""A payer whose balance goes while it is served: what is refused, what is lost, who is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.support.odd_upstream import OddUpstream
from tests.support.selling import MODEL, USD, Customer, Shop, balance_of, take_all, until


@contextmanager
def being_served(customer: Customer, odd: OddUpstream) -> Iterator[None]:
    """While a stream goes to the customer, who has read something of it."""
    body = {"model": MODEL, "prompt": "a server that drips", "max_tokens": 200, "stream": True}
    odd.enough.clear()
    try:
        with httpx.stream(
            "POST",
            f"{customer.shop.gateway.url}/v1/completions",
            json=body,
            headers=customer.pay(),
            timeout=30,
        ) as answer:
            pieces = answer.iter_text()
            assert "one" in next(pieces)
            yield
            odd.enough.set()
            assert "".join(pieces).endswith("[DONE]\n\n")
    finally:
        odd.enough.set()


def refusal(customer: Customer) -> str | None:
    """Why another request is not served; None if it is."""
    body = {"model": MODEL, "prompt": "a server that answers", "max_tokens": 50}
    url = f"{customer.shop.gateway.url}/v1/completions"
    answer = httpx.post(url, json=body, headers=customer.pay(), timeout=30)
    return None if answer.status_code == 200 else str(answer.json()["reason"])


def debt(customer: Customer) -> int:
    """What it was served and has not paid."""
    return int(customer.channel()["spentUsd6"]) - customer.shop.collected(customer)


def test_serve__withdrawal_requested_meanwhile__refuses_more_and_collects_what_was_served(
    bad: Shop, odd: OddUpstream
) -> None:
    customer = bad.customer(20, USD)
    with being_served(customer, odd):
        payer = customer.account.address
        bad.transact(payer, "InferencePayments", bad.payments, "requestWithdrawal", USD)
        until(lambda: refusal(customer) == "insufficient_funds", "nothing more served")

    spent = int(customer.channel()["spentUsd6"])
    assert spent > 0
    until(lambda: bad.collected(customer) == spent, "what was served collected")
    assert balance_of(customer) == USD - spent


def test_serve__balance_collected_elsewhere_meanwhile__loses_what_it_served_since_and_tells(
    bad: Shop, odd: OddUpstream
) -> None:
    customer = bad.customer(21, USD)
    assert refusal(customer) is None
    until(lambda: bad.collected(customer) == int(customer.channel()["spentUsd6"]), "collected")
    before = bad.collected(customer)
    with being_served(customer, odd):
        held = int(customer.channel()["heldUsd6"])
        take_all(customer)
        until(lambda: refusal(customer) == "insufficient_funds", "nothing more served")

    # Until its balance went, it was collected from as ever.
    lost = debt(customer)
    assert balance_of(customer) == 0
    assert 0 < lost <= held
    assert bad.collected(customer) >= before
    # Others of this gateway may owe too.
    until(lambda: bad.gateway.figure("uncollected_usd6") >= lost, "a debt told")
    assert debt(customer) == lost
    until(
        lambda: any(
            '"channel cannot pay"' in line and customer.account.address in line
            for line in bad.gateway.log().splitlines()
        ),
        "the payer named",
    )
