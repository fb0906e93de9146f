"""What inference brought, as the contracts say at the end of a story."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.chain.client import ChainClient
from api.chain.contracts import (
    Contract,
    DecodedEvent,
    InferencePayments,
    Stablecoin,
    Waterfall,
    X402Settler,
)
from api.chain.views import IncomeKind, Receipt
from api.domain.exact_batches import ExactBatch
from api.types import Digest
from scripts._lib import cast
from scripts._lib.opening import Opened


@dataclass(frozen=True)
class Collection:
    """A batch of vouchers, by the root of the receipts behind it; 10⁻⁶ dollars."""

    root: Digest
    amount_usd6: int
    gas: int


@dataclass(frozen=True)
class Settlement:
    """A batch of payments of x402, by the root of the receipts that say what was used of them.

    Attributes:
        root: None until that is said.
        paid_usd6: What was taken from the payers' wallets.
        credited_usd6: What of it was not used, and became their balance.
        gas: Of both transactions.
    """

    root: Digest | None
    paid_usd6: int
    credited_usd6: int
    gas: int

    @property
    def amount_usd6(self) -> int:
        """What was used."""
        return self.paid_usd6 - self.credited_usd6


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
        pending_usd6: That of X402Settler, and of the address at which the cluster is paid by x402.
    """

    leases_usd6: int
    inference_usd6: int
    fee_usd6: int
    royalty_usd6: int
    collected_usd6: int
    balances_usd6: int
    held_usd6: int
    pending_usd6: int
    collections: tuple[Collection, ...]
    settlements: tuple[Settlement, ...]

    @property
    def batches(self) -> Sequence[Collection | Settlement]:
        """By which all of it came."""
        return (*self.collections, *self.settlements)

    @property
    def transferred_usd6(self) -> int:
        """What was taken from wallets by x402."""
        return sum(one.paid_usd6 for one in self.settlements)

    @property
    def used_usd6(self) -> int:
        """What of it was used."""
        return sum(one.amount_usd6 for one in self.settlements)


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
        root, amount = Digest(event.fields["receiptsRoot"]), event.fields["collectedUsd6"]
        collections.append(Collection(root, amount, (await _mined(payments, event)).gas_used))
    sessions = cast.session_keys(len(cast.DEPOSITORS))
    channels = [
        await payments.channel(payer.address, key.address, cast.GATEWAY.address, block=block)
        for payer, key in zip(cast.DEPOSITORS, sessions, strict=True)
    ]
    balances = [await payments.account(one.address, block=block) for one in cast.CUSTOMERS]

    stablecoin, settler = Stablecoin(client, opened.stablecoin), X402Settler(client, opened.settler)
    pay_to = await settler.pay_to(opened.cluster_id, cast.GATEWAY.address, block=block)
    holding = {
        place: await stablecoin.balance_of(place, block=block)
        for place in (opened.payments, opened.settler, pay_to)
    }

    def of(kind: IncomeKind) -> int:
        return sum(event.fields["amountUsd6"] for event in received if event.fields["kind"] == kind)

    return Income(
        leases_usd6=of(IncomeKind.LEASE),
        inference_usd6=of(IncomeKind.INFERENCE),
        fee_usd6=sum(event.fields["feeUsd6"] for event in allocated),
        royalty_usd6=await payments.royalty_owed_usd6(cast.MODEL_OWNER.address, block=block),
        collected_usd6=sum(channel.collected_usd6 for channel in channels),
        balances_usd6=sum(account.balance_usd6 for account in balances),
        held_usd6=holding[opened.payments],
        pending_usd6=holding[opened.settler] + holding[pay_to],
        collections=tuple(collections),
        settlements=await _settlements(settler, payments, from_block=from_block, block=block),
    )


async def _settlements(
    settler: X402Settler, payments: InferencePayments, *, from_block: int, block: int
) -> tuple[Settlement, ...]:
    """The gateway settles ahead of the use, and says that later."""
    events = await settler.events(
        ["SettledAhead", "Allocated"], from_block=from_block, to_block=block
    )
    said = {one.fields["batchId"]: one for one in events if one.name == "Allocated"}
    settlements = []
    for ahead in events:
        if ahead.name != "SettledAhead":
            continue
        paid = ahead.fields["settledUsd6"]
        gas, root, used = (await _mined(settler, ahead)).gas_used, None, paid
        if ahead.fields["batchId"] in said:
            allocated = said[ahead.fields["batchId"]]
            mined = await _mined(settler, allocated)
            credits = [one for one in payments.decode_logs(mined.logs) if one.name == "Credited"]
            words = credits[0].fields["entries"] if credits else []
            used = sum(ExactBatch.of(ahead.fields["entries"]).income_by_payer(words).values())
            gas, root = gas + mined.gas_used, Digest(allocated.fields["receiptsRoot"])
        settlements.append(Settlement(root, paid, paid - used, gas))
    return tuple(settlements)


async def _mined(contract: Contract, event: DecodedEvent) -> Receipt:
    mined = await contract.client.receipt(event.log.tx_hash)
    assert mined is not None, "a transaction whose event is on chain"
    return mined
