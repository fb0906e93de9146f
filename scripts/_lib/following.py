"""The way of a payment, fetched, followed and shown. `api/chain/following.py` has the rules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import httpx
from rich.markup import escape
from rich.table import Table

from api.chain.following import Follower
from api.domain.codec import to_hex
from api.domain.receipts import parse_receipt_id
from api.domain.way import Event, Part, Place, ProvenReceipt, Way
from api.errors import Incoherent, InvalidInput, NotFound
from scripts._lib.money import fine_dollars, units
from scripts._lib.network import answer_of
from scripts._lib.record import Record
from scripts._lib.tables import numbers, table_of
from scripts._lib.times import utc

_EVENTS: Final[Mapping[Event, str]] = {
    Event.COLLECTED: "collected from the payer",
    Event.SETTLED: "settled, its use known",
    Event.SETTLED_AHEAD: "settled ahead of its use",
    Event.ALLOCATED: "its use said",
    Event.PASSED_ON: "passed on, its use never said",
    Event.CREDITED: "credited, not used",
    Event.FRONTED: "brought by somebody else",
    Event.SWEPT: "swept from the cluster's address",
    Event.REFUNDED: "refunded, from the gateway's own",
    Event.RECEIVED: "came in as the cluster's income",
    Event.DISTRIBUTED: "split by the waterfall",
    Event.STREAMED: "passed to the holders' stream",
}

_PLACES: Final[Mapping[Place, str]] = {
    Place.DUE: "not collected, or not paid yet",
    Place.PENDING: "settled, its use not said yet",
    Place.UNSWEPT: "at the cluster's address, not swept",
    Place.CREDIT: "payer, credited what was not used",
    Place.PLATFORM: "platform's fee",
    Place.ROYALTY: "model's owner",
    Place.STABLECOIN: "kept by the stablecoin",
    Place.DEFERRED: "owed to the cluster",
    Place.UNDISTRIBUTED: "income, not distributed",
    Place.ESCROW: "operator, in escrow",
    Place.OPERATOR: "operator, final cost",
    Place.TRANCHE: "lender",
    Place.RESERVE: "replacement reserve",
    Place.DRAWN: "drawn from the reserve",
    Place.WAITING: "holders, not streaming yet",
    Place.STREAMING: "holders, still to stream",
    Place.HOLDER: "holder",
}


def fetch(url: str, receipt_id: str) -> ProvenReceipt:
    """A receipt as the gateway at `url` tells it.

    Raises NotFound with the gateway's words, InvalidInput if it does not answer with a receipt.
    """
    parse_receipt_id(receipt_id)
    path = f"/v1/receipts/{receipt_id}"
    try:
        answer = httpx.get(url.rstrip("/") + path, timeout=30)
        told = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise InvalidInput(f"{url} tells nothing: {error}", value=url) from error
    if answer.status_code != httpx.codes.OK:
        raise NotFound(str(told.get("detail", answer.status_code)), value=path)
    proven = ProvenReceipt.from_json(told)
    if proven.receipt.id.hex() != receipt_id.lower():
        raise Incoherent(
            f"{url} tells another receipt", value=proven.receipt.id.hex(), limit=receipt_id
        )
    return proven


def read(path: Path) -> ProvenReceipt:
    """A receipt that was kept as a gateway told it. Raises InvalidInput."""
    try:
        told: Any = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} holds no receipt: {error}", value=str(path)) from error
    return ProvenReceipt.from_json(told)


def follow(record: Record, proven: ProvenReceipt) -> Way:
    """The way of a receipt's payment up to the newest block. Raises as `Follower.follow`."""
    return answer_of(
        record.chain_id, lambda client: Follower(client, record.deployment).follow(proven)
    )


def tables(way: Way) -> list[Table]:
    """A way as people read it: what it is of, what happened, where the dollars are."""
    receipt = way.receipt
    facts = table_of(f"Request {receipt.id.hex()}", "what", "is")
    for name, value in (
        ("charged", f"{fine_dollars(Fraction(receipt.charge_usd6), 6)}, {utc(receipt.served_at)}"),
        ("for", f"{receipt.input_tokens:,} tokens in, {receipt.output_tokens:,} out"),
        ("of", f"{escape(receipt.model)}, on cluster {receipt.cluster_id}"),
        ("payer", receipt.payer),
        ("signed by", f"its gateway {receipt.gateway}"),
        *_transferred(way),
    ):
        facts.add_row(name, value)
    steps = table_of("What happened", "what", "when", "transaction")
    numbers(steps, "of this payment", "of all that did")
    for step in way.steps:
        steps.add_row(
            _EVENTS[step.event],
            f"{utc(step.at)}\n[dim]block {step.block}[/dim]",
            to_hex(step.tx_hash),
            fine_dollars(step.amount),
            fine_dollars(Fraction(step.of_usd6), 6),
        )
    places = table_of(f"Where it is at block {way.block}, {utc(way.at)}", "where", "whose")
    numbers(places, "dollars", "exactly, in $0.000001")
    for part in way.parts:
        places.add_row(
            _PLACES[part.place], _whose(part), fine_dollars(part.amount), _exactly(part.amount)
        )
    places.add_section()
    paid = Fraction(way.paid_usd6)
    places.add_row("all", "", fine_dollars(paid), _exactly(paid))
    return [facts, steps, places] if way.steps else [facts, places]


def _transferred(way: Way) -> list[tuple[str, str]]:
    """The one payment of x402 behind a receipt."""
    transfer = way.transfer
    if transfer is None:
        return []
    paid = f"{fine_dollars(Fraction(transfer.value_usd6), 6)}, to {transfer.pay_to}"
    return [("paid by x402", paid), ("authorised by nonce", to_hex(transfer.nonce))]


def _whose(part: Part) -> str:
    lines = [part.who or ""]
    if part.until is not None:
        lines = [f"whoever holds until {utc(part.until)}"]
    if part.payee is not None:
        lines.append(f"[dim]{'assigned to' if part.is_assigned else 'paid to'} {part.payee}[/dim]")
    return "\n".join(lines)


def _exactly(amount: Fraction) -> str:
    whole, rest = divmod(amount.numerator, amount.denominator)
    if not rest:
        return units(whole)
    fraction = f"{rest}/{amount.denominator}"
    return f"{units(whole)}\n[dim]+ {fraction}[/dim]" if whole else fraction
