"""What was sold by the inference when nothing went wrong: two requests by voucher, one by x402."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from api.domain.llm_trace import LlmRequest
from api.domain.merkle import MerkleTree
from api.domain.prices import gateway_domain
from api.domain.receipts import Receipt
from api.domain.way import ProvenReceipt
from api.types import BPS, LOCAL_CHAIN_ID, Address, ClusterId, Digest
from scripts._lib import cast as actors
from scripts._lib.buyers import Bill, Charged
from scripts._lib.income import Collection, Income, Settlement
from scripts._lib.opening import INFERENCE_FUNDS_USD6, MODEL, PRICE, ROYALTY_BPS, Opened
from scripts._lib.recorded_requests import RequestPlan
from scripts._lib.sales import Sales

PAYMENTS = Address("0x" + "5" * 40)
DOMAIN = gateway_domain(LOCAL_CHAIN_ID, PAYMENTS)

HOURS = ((LlmRequest(0, 100, 7), LlmRequest(1, 1, 1)), (LlmRequest(2, 3_333, 11),))
FEE_USD6 = 5
"""The platform's, of all of it."""


_PAYERS = (*actors.DEPOSITORS, actors.PAYER_BY_REQUEST)


def _charge(request: LlmRequest) -> int:
    return PRICE.charge_up_usd6(request.context_tokens, request.generated_tokens)


TRANSFERRED_USD6 = 150_000
"""Paid by x402 for the third request, which came to less."""

# Two hours, two requests and one, are a batch each.
ROYALTY_USD6 = sum(sum(map(_charge, hour)) * ROYALTY_BPS // BPS for hour in HOURS)

INFERENCE_USD6 = (
    sum(_charge(request) for hour in HOURS for request in hour) - FEE_USD6 - ROYALTY_USD6
)
"""The cluster's income of it."""


def proven(receipts: list[Receipt]) -> list[ProvenReceipt]:
    """The receipts under one root, signed by the gateway."""
    messages = [one.message(DOMAIN) for one in receipts]
    tree = MerkleTree([Digest(message.struct_hash) for message in messages])
    return [
        ProvenReceipt(
            receipt,
            actors.GATEWAY.signer.sign(message.digest),
            tree.root,
            tree.proof(Digest(message.struct_hash)),
        )
        for receipt, message in zip(receipts, messages, strict=True)
    ]


def _receipt(number: int, request: LlmRequest) -> Receipt:
    customer = _PAYERS[number]
    return Receipt(
        id=number.to_bytes(16),
        gateway=actors.GATEWAY.address,
        payer=customer.address,
        key=customer.address,
        promised_usd6=0,
        cluster_id=ClusterId(1),
        model=MODEL,
        request_hash=Digest(bytes(32)),
        answer_hash=Digest(bytes(32)),
        input_tokens=request.context_tokens,
        output_tokens=request.generated_tokens,
        price=PRICE,
        charge_usd6=_charge(request),
        served_at=1,
    )


def sold(leases_usd6: int) -> Sales:
    """The sales of a cluster that had so much income of leases beside them."""
    plan = RequestPlan("a.csv", HOURS, recorded=3, left_out=0)
    receipts = [_receipt(number, request) for number, request in enumerate(plan.requests)]
    shown = [*proven(receipts[:2]), *proven(receipts[2:])]
    charges = [one.charge_usd6 for one in receipts]
    charged, collected = sum(charges), sum(charges[:2])
    credited = TRANSFERRED_USD6 - charges[2]
    root = shown[0].root
    assert root is not None
    left = INFERENCE_FUNDS_USD6 * len(actors.DEPOSITORS) - collected + credited
    return Sales(
        opened=cast(Opened, SimpleNamespace(chain_id=LOCAL_CHAIN_ID, payments=PAYMENTS)),
        plan=plan,
        bills=[
            Bill(payer, request, receipt.id.hex(), receipt.charge_usd6)
            for payer, request, receipt in zip(_PAYERS, plan.requests, receipts, strict=True)
        ],
        repeats={},
        receipts=shown,
        charged=Charged(collected, collected),
        income=Income(
            leases_usd6=leases_usd6,
            inference_usd6=charged - FEE_USD6 - ROYALTY_USD6,
            fee_usd6=FEE_USD6,
            royalty_usd6=ROYALTY_USD6,
            collected_usd6=collected,
            balances_usd6=left,
            held_usd6=left + FEE_USD6 + ROYALTY_USD6,
            pending_usd6=0,
            collections=(Collection(root, collected, 100_000),),
            settlements=(Settlement(shown[2].root, TRANSFERRED_USD6, credited, 250_001),),
        ),
    )
