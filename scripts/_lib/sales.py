"""What was sold by the inference, from the recorded request to the cluster's income, to the unit.

    recorded tokens × quoted price = billed to customers = charged in receipts
        = collected on chain = income of the cluster + the platform's fee + the model's royalty
        = deposited − balances left

Each comes from another place: the trace, the answers, the gateway's books, the events of two
contracts, balances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any

from api.chain.client import ChainClient
from api.chain.contracts import InferencePayments, Stablecoin, Waterfall
from api.chain.views import IncomeKind
from api.domain.codec import json_integer
from api.domain.prices import gateway_domain
from api.domain.way import ProvenReceipt
from api.errors import BadSignature, Incoherent
from api.types import BPS, Digest
from scripts._lib import cast
from scripts._lib.buyers import Bill, Charged
from scripts._lib.equation import Equation, equal
from scripts._lib.opening import INFERENCE_FUNDS_USD6, PRICE, ROYALTY_BPS, Opened
from scripts._lib.recorded_requests import RequestPlan


@dataclass(frozen=True)
class Collection:
    """A transaction that collected, by the root of the receipts behind it; 10⁻⁶ dollars."""

    root: Digest
    amount_usd6: int
    gas: int


@dataclass(frozen=True)
class Income:
    """What the contracts say at the end, in 10⁻⁶ dollars.

    Attributes:
        leases_usd6, inference_usd6: Received by the waterfall, by kind.
        fee_usd6: What the platform kept of what was collected.
        royalty_usd6: What the model's owner is owed of it.
        collected_usd6: From the channels of the customers' session keys.
        balances_usd6: What the customers have left for inference.
        held_usd6: The stablecoin of InferencePayments.
    """

    leases_usd6: int
    inference_usd6: int
    fee_usd6: int
    royalty_usd6: int
    collected_usd6: int
    balances_usd6: int
    held_usd6: int
    collections: tuple[Collection, ...]


@dataclass(frozen=True)
class Sales:
    """Everything that was sold by the inference, and how it was paid."""

    opened: Opened
    plan: RequestPlan
    bills: Sequence[Bill]
    repeats: int
    receipts: Sequence[ProvenReceipt]
    charged: Charged
    income: Income

    @property
    def billed_usd6(self) -> int:
        """What the customers were told."""
        return sum(bill.charge_usd6 for bill in self.bills)

    @property
    def cut_off_usd6(self) -> int:
        """What was charged for answers that a dying process cut off: such requests were sent
        again. Without any, whatever else is charged is an error."""
        return self.charged.spent_usd6 - self.billed_usd6 if self.repeats else 0

    @property
    def gas(self) -> int:
        """Of all collections."""
        return sum(one.gas for one in self.income.collections)

    @property
    def gas_per_request(self) -> int:
        """Rounded up."""
        return -(-self.gas // len(self.bills))

    @property
    def prices_usd6(self) -> tuple[int, int]:
        """The median of what a request cost, the lower of two, and the most."""
        charges = [bill.charge_usd6 for bill in self.bills]
        return median_low(charges), max(charges)

    @property
    def dearest(self) -> ProvenReceipt:
        """The receipt of the dearest request."""
        return max(self.receipts, key=lambda one: one.receipt.charge_usd6)


async def income_of(client: ChainClient, opened: Opened, *, from_block: int, block: int) -> Income:
    """What the contracts say as of `block`. Raises Unavailable or ChainError."""
    payments = InferencePayments(client, opened.payments)
    waterfall = Waterfall(client, opened.waterfall)
    cluster = [opened.cluster_id.to_bytes(32, "big")]
    received = await waterfall.events(
        ["IncomeReceived"], from_block=from_block, to_block=block, first_indexed=cluster
    )
    allocated = await payments.events(
        ["IncomeAllocated"], from_block=from_block, to_block=block, first_indexed=cluster
    )
    collected = await payments.events(["VouchersCollected"], from_block=from_block, to_block=block)
    collections = []
    for event in collected:
        mined = await client.receipt(event.log.tx_hash)
        assert mined is not None, "a transaction whose event is on chain"
        collections.append(
            Collection(
                Digest(event.fields["receiptsRoot"]),
                event.fields["collectedUsd6"],
                mined.gas_used,
            )
        )
    sessions = cast.session_keys(len(cast.CUSTOMERS))
    channels = [
        await payments.channel(payer.address, key.address, cast.GATEWAY.address, block=block)
        for payer, key in zip(cast.CUSTOMERS, sessions, strict=True)
    ]
    balances = [await payments.account(one.address, block=block) for one in cast.CUSTOMERS]

    def of(kind: IncomeKind) -> int:
        return sum(event.fields["amountUsd6"] for event in received if event.fields["kind"] == kind)

    return Income(
        leases_usd6=of(IncomeKind.LEASE),
        inference_usd6=of(IncomeKind.INFERENCE),
        fee_usd6=sum(event.fields["feeUsd6"] for event in allocated),
        royalty_usd6=await payments.royalty_owed_usd6(cast.MODEL_OWNER.address, block=block),
        collected_usd6=sum(channel.collected_usd6 for channel in channels),
        balances_usd6=sum(account.balance_usd6 for account in balances),
        held_usd6=await Stablecoin(client, opened.stablecoin).balance_of(
            opened.payments, block=block
        ),
        collections=tuple(collections),
    )


def equations_of_sales(sales: Sales) -> list[Equation]:
    """Each with both sides."""
    asked, receipts, income = sales.plan.requests, sales.receipts, sales.income
    quoted = [PRICE.charge_up_usd6(one.context_tokens, one.generated_tokens) for one in asked]
    collected = sum(one.amount_usd6 for one in income.collections)
    deposited = INFERENCE_FUNDS_USD6 * len(cast.CUSTOMERS)
    charged = [one.receipt for one in receipts]
    return [
        equal("requests of the trace = answered and paid", len(asked), len(sales.bills)),
        equal(
            "tokens in: recorded = charged",
            sum(one.context_tokens for one in asked),
            sum(one.input_tokens for one in charged),
        ),
        equal(
            "tokens out: recorded = charged",
            sum(one.generated_tokens for one in asked),
            sum(one.output_tokens for one in charged),
        ),
        equal(
            "billed to customers = recorded tokens × quoted price, each rounded up",
            sum(quoted),
            sales.billed_usd6,
        ),
        equal(
            "charged in receipts = billed to customers",
            sales.billed_usd6,
            sum(one.charge_usd6 for one in charged),
        ),
        equal(
            "receipts signed by the gateway and proven by a root on chain",
            len(sales.bills),
            sum(_is_proven(one, sales) for one in receipts),
        ),
        equal(
            "collected from customers = billed to them",
            sales.billed_usd6 + sales.cut_off_usd6,
            collected,
        ),
        equal(
            "charged by the gateway and not collected",
            0,
            sales.charged.spent_usd6 - income.collected_usd6,
        ),
        equal(
            "collected = the waterfall's income of inference + the platform's fee + the royalty",
            collected,
            income.inference_usd6 + income.fee_usd6 + income.royalty_usd6,
        ),
        equal(
            "owed to the model's owner = royalty × each collection, each rounded down",
            sum(one.amount_usd6 * ROYALTY_BPS // BPS for one in income.collections),
            income.royalty_usd6,
        ),
        equal(
            "customers' balances for inference = deposited − collected",
            deposited - collected,
            income.balances_usd6,
        ),
        equal(
            "stablecoin in InferencePayments = balances + the platform's fee + the royalty",
            income.balances_usd6 + income.fee_usd6 + income.royalty_usd6,
            income.held_usd6,
        ),
    ]


def _is_proven(one: ProvenReceipt, sales: Sales) -> bool:
    """By signature, proof and the chain's own roots: what its customer can check alone."""
    opened = sales.opened
    try:
        one.require_true(gateway_domain(opened.chain_id, opened.payments))
    except (BadSignature, Incoherent):
        return False
    return one.receipt.gateway == cast.GATEWAY.address and any(
        one.root == collection.root for collection in sales.income.collections
    )


def summary_of_sales(sales: Sales) -> dict[str, Any]:
    """For programs: amounts in 10⁻⁶ dollars."""
    median, most = sales.prices_usd6
    return {
        "trace": {
            "name": sales.plan.name,
            "recorded": sales.plan.recorded,
            "leftOut": sales.plan.left_out,
        },
        "requests": len(sales.bills),
        "repeats": sales.repeats,
        "tokens": {
            "in": sum(one.receipt.input_tokens for one in sales.receipts),
            "out": sum(one.receipt.output_tokens for one in sales.receipts),
        },
        "priceUsd6PerMillionTokens": {"in": PRICE.input, "out": PRICE.output},
        "billedUsd6": json_integer(sales.billed_usd6),
        "cutOffUsd6": json_integer(sales.cut_off_usd6),
        "collectedUsd6": json_integer(sum(one.amount_usd6 for one in sales.income.collections)),
        "incomeUsd6": json_integer(sales.income.inference_usd6),
        "feeUsd6": json_integer(sales.income.fee_usd6),
        "royaltyUsd6": json_integer(sales.income.royalty_usd6),
        "medianRequestUsd6": median,
        "largestRequestUsd6": most,
        "collections": len(sales.income.collections),
        "gas": sales.gas,
        "gasPerRequest": sales.gas_per_request,
    }
