"""The demo's story: an epoch at a time, customers pay by the inference and for what was measured,
and holders earn it by the second.

For each epoch of the trace:

1. Customers send the gateway the requests of that hour, each paid by itself. It collects and
   settles what they come to.
2. In its middle, whoever is due trades shares or claims.
3. The chain's clock moves past its end. The agents send what they measured, the reporters agree,
   and one of them puts the report on chain. While that takes long the clock moves on, so that a
   dead reporter's turn passes.
4. Customers pay for the billable GPU time that the oracle now counts, which they lease.
5. Somebody distributes, and the holders' part begins to stream.
6. What can be seen is noted.

The node may die at any moment and go back to its newest checkpoint. Whatever has its time is in one
before the clock or the story moves on: payments by x402, which are good for a minute, and reports.
Blocks on top of a checkpoint make what is collected final for the gateway.

The last epoch waits until all of it is on chain. Then the services end, and two days pass in
which the stream runs out and everybody claims.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from api.chain.contracts import ClusterShare, MetricsOracle, Stablecoin, Waterfall
from api.chain.views import RATE_SCALE, MeterReading, WaterfallState
from api.domain.eip3009 import Authorization
from api.domain.epochs import epoch_end, epoch_start
from api.domain.way import ProvenReceipt
from api.types import CLOSE_SECONDS, EPOCH_SECONDS, Epoch
from scripts._lib import cast
from scripts._lib.buyers import Buyers, Charged
from scripts._lib.cast import Account
from scripts._lib.commerce import Commerce
from scripts._lib.local_chain import LocalChain
from scripts._lib.opening import SHARE, Opened
from scripts._lib.recorded_requests import RequestPlan

RUN_OUT_SECONDS = 2 * 86_400
"""More than the longest stream: a day, rounded up to a boundary of four hours."""
RUN_OUT_STEP_SECONDS = 4 * 3_600

_BLOCKS_ON_TOP = 64
"""Of each checkpoint: more than are mined by transactions until the next."""
_REQUESTS_A_CHECKPOINT = 150
"""Of which fifteen are paid by x402, each in two transactions at most; the others by the second."""
CONFIRMATIONS = 2 * _BLOCKS_ON_TOP
"""Of a collection. What was mined while a checkpoint was written, and is not in it, is not final
before the next holds it.
"""

_COLLECT_PATIENCE_SECONDS = 120.0
_POLL_SECONDS = 0.05
_NUDGE_SECONDS = 20
_SAMPLES_A_SECOND = 3_000
"""What four reporters on two cores take in and verify at least; it decides when waiting is too
long.
"""


class StoryFailure(Exception):
    """The story cannot go on; the message says what did not happen."""


@dataclass(frozen=True)
class Snapshot:
    """What can be seen at one moment.

    Attributes:
        at: Unix second.
        epoch: The epoch that was just counted; None after the trace.
        reading: The meters.
        leased_usd6: What customers have paid for leases so far.
        rate_usd6_per_hour: What streams to all holders together, rounded down.
        earned_usd6: What each holder has earned so far, in the order of the cast.
    """

    at: int
    epoch: int | None
    reading: MeterReading
    waterfall: WaterfallState
    leased_usd6: int
    rate_usd6_per_hour: int
    earned_usd6: tuple[int, ...]

    @property
    def inference_usd6(self) -> int:
        """What was collected by the inference so far, for the cluster."""
        return self.waterfall.received - self.leased_usd6


@dataclass(frozen=True)
class Act:
    """Something that holders do at a moment of the story."""

    at: int
    words: str
    perform: Callable[[], Awaitable[object]]


@dataclass
class Story:
    """One telling. `snapshots` grows as it goes; `price_usd6` is of a leased GPU-hour that was
    busy, `plan` has the requests of each epoch.
    """

    opened: Opened
    chain: LocalChain
    buyers: Buyers
    plan: RequestPlan
    price_usd6: int
    epochs: Sequence[int]
    samples: int
    on_epoch: Callable[[Snapshot], None]
    snapshots: list[Snapshot] = field(default_factory=list)
    acts: list[str] = field(default_factory=list)
    receipts: Sequence[ProvenReceipt] = ()
    charged: Charged = field(default_factory=lambda: Charged(0, 0))
    """What the gateway has charged in all when everything is collected."""
    final_cost_usd6: int = 0
    """What the waterfall says that the replayed epochs cost the operator, read when they were over.
    """
    shortfall_usd6: int = 0
    """What it owed the operator beyond all income at that moment."""

    def __post_init__(self) -> None:
        client = self.chain.client
        self.oracle = MetricsOracle(client, self.opened.oracle)
        self.share = ClusterShare(client, self.opened.share)
        self.waterfall = Waterfall(client, self.opened.waterfall)
        self.stablecoin = Stablecoin(client, self.opened.stablecoin)
        self.commerce = Commerce(self.opened, self.chain, self.price_usd6)
        self._agenda = self._planned()

    # -- the telling ------------------------------------------------------------------------------

    async def replay(self) -> None:
        """All epochs of the trace. Raises StoryFailure if one does not become Final in time."""
        for number, epoch in enumerate(self.epochs):
            requests = self.plan.hours[number]
            for at in range(0, len(requests), _REQUESTS_A_CHECKPOINT):
                await self.buyers.ask(requests[at : at + _REQUESTS_A_CHECKPOINT])
                await self._kept(self._until_settled)
            await self._perform_until(epoch_end(Epoch(epoch)))
            await self._kept(partial(self._until_final, epoch))
            if epoch == self.epochs[-1]:
                await self._until_collected()
            await self.commerce.pay(await self._reading())
            await self.commerce.distribute()
            await self._look(epoch)
        self.final_cost_usd6, _ = await self.chain.patiently(
            lambda: self.waterfall.operator_due_usd6(self.opened.cluster_id)
        )
        self.shortfall_usd6 = self.snapshots[-1].waterfall.operator_shortfall
        await self._withdraw_operating_cost()
        await self.chain.checkpoint()

    async def run_out(self, on_step: Callable[[], None]) -> None:
        """Two days without income: what is left streams, and everybody claims."""
        ended_at = await self.chain.now()
        for step in range(RUN_OUT_STEP_SECONDS, RUN_OUT_SECONDS + 1, RUN_OUT_STEP_SECONDS):
            await self._perform_until(ended_at + step)
            await self.chain.move_to(ended_at + step)
            await self._look(None)
            on_step()
        await self._kept(partial(self.chain.move_to, ended_at + RUN_OUT_SECONDS))
        for holder in cast.HOLDERS:
            await self._claim(holder)
        await self.chain.checkpoint()
        await self._look(None)

    @property
    def run_out_steps(self) -> int:
        return RUN_OUT_SECONDS // RUN_OUT_STEP_SECONDS

    async def _kept(self, reach: Callable[[], Awaitable[None]]) -> None:
        """Reach something and keep it in a checkpoint; again if the node died meanwhile, which may
        have forgotten it.
        """
        while True:
            generation = self.chain.node.generation
            await reach()
            await self.chain.checkpoint(_BLOCKS_ON_TOP)
            if self.chain.node.generation == generation:
                return

    # -- acts -------------------------------------------------------------------------------------

    def _planned(self) -> list[Act]:
        """Trades and claims, half past the hour, spread over the trace; what falls after it happens
        in the days after.
        """
        aster, birch, cedar, dune, elm, fern = cast.HOLDERS

        def half_past(numerator: int) -> int:
            number = max(1, len(self.epochs) * numerator // 8)
            return epoch_start(Epoch(self.epochs[0] + number)) + EPOCH_SECONDS // 2

        return [
            self._trade(half_past(2), aster, elm, 50_000 * SHARE),
            self._claiming(half_past(3), aster),
            self._trade(half_past(4), cedar, dune, 200_000 * SHARE),
            self._claiming(half_past(5), birch),
            self._trade(half_past(6), birch, fern, 12_345_678_901),
            self._claiming(half_past(7), dune),
        ]

    def _trade(self, at: int, seller: Account, buyer: Account, units: int) -> Act:
        whole, part = divmod(units, SHARE)
        amount = f"{whole:,}" + (f".{part:06d}" if part else "")
        return Act(
            at,
            f"{seller.name} sells {amount} shares to {buyer.name}",
            lambda: self.chain.send(
                seller.signer,
                self.opened.share,
                self.share.encode("transfer", buyer.address, units),
            ),
        )

    def _claiming(self, at: int, holder: Account) -> Act:
        return Act(at, f"{holder.name} claims", lambda: self._claim(holder))

    async def _perform_until(self, until: int) -> None:
        while self._agenda and self._agenda[0].at < until:
            act = self._agenda.pop(0)
            await self.chain.move_to(act.at)
            await act.perform()
            self.acts.append(act.words)

    async def _claim(self, holder: Account) -> None:
        claimable = await self.chain.patiently(lambda: self.share.claimable_usd6(holder.address))
        if claimable:
            await self.chain.send(holder.signer, self.opened.share, self.share.encode("claim"))

    # -- income -----------------------------------------------------------------------------------

    async def _withdraw_operating_cost(self) -> None:
        operator = cast.operator()
        state = await self._state()
        if state.operator_earned > state.operator_paid:
            await self.chain.send(
                operator,
                self.opened.waterfall,
                self.waterfall.encode(
                    "withdrawOperatingCost", self.opened.cluster_id, operator.address
                ),
            )

    async def _until_settled(self) -> None:
        """Wait until every payment by x402 that was answered is on chain."""
        deadline = time.monotonic() + _COLLECT_PATIENCE_SECONDS
        while waiting := [one for one in self.buyers.taken if not await self._is_used(one)]:
            if time.monotonic() > deadline:
                raise StoryFailure(
                    f"{len(waiting)} answered payments by x402 did not come on chain:"
                    " the gateway's log says why"
                )
            await asyncio.sleep(_POLL_SECONDS)

    async def _is_used(self, one: Authorization) -> bool:
        return await self.chain.patiently(lambda: self.stablecoin.is_used(one.payer, one.nonce))

    async def _until_collected(self) -> None:
        """Wait until everything that was charged is collected, and of every payment of x402 what
        was used is said; then every receipt has its proof.
        """
        deadline = time.monotonic() + _COLLECT_PATIENCE_SECONDS
        while True:
            await self.chain.checkpoint(_BLOCKS_ON_TOP)
            self.charged = await self.buyers.charged()
            waiting = await self.chain.patiently(
                lambda: self.stablecoin.balance_of(self.opened.settler)
            )
            if self.charged.spent_usd6 == self.charged.collected_usd6 and not waiting:
                self.receipts = await self.buyers.receipts()
                if all(one.root is not None for one in self.receipts):
                    return
            if time.monotonic() > deadline:
                raise StoryFailure(
                    f"the gateway has charged {self.charged.spent_usd6} by vouchers and collected"
                    f" {self.charged.collected_usd6}; {waiting} of x402 wait for their use, or"
                    " receipts for a proof: its log says why"
                )
            await asyncio.sleep(_POLL_SECONDS * 5)

    # -- seeing -----------------------------------------------------------------------------------

    async def _until_final(self, epoch: int) -> None:
        """Let `epoch` end and wait until it is counted. While it is not, the clock moves on, faster
        than the wall's, so that the turn of a proposer who does not answer passes to the next. It
        stops short of where the epoch is closed without agents that are late: how fast this machine
        lets them send is no matter of the trace.
        """
        patience = 2.0 + self.samples / len(self.epochs) / _SAMPLES_A_SECOND
        started = time.monotonic()
        closing_at = started + 60 + 20 * patience
        give_up_at = closing_at + 60 + 20 * patience
        ended = epoch_end(Epoch(epoch)) + 1
        last_open = epoch_end(Epoch(epoch)) + CLOSE_SECONDS - 1
        await self.chain.move_to(ended)
        nudge_at = started + patience
        while (await self._reading()).epoch < epoch:
            now = time.monotonic()
            if now > give_up_at:
                raise StoryFailure(
                    f"epoch {epoch} did not become Final within {now - started:.0f} seconds:"
                    " the reporters' logs say why"
                )
            if now > nudge_at:
                # A node that died went back to before the end.
                at = max(await self.chain.now() + _NUDGE_SECONDS, ended)
                await self.chain.move_to(at if now > closing_at else min(at, last_open))
                if now > closing_at:
                    # From here on these blocks alone could be too many for one.
                    await self.chain.checkpoint()
                nudge_at = now + patience / 4
            await asyncio.sleep(_POLL_SECONDS)

    async def _look(self, epoch: int | None) -> None:
        earned = tuple([await self._earned(holder) for holder in cast.HOLDERS])
        stream = await self.chain.patiently(self.share.stream_state)
        snapshot = Snapshot(
            at=await self.chain.now(),
            epoch=epoch,
            reading=await self._reading(),
            waterfall=await self._state(),
            leased_usd6=self.commerce.paid_usd6,
            rate_usd6_per_hour=stream.rate_per_second * EPOCH_SECONDS // RATE_SCALE,
            earned_usd6=earned,
        )
        self.snapshots.append(snapshot)
        if epoch is not None:
            self.on_epoch(snapshot)

    async def _earned(self, holder: Account) -> int:
        return await self.chain.patiently(lambda: self.share.earned_usd6(holder.address))

    async def _reading(self) -> MeterReading:
        return await self.chain.patiently(lambda: self.oracle.reading(self.opened.cluster_id))

    async def _state(self) -> WaterfallState:
        return await self.chain.patiently(lambda: self.waterfall.state(self.opened.cluster_id))
