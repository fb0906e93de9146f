"""What was sold by the inference, from the recorded request to the cluster's income, to the unit.

    recorded tokens × quoted price = billed to customers = charged in receipts
        = collected from vouchers + paid by x402 − credited
        = income of the cluster + the platform's fee + the model's royalty
        = deposited + paid by x402 − balances left

Each comes from another place: the trace, the answers, the gateway's books, the events of two
contracts, balances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any

from api.domain.codec import json_integer
from api.domain.prices import gateway_domain
from api.domain.way import ProvenReceipt
from api.errors import BadSignature, Incoherent
from api.types import BPS
from scripts._lib import cast
from scripts._lib.buyers import Bill, Charged
from scripts._lib.cast import Account
from scripts._lib.equation import Equation, equal
from scripts._lib.income import Collection, Income, Settlement
from scripts._lib.opening import INFERENCE_FUNDS_USD6, PRICE, ROYALTY_BPS, Opened
from scripts._lib.recorded_requests import RequestPlan


@dataclass(frozen=True)
class Takings:
    """What was paid in one of the ways, in 10⁻⁶ dollars.

    Attributes:
        repeats: How often a request was sent again.
        cut_off_usd6: Charged for answers that a dying process cut off: such requests were sent
            again. Without any, whatever else is charged is an error.
        taken_usd6: Collected, or settled and used.
        batches: In which that was done.
    """

    requests: int
    billed_usd6: int
    repeats: int
    cut_off_usd6: int
    taken_usd6: int
    batches: int
    gas: int

    @property
    def gas_per_request(self) -> int:
        """Rounded up; 0 without a request."""
        return -(-self.gas // max(self.requests, 1))

    def to_json(self) -> dict[str, int | str]:
        return {
            "requests": self.requests,
            "billedUsd6": json_integer(self.billed_usd6),
            "repeats": self.repeats,
            "cutOffUsd6": json_integer(self.cut_off_usd6),
            "takenUsd6": json_integer(self.taken_usd6),
            "batches": self.batches,
            "gas": self.gas,
            "gasPerRequest": self.gas_per_request,
        }


@dataclass(frozen=True)
class Sales:
    """Everything that was sold by the inference, and how it was paid."""

    opened: Opened
    plan: RequestPlan
    bills: Sequence[Bill]
    repeats: Mapping[Account, int]
    receipts: Sequence[ProvenReceipt]
    charged: Charged
    income: Income

    @property
    def billed_usd6(self) -> int:
        """What the customers were told."""
        return sum(bill.charge_usd6 for bill in self.bills)

    @property
    def by_voucher(self) -> Takings:
        """What was paid so."""
        return self._takings(self.income.collections, self.charged.spent_usd6, is_exact=False)

    @property
    def by_x402(self) -> Takings:
        """What was paid so."""
        return self._takings(self.income.settlements, self.income.used_usd6, is_exact=True)

    def _takings(
        self, taken: Sequence[Collection | Settlement], charged_usd6: int, *, is_exact: bool
    ) -> Takings:
        bills = [
            bill for bill in self.bills if (bill.customer is cast.PAYER_BY_REQUEST) is is_exact
        ]
        billed = sum(bill.charge_usd6 for bill in bills)
        repeats = sum(
            times
            for who, times in self.repeats.items()
            if (who is cast.PAYER_BY_REQUEST) is is_exact
        )
        return Takings(
            requests=len(bills),
            billed_usd6=billed,
            repeats=repeats,
            cut_off_usd6=charged_usd6 - billed if repeats else 0,
            taken_usd6=sum(one.amount_usd6 for one in taken),
            batches=len(taken),
            gas=sum(one.gas for one in taken),
        )

    @property
    def prices_usd6(self) -> tuple[int, int]:
        """The median of what a request cost, the lower of two, and the most."""
        charges = [bill.charge_usd6 for bill in self.bills]
        return median_low(charges), max(charges)

    @property
    def dearest(self) -> ProvenReceipt:
        """The receipt of the dearest request."""
        return max(self.receipts, key=lambda one: one.receipt.charge_usd6)


def equations_of_sales(sales: Sales) -> list[Equation]:
    """Each with both sides."""
    asked, receipts, income = sales.plan.requests, sales.receipts, sales.income
    quoted = [PRICE.charge_up_usd6(one.context_tokens, one.generated_tokens) for one in asked]
    by_voucher, by_x402 = sales.by_voucher, sales.by_x402
    deposited = INFERENCE_FUNDS_USD6 * len(cast.DEPOSITORS)
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
            "collected from vouchers = billed to who pays by them",
            by_voucher.billed_usd6 + by_voucher.cut_off_usd6,
            by_voucher.taken_usd6,
        ),
        equal(
            "paid by x402 − credited = billed to who pays by it",
            by_x402.billed_usd6 + by_x402.cut_off_usd6,
            by_x402.taken_usd6,
        ),
        *(
            Equation(
                f"charged for answers that were cut off, {way}",
                f"0 to {taking.repeats * max(quoted, default=0)}",
                f"{taking.cut_off_usd6:,}",
                0 <= taking.cut_off_usd6 <= taking.repeats * max(quoted, default=0),
            )
            for way, taking in (("by voucher", by_voucher), ("by x402", by_x402))
        ),
        equal(
            "charged by the gateway and not collected",
            0,
            sales.charged.spent_usd6 - income.collected_usd6,
        ),
        equal(
            "collected + used by x402"
            " = the waterfall's income of inference + the platform's fee + the royalty",
            by_voucher.taken_usd6 + by_x402.taken_usd6,
            income.inference_usd6 + income.fee_usd6 + income.royalty_usd6,
        ),
        equal(
            "owed to the model's owner = royalty × each batch, each rounded down",
            sum(one.amount_usd6 * ROYALTY_BPS // BPS for one in income.batches),
            income.royalty_usd6,
        ),
        equal(
            "customers' balances for inference = deposited − collected + credited",
            deposited - by_voucher.taken_usd6 + income.transferred_usd6 - income.used_usd6,
            income.balances_usd6,
        ),
        equal("paid by x402 and not passed on", 0, income.pending_usd6),
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
    return (
        one.receipt.gateway == cast.GATEWAY.address
        and one.root is not None
        and any(one.root == batch.root for batch in sales.income.batches)
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
        "tokens": {
            "in": sum(one.receipt.input_tokens for one in sales.receipts),
            "out": sum(one.receipt.output_tokens for one in sales.receipts),
        },
        "priceUsd6PerMillionTokens": {"in": PRICE.input, "out": PRICE.output},
        "billedUsd6": json_integer(sales.billed_usd6),
        "byVoucher": sales.by_voucher.to_json(),
        "byX402": {
            **sales.by_x402.to_json(),
            "transferredUsd6": json_integer(sales.income.transferred_usd6),
        },
        "incomeUsd6": json_integer(sales.income.inference_usd6),
        "feeUsd6": json_integer(sales.income.fee_usd6),
        "royaltyUsd6": json_integer(sales.income.royalty_usd6),
        "medianRequestUsd6": median,
        "largestRequestUsd6": most,
    }
