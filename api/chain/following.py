"""Follows a payment's dollars over the chain: from the collection that its receipt is behind, by
the waterfall's distributions and the share's stream, to whoever earned them. What no voucher pays
comes from a settlement of x402 instead, by `following_exact.py`.

1. The receipt is its gateway's, and lies under the root of a collection (`ProvenReceipt`).
2. What that collection's bytes and events say its voucher brought for the cluster, of what was
   asked, is what was paid of it; what came short, later vouchers of the channel bring in the same
   measure. The platform's fee and the model's royalty are taken in proportion.
3. The income goes through the waterfall's events, and the share's, by the rules of
   `api/domain/attribution.py` and `streaming.py`.

All is read from events, calldata and the newest state, so that any node will do. Whoever told the
receipt is believed nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Final

from api.chain.client import ChainClient
from api.chain.contracts import (
    ClusterRegistry,
    ClusterShare,
    DecodedEvent,
    InferencePayments,
    ModelRegistry,
    Waterfall,
)
from api.chain.deployments import Deployment
from api.chain.following_exact import ExactFollower
from api.chain.journey import Journey, JourneyReader
from api.chain.past import Spot, spot_of
from api.chain.views import Receipt
from api.domain.attribution import NOTHING, Split, WaterfallBooks
from api.domain.batches import Brought, breakdown_of, unpack_vouchers
from api.domain.codec import address_bytes, to_hex
from api.domain.eip712 import address_word, word
from api.domain.prices import gateway_domain
from api.domain.receipts import Receipt as PaidFor
from api.domain.streaming import NOBODY, ShareIncome
from api.domain.vouchers import payments_domain
from api.domain.way import Event, Part, Place, ProvenReceipt, Way
from api.domain.work import NO_MODEL, Work, model_id_of
from api.errors import Incoherent, NotFound
from api.types import Address, ClusterId, Digest

_IN_WATERFALL: Final = (
    "IncomeReceived",
    "TrancheAssigned",
    "IncomeDistributed",
    "ReserveDrawn",
    "HoldersStreamed",
)
_IN_SHARE: Final = ("StreamFunded", "Transfer", "IncomeAssigned", "HolderRecovered", "PayeeChanged")


class Follower(JourneyReader):
    """Follows payments on one deployment."""

    def __init__(self, client: ChainClient, deployment: Deployment) -> None:
        super().__init__(client)
        self._payments = InferencePayments(client, deployment.address_of("InferencePayments"))
        self._waterfall = Waterfall(client, deployment.address_of("Waterfall"))
        self._models = ModelRegistry(client, deployment.address_of("ModelRegistry"))
        self._registry = ClusterRegistry(client, deployment.address_of("ClusterRegistry"))
        self._blocks = {name: record.block for name, record in deployment.contracts.items()}
        chain_id = deployment.chain_id
        self.receipt_domain = gateway_domain(chain_id, self._payments.address)
        self._voucher_domain = payments_domain(chain_id, self._payments.address)
        self._exact = ExactFollower(client, deployment, self._payments, self.receipt_domain)

    async def follow(self, proven: ProvenReceipt) -> Way:
        """The way of a receipt's payment up to the newest block.

        Raises:
            BadSignature: Its gateway did not sign it.
            Incoherent: It is not under the root that it is said to be, or the events do not add up.
            NotFound: The gateway has collected nothing under that root.
        """
        proven.require_true(self.receipt_domain)
        journey = Journey(proven, await self._client.block(), [], [])
        incomes = await self._pay(journey)
        if incomes:
            fundings = await self._split(journey, incomes)
            if fundings:
                await self._stream(journey, fundings)
        return Way(
            proven.receipt,
            journey.to.number,
            journey.to.time,
            journey.steps,
            journey.parts,
            journey.transfer,
        )

    # -- from the receipt to income ---------------------------------------------------------------

    async def _pay(self, journey: Journey) -> dict[Spot, Fraction]:
        """What of the payment came into the waterfall, by the IncomeReceived it came with."""
        receipt, root = journey.proven.receipt, journey.proven.root
        incomes: dict[Spot, Fraction] = {}
        if receipt.has_own_payment:
            spent = await self._exact.spend(journey)
            if spent is not None and spent.amount:
                await self._allocate(
                    journey, spent.event, spent.reference, spent.mined, spent.amount, incomes
                )
            return incomes
        due = Fraction(receipt.charge_usd6)
        if root is not None and due:
            for event in await self._collections(journey, root):
                mined = await self._mined(event)
                brought = await self._brought(event, mined)
                work = await self._work(receipt, {one.work for one in brought})
                paid = _paid(due, receipt.payer, receipt.key, brought, work)
                if paid:
                    await self._note(
                        journey, Event.COLLECTED, event, paid, event.fields["collectedUsd6"]
                    )
                    told = event.fields["receiptsRoot"]
                    gross = sum(one.brought_usd6 for one in brought if one.work == work)
                    await self._allocate(journey, event, told, mined, paid, incomes, (work, gross))
                    due -= paid
                if not due:
                    break
        journey.leave(Part(Place.DUE, due))
        return incomes

    async def _collections(self, journey: Journey, root: Digest) -> list[DecodedEvent]:
        """The gateway's collections from the first under the root on that name the payer."""
        receipt, to = journey.proven.receipt, journey.to.number
        gateway = address_word(receipt.gateway)
        names = ("VouchersCollected",)
        start = self._blocks["InferencePayments"]
        found = await self._past(self._payments, names, start, to, gateway, root)
        if not found:
            raise NotFound(
                f"{receipt.gateway} has collected nothing under {to_hex(root)}", value=to_hex(root)
            )
        payer = int.from_bytes(address_bytes(receipt.payer))
        return [
            event
            for event in await self._past(
                self._payments, names, found[0].log.block_number, to, gateway
            )
            if any(entry >> 96 == payer for entry in event.fields["entries"])
        ]

    async def _brought(self, event: DecodedEvent, mined: Receipt) -> list[Brought]:
        calldata = await self._client.calldata(event.log.tx_hash, self._payments.address)
        arguments = calldata and self._payments.abi.functions["collect"].decode_arguments(calldata)
        if not arguments:
            raise NotFound(
                f"{to_hex(event.log.tx_hash)} is no call of collect: a contract stands between",
                value=to_hex(event.log.tx_hash),
            )
        vouchers, works, _ = arguments
        short = {
            (one.fields["payer"], one.fields["key"]): one.fields["shortUsd6"]
            for one in self._payments.decode_logs(mined.logs)
            if one.name == "VoucherShort"
        }
        unpacked = unpack_vouchers(vouchers, self._voucher_domain, event.fields["gateway"])
        named = [Work(ClusterId(cluster_id), Digest(model_id)) for cluster_id, model_id in works]
        return breakdown_of(unpacked, named, event.fields["entries"], short)

    async def _work(self, receipt: PaidFor, works: Iterable[Work]) -> Work:
        """Which of a batch's works the receipt is of: a model's id is also of its name."""
        for work in sorted(works):
            if work.cluster_id == receipt.cluster_id and work.model_id != NO_MODEL:
                owner = await self._models.owner_of(work.model_id)
                if model_id_of(owner, receipt.model) == work.model_id:
                    return work
        return Work(receipt.cluster_id)

    async def _allocate(
        self,
        journey: Journey,
        collected: DecodedEvent,
        root: bytes,
        mined: Receipt,
        paid: Fraction,
        incomes: dict[Spot, Fraction],
        of: tuple[Work, int] | None = None,
    ) -> None:
        """What of `paid` is the platform's and the model owner's, and where the rest came in: under
        `root`, after what told that it was collected. `of` is the work that a batch of vouchers
        names, with all that was collected for it; one of x402 is for one work.
        """
        cluster_id = journey.proven.receipt.cluster_id
        told = [
            one
            for one in self._payments.decode_logs(mined.logs)
            if one.fields.get("clusterId") == cluster_id
            and one.fields.get("receiptsRoot") == root
            and spot_of(one) > spot_of(collected)
        ]
        # Anybody may add more under the same root; what comes first is of the call followed here.
        allocated = _first(told, "IncomeAllocated")
        amount, fee = allocated.fields["amountUsd6"], allocated.fields["feeUsd6"]
        if paid > amount:
            raise Incoherent(
                f"{paid} was collected for the cluster, which got {amount}",
                value=str(paid),
                limit=amount,
            )
        kept = paid * Fraction(fee, amount)
        journey.leave(Part(Place.PLATFORM, kept))
        royalties = [
            one
            for one in told
            if one.name == "RoyaltyAllocated" and spot_of(one) < spot_of(allocated)
        ]
        income = paid - kept
        for one in royalties:
            work = Work(cluster_id, Digest(one.fields["modelId"]))
            of_work, gross = of or (work, amount)
            if work == of_work:
                part = one.fields["amountUsd6"] * paid / gross
                journey.leave(Part(Place.ROYALTY, part, who=one.fields["to"]))
                income -= part
        outcome = min(
            (
                one
                for one in (*told, *self._received(mined, cluster_id, root))
                if one.name in ("IncomeDeferred", "IncomeReceived")
                and spot_of(one) > spot_of(allocated)
            ),
            key=spot_of,
        )
        sent = amount - fee - sum(one.fields["amountUsd6"] for one in royalties)
        if outcome.name == "IncomeDeferred":
            forwarded = await self._past(
                self._payments, ("IncomeForwarded",), collected.log.block_number,
                journey.to.number, word(cluster_id), root,
            )  # fmt: skip
            later = [one for one in forwarded if spot_of(one) > spot_of(collected)]
            if not later:
                journey.leave(Part(Place.DEFERRED, income))
                return
            came = self._received(await self._mined(later[0]), cluster_id, root)
            outcome = next(one for one in came if spot_of(one) > spot_of(later[0]))
            sent = later[0].fields["amountUsd6"]
        arrived = income * Fraction(outcome.fields["amountUsd6"], sent)
        journey.leave(Part(Place.STABLECOIN, income - arrived))
        incomes[spot_of(outcome)] = incomes.get(spot_of(outcome), NOTHING) + arrived
        await self._note(journey, Event.RECEIVED, outcome, arrived, outcome.fields["amountUsd6"])

    def _received(self, mined: Receipt, cluster_id: ClusterId, root: bytes) -> list[DecodedEvent]:
        """What the waterfall says that came in under that root, in its order."""
        return [
            one
            for one in self._waterfall.decode_logs(mined.logs)
            if one.name == "IncomeReceived"
            and one.fields["clusterId"] == cluster_id
            and one.fields["payer"] == self._payments.address
            and one.fields["ref"] == root
        ]

    # -- down the waterfall -----------------------------------------------------------------------

    async def _split(
        self, journey: Journey, incomes: dict[Spot, Fraction]
    ) -> dict[bytes, list[Fraction]]:
        """What of the payment is in the stream's fundings, by transaction, in their order."""
        cluster_id, to = journey.proven.receipt.cluster_id, journey.to.number
        books = WaterfallBooks()
        tranches: dict[Address, int] = {}
        fundings: dict[bytes, list[Fraction]] = defaultdict(list)
        for event in await self._past(
            self._waterfall, _IN_WATERFALL, self._blocks["Waterfall"], to, word(cluster_id)
        ):
            fields = event.fields
            if event.name == "IncomeReceived":
                books.receive(fields["amountUsd6"], incomes.get(spot_of(event), NOTHING))
            elif event.name == "TrancheAssigned":
                # Told before the distribution that it is of.
                tranches[fields["tranche"]] = fields["amountUsd6"]
            elif event.name == "IncomeDistributed":
                split = Split(
                    fields["operatorUsd6"],
                    tranches,
                    fields["reserveUsd6"],
                    fields["holdersUsd6"],
                    fields["finalCostUsd6"],
                )
                tranches = {}
                followed = books.distribute(split) * split.total_usd6
                if followed:
                    await self._note(journey, Event.DISTRIBUTED, event, followed, split.total_usd6)
            elif event.name == "ReserveDrawn":
                books.draw(fields["amountUsd6"])
            else:
                followed = books.stream(fields["amountUsd6"])
                fundings[event.log.tx_hash].append(followed)
                if followed:
                    await self._note(journey, Event.STREAMED, event, followed, fields["amountUsd6"])
        final_cost, _ = await self._waterfall.operator_due_usd6(cluster_id, block=to)
        books.settle(final_cost)
        journey.leave(Part(Place.UNDISTRIBUTED, books.undistributed.followed))
        journey.leave(Part(Place.ESCROW, books.escrow.followed))
        journey.leave(Part(Place.OPERATOR, books.operator))
        for tranche, amount in books.tranches.items():
            journey.leave(Part(Place.TRANCHE, amount, who=tranche))
        journey.leave(Part(Place.RESERVE, books.reserve.followed))
        journey.leave(Part(Place.DRAWN, books.drawn))
        journey.leave(Part(Place.WAITING, books.waiting.followed))
        return fundings if any(any(of_one) for of_one in fundings.values()) else {}

    # -- down the stream --------------------------------------------------------------------------

    async def _stream(self, journey: Journey, fundings: dict[bytes, list[Fraction]]) -> None:
        cluster = await self._registry.cluster(
            journey.proven.receipt.cluster_id, block=journey.to.number
        )
        assert cluster.share is not None
        share = ClusterShare(self._client, cluster.share)
        start = self._blocks["ClusterRegistry"]
        income = ShareIncome()
        payees: dict[Address, Address] = {}
        successors: dict[Address, Address] = {}
        for event in await self._past(share, _IN_SHARE, start, journey.to.number):
            fields = event.fields
            waiting = fundings.get(event.log.tx_hash) if event.name == "StreamFunded" else None
            followed = waiting.pop(0) if waiting else NOTHING
            is_last_burnt = event.name == "Transfer" and fields["to"] == NOBODY
            if followed or income.is_streaming or not income.supply or is_last_burnt:
                income.advance(await self._time(event.log.block_number))
            if event.name == "StreamFunded":
                income.fund(fields["endsAt"], followed)
            elif event.name == "Transfer":
                income.move(fields["from"], fields["to"], fields["value"])
            elif event.name == "IncomeAssigned":
                income.assign(fields["owner"], fields["taker"], fields["payee"], fields["assigned"])
            elif event.name == "HolderRecovered":
                income.recover(fields["lost"], fields["replacement"])
                successors[fields["lost"]] = fields["replacement"]
            else:
                payees[fields["owner"]] = fields["payee"]
        income.advance(journey.to.time)
        for one in income.unstreamed():
            journey.leave(Part(Place.STREAMING, one.amount, until=one.ends_at))
        for earner, amount in income.income().items():
            payee = earner.payee or payees.get(earner.owner, earner.owner)
            if earner.payee is not None:
                while payee in successors:
                    payee = successors[payee]
            journey.leave(
                Part(
                    Place.HOLDER,
                    amount,
                    who=earner.owner,
                    payee=None if payee == earner.owner else payee,
                    is_assigned=earner.payee is not None,
                )
            )


def _first(events: Iterable[DecodedEvent], name: str) -> DecodedEvent:
    """Raises Incoherent if there is none of that name."""
    for event in events:
        if event.name == name:
            return event
    raise Incoherent(f"what was collected was not told by {name}", value=name)


def _paid(
    due: Fraction, payer: Address, key: Address, brought: Sequence[Brought], work: Work
) -> Fraction:
    """What a collection paid of `due`: what it brought for the place, in proportion to what was
    asked for it.
    """
    mine = [one for one in brought if one[:3] == (payer, key, work)]
    asked = sum(one.asked_usd6 for one in mine)
    came = sum(one.brought_usd6 for one in mine)
    return came * due / max(due, Fraction(asked)) if came else NOTHING
