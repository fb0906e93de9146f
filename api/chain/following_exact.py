"""Follows a payment of x402's scheme `exact` until it is income of a cluster.

1. The receipt's id is the hash of payer and nonce. The stablecoin's events say by which transaction
   that authorisation was used, and that it moved what the receipt promises to the address of its
   cluster and gateway.
2. The settler's events in that transaction say whether it was settled, or ahead of its use; then
   the batch's own events say what became of it. What none of them names somebody else has brought:
   it lies at the address until it is swept.
3. What was given back is told by InferencePayments: a payer and an amount for each. Where that
   leaves open which of a payer's payments is meant, the settler's calldata says it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from api.chain.client import ChainClient
from api.chain.contracts import DecodedEvent, InferencePayments, Stablecoin, X402Settler
from api.chain.deployments import Deployment
from api.chain.journey import Journey, JourneyReader
from api.chain.past import spot_of
from api.chain.views import Receipt
from api.domain.codec import to_hex
from api.domain.eip712 import Eip712Domain, address_word, word
from api.domain.eip3009 import Authorization
from api.domain.exact_batches import ExactBatch
from api.domain.way import Event, ExactTransfer, Part, Place
from api.errors import Incoherent, NotFound
from api.types import Address, Digest


@dataclass(frozen=True, slots=True)
class Spent:
    """So much of a payment became income: told after `event`, under `reference`, in `mined`."""

    event: DecodedEvent
    reference: Digest
    mined: Receipt
    amount: Fraction


class _Settled(NamedTuple):
    """The batch in which a payment was settled, and its place there."""

    event: DecodedEvent
    batch: ExactBatch
    place: int


class ExactFollower(JourneyReader):
    """Follows payments on one deployment."""

    def __init__(
        self,
        client: ChainClient,
        deployment: Deployment,
        payments: InferencePayments,
        receipt_domain: Eip712Domain,
    ) -> None:
        super().__init__(client)
        self._payments = payments
        self._receipt_domain = receipt_domain
        self._stablecoin = Stablecoin(client, deployment.stablecoin_address())
        self._settler = X402Settler(client, deployment.address_of("X402Settler"))
        self._start = deployment.contracts["X402Settler"].block

    async def spend(self, journey: Journey) -> Spent | None:
        """What of the payment became income; what did not is left where it is."""
        receipt = journey.proven.receipt
        value = Fraction(receipt.promised_usd6)
        found = await self._used(journey)
        if found is None:
            journey.leave(Part(Place.DUE, value))
            return None
        used, one, mined = found
        journey.transfer = ExactTransfer(one.nonce, one.to, one.value)
        settled = self._settled_in(mined, one, journey)
        if settled is None:
            await self._note(journey, Event.FRONTED, used, value, one.value)
            return await self._swept(journey, used, one.to, value)
        total = settled.event.fields["settledUsd6"]
        if settled.event.name == "Settled":
            await self._note(journey, Event.SETTLED, settled.event, value, total)
            return await self._split(journey, settled, settled.event, mined, value)
        await self._note(journey, Event.SETTLED_AHEAD, settled.event, value, total)
        return await self._closed(journey, settled, value)

    async def _used(self, journey: Journey) -> tuple[DecodedEvent, Authorization, Receipt] | None:
        """Where the authorisation moved its money; None as long as it has not."""
        receipt = journey.proven.receipt
        pay_to = await self._settler.pay_to(receipt.cluster_id, receipt.gateway)
        events = await self._past(
            self._stablecoin, ("AuthorizationUsed",), self._start, journey.to.number,
            address_word(receipt.payer),
        )  # fmt: skip
        for event in events:
            nonce = Digest(event.fields["nonce"])
            one = Authorization(receipt.payer, pay_to, receipt.promised_usd6, 0, 0, nonce)
            if one.receipt_id == receipt.id:
                mined = await self._mined(event)
                if self._stablecoin.has_moved(mined.logs, one):
                    return event, one, mined
        return None

    def _settled_in(self, mined: Receipt, one: Authorization, journey: Journey) -> _Settled | None:
        receipt = journey.proven.receipt
        for event in self._settler.decode_logs(mined.logs):
            if event.name not in ("Settled", "SettledAhead"):
                continue
            if (event.fields["gateway"], event.fields["clusterId"]) == (
                receipt.gateway,
                receipt.cluster_id,
            ):
                batch = ExactBatch.of(event.fields["entries"])
                place = batch.place_of(one)
                if place is not None:
                    return _Settled(event, batch, place)
        return None

    async def _closed(self, journey: Journey, settled: _Settled, value: Fraction) -> Spent | None:
        """What became of a batch that was settled ahead of its use."""
        ahead = settled.event
        closings = await self._past(
            self._settler, ("Allocated", "PassedOn"), ahead.log.block_number, journey.to.number,
            ahead.fields["batchId"],
        )  # fmt: skip
        if not closings:
            journey.leave(Part(Place.PENDING, value))
            return None
        (closing,) = closings
        mined, total = await self._mined(closing), ahead.fields["settledUsd6"]
        if closing.name == "Allocated":
            await self._note(journey, Event.ALLOCATED, closing, value, total)
            return await self._split(journey, settled, closing, mined, value)
        await self._note(journey, Event.PASSED_ON, closing, value, total)
        return Spent(closing, Digest(closing.fields["batchId"]), mined, value)

    async def _split(
        self,
        journey: Journey,
        settled: _Settled,
        told: DecodedEvent,
        mined: Receipt,
        value: Fraction,
    ) -> Spent:
        """What its gateway said that was used; the rest is the payer's balance."""
        root, proven = Digest(told.fields["receiptsRoot"]), journey.proven
        if proven.root not in (None, root):
            raise Incoherent(
                f"what was used is under {to_hex(root)}, not under {to_hex(proven.root or b'')}",
                value=to_hex(root),
                limit=to_hex(proven.root or b""),
            )
        # Before the settler's next word: one transaction may have several of its batches.
        words = [spot_of(one) for one in self._settler.decode_logs(mined.logs)]
        end = min((spot for spot in words if spot > spot_of(told)), default=None)
        credited = [
            one
            for one in self._payments.decode_logs(mined.logs)
            if one.name == "Credited"
            and one.fields["receiptsRoot"] == root
            and one.fields["from"] == self._settler.address
            and spot_of(one) > spot_of(told)
            and (end is None or spot_of(one) < end)
        ]
        credit = 0
        if credited:
            event = credited[0]
            known = settled.batch.credit_at(settled.place, event.fields["entries"])
            credit = await self._credit_called(settled, mined) if known is None else known
            if credit:
                total = event.fields["creditedUsd6"]
                await self._note(journey, Event.CREDITED, event, Fraction(credit), total)
                payer = proven.receipt.payer
                journey.leave(Part(Place.CREDIT, Fraction(credit), who=payer))
        return Spent(told, root, mined, value - credit)

    async def _credit_called(self, settled: _Settled, mined: Receipt) -> int:
        calldata = await self._client.calldata(mined.tx_hash, self._settler.address)
        credits = None if calldata is None else self._settler.credits_in(calldata)
        if credits is None:
            raise NotFound(
                f"{to_hex(mined.tx_hash)} is no call of the settler: a contract stands between",
                value=to_hex(mined.tx_hash),
            )
        return settled.batch.credit_in(settled.place, credits)

    async def _swept(
        self, journey: Journey, used: DecodedEvent, pay_to: Address, value: Fraction
    ) -> Spent | None:
        """Nothing of what somebody else has brought is given back but by the gateway itself, whose
        own dollars these are. The first sweep takes all that is there.
        """
        receipt, to, start = journey.proven.receipt, journey.to.number, used.log.block_number
        gateway = address_word(receipt.gateway)
        refunds = await self._past(
            self._payments, ("Refunded",), start, to, gateway, address_word(receipt.payer),
            receipt.message(self._receipt_domain).struct_hash,
        )  # fmt: skip
        for refund in refunds:
            amount = refund.fields["amountUsd6"]
            await self._note(journey, Event.REFUNDED, refund, Fraction(amount), amount)
        sweeps = await self._past(
            self._settler, ("Swept",), start, to, word(receipt.cluster_id), gateway,
            address_word(pay_to),
        )  # fmt: skip
        later = [sweep for sweep in sweeps if spot_of(sweep) > spot_of(used)]
        if not later:
            journey.leave(Part(Place.UNSWEPT, value))
            return None
        await self._note(journey, Event.SWEPT, later[0], value, later[0].fields["amountUsd6"])
        reference = Digest(address_word(pay_to))
        return Spent(later[0], reference, await self._mined(later[0]), value)
