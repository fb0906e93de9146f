"""The equations that the demo states, each with what it expected and what it found, to the unit.

What is expected comes from another source than what is found: the trace instead of the reports, the
events instead of the totals, exact fractions instead of the stream's integers, token balances
instead of books.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from api.chain.contracts import DecodedEvent
from api.chain.views import EARNED_SCALE, AccountState, MeterReading, StreamState, WaterfallState
from api.domain.figures import ClusterFigures
from api.domain.streaming import ShareIncome
from api.types import Address
from scripts._lib import cast
from scripts._lib.commerce import bill_usd6
from scripts._lib.equation import Equation, equal
from scripts._lib.expected import EpochFigures
from scripts._lib.income import income_of
from scripts._lib.opening import CUSTOMER_FUNDS_USD6, INFERENCE_FUNDS_USD6, Opened
from scripts._lib.sales import Sales, equations_of_sales
from scripts._lib.story import Story

_COST_SCALE = 36 * 10**9
_SECONDS_AN_EPOCH = 3_600


@dataclass(frozen=True)
class HolderResult:
    """A holder at the end; amounts in 10⁻⁶ dollars, `exact` as the model has it."""

    name: str
    address: Address
    shares: int
    earned_usd6: int
    claimed_usd6: int
    claimable_usd6: int
    exact: Fraction


@dataclass(frozen=True)
class Ending:
    """Everything that is on chain at the end of the story."""

    at: int
    waterfall: WaterfallState
    stream: StreamState
    accounts: Mapping[Address, AccountState]
    reading: MeterReading
    figures: Mapping[int, ClusterFigures]
    counted: Mapping[int, int]
    holders: tuple[HolderResult, ...]
    distributions: int
    supply: int
    balances: Mapping[Address, int]
    sales: Sales


async def ending_of(story: Story) -> Ending:
    """Read the end of a story from the chain, all of it in one block."""
    client, opened = story.chain.client, story.opened
    newest = await story.chain.patiently(client.block)
    block = newest.number
    logs = await story.oracle.events(
        ["FiguresFinal"],
        from_block=opened.start_block,
        to_block=block,
        first_indexed=[opened.cluster_id.to_bytes(32, "big")],
    )
    share_events = await story.share.events(
        ["StreamFunded", "Transfer"], from_block=opened.start_block, to_block=block
    )
    distributions = await story.waterfall.events(
        ["IncomeDistributed"],
        from_block=opened.start_block,
        to_block=block,
        first_indexed=[opened.cluster_id.to_bytes(32, "big")],
    )
    income = await _exact_income(story, share_events, newest.time)
    accounts = {
        holder.address: await story.share.account_state(holder.address, block=block)
        for holder in cast.HOLDERS
    }
    holders = tuple(
        HolderResult(
            name=holder.name,
            address=holder.address,
            shares=accounts[holder.address].balance,
            earned_usd6=accounts[holder.address].claimed_usd6
            + accounts[holder.address].earned // EARNED_SCALE,
            claimed_usd6=accounts[holder.address].claimed_usd6,
            claimable_usd6=accounts[holder.address].earned // EARNED_SCALE,
            exact=income.get(holder.address, Fraction(0)),
        )
        for holder in cast.HOLDERS
    )
    owners = [opened.waterfall, opened.share, cast.operator().address]
    owners += [account.address for account in (*cast.HOLDERS, *cast.CUSTOMERS)]
    sales = Sales(
        opened=opened,
        plan=story.plan,
        bills=story.buyers.bills,
        repeats=story.buyers.repeats,
        receipts=story.receipts,
        charged=story.charged,
        income=await income_of(client, opened, from_block=opened.start_block, block=block),
    )
    return Ending(
        at=newest.time,
        waterfall=await story.waterfall.state(opened.cluster_id, block=block),
        stream=await story.share.stream_state(block=block),
        accounts=accounts,
        reading=await story.oracle.reading(opened.cluster_id, block=block),
        figures={
            event.fields["epoch"]: ClusterFigures.unpack(event.fields["figures"]) for event in logs
        },
        counted=Counter(event.fields["epoch"] for event in logs),
        holders=holders,
        distributions=len(distributions),
        supply=await story.share.total_supply(block=block),
        balances={owner: await story.stablecoin.balance_of(owner, block=block) for owner in owners},
        sales=sales,
    )


async def _exact_income(
    story: Story, events: list[DecodedEvent], until: int
) -> dict[str, Fraction]:
    times: dict[int, int] = {}
    for event in events:
        number = event.log.block_number
        if number not in times:
            times[number] = (await story.chain.client.block(number)).time
    share = ShareIncome()
    for event in events:
        fields = event.fields
        share.advance(times[event.log.block_number])
        if event.name == "StreamFunded":
            share.fund(fields["endsAt"], Fraction(fields["amountUsd6"]))
        else:
            share.move(fields["from"], fields["to"], fields["value"])
    share.advance(until)
    return {
        earner.owner: income for earner, income in share.income().items() if earner.payee is None
    }


def equations_of(story: Story, end: Ending, expected: Mapping[int, EpochFigures]) -> list[Equation]:
    """Every equation that the demo states; it succeeds only if all of them hold."""
    return [
        *_measuring(story, end, expected),
        *equations_of_sales(end.sales),
        *_paying(story, end, expected),
        *_streaming(end),
        *_custody(story.opened, end),
    ]


def _measuring(story: Story, end: Ending, expected: Mapping[int, EpochFigures]) -> list[Equation]:
    epochs = list(story.epochs)
    once = [epoch for epoch in epochs if end.counted.get(epoch) == 1]
    alike = [
        epoch
        for epoch in epochs
        if epoch in end.figures and _plain(end.figures[epoch]) == expected[epoch]
    ]
    reading = end.reading
    return [
        equal("epochs of the trace that are Final exactly once", len(epochs), len(once)),
        equal("epochs that are Final in all", len(epochs), sum(end.counted.values())),
        equal("epochs reported as computed from the trace, every figure", len(epochs), len(alike)),
        equal(
            "contracted GPU-seconds: trace = oracle",
            sum(one.contracted for one in expected.values()),
            reading.contracted_gpu_seconds,
        ),
        equal(
            "available GPU-seconds: trace = oracle",
            sum(one.available for one in expected.values()),
            reading.available_gpu_seconds,
        ),
        equal(
            "billable GPU-seconds: trace = oracle",
            sum(one.billable for one in expected.values()),
            reading.billable_gpu_seconds,
        ),
        equal(
            "modelled energy in watt-hours: trace = oracle",
            sum(one.energy_wh for one in expected.values()),
            reading.energy_wh,
        ),
    ]


def _plain(figures: ClusterFigures) -> EpochFigures:
    return EpochFigures(
        energy_wh=figures.energy_wh,
        contracted=figures.contracted_gpu_seconds,
        available=figures.available_gpu_seconds,
        busy=figures.busy_gpu_seconds,
        billable=figures.billable_gpu_seconds,
    )


def operating_cost_usd6(opened: Opened, epochs: int, energy_wh: int) -> int:
    """What `epochs` epochs cost the operator: the lower of metered and maximum energy, times PUE
    and tariff, and the contracted rate; rounded down."""
    gpus = opened.term("gpuCount")
    seconds = epochs * _SECONDS_AN_EPOCH
    watt_seconds = min(
        energy_wh * _SECONDS_AN_EPOCH, gpus * opened.term("gpuMaxPowerWatts") * seconds
    )
    energy = watt_seconds * opened.term("pueBps") * opened.term("tariffUsd6PerKwh")
    contracted = gpus * seconds * opened.term("contractedRateUsd6PerGpuHour") * 10**7
    return (energy + contracted) // _COST_SCALE


def _paying(story: Story, end: Ending, expected: Mapping[int, EpochFigures]) -> list[Equation]:
    state, opened = end.waterfall, story.opened
    billable = sum(one.billable for one in expected.values())
    income = end.sales.income
    spent = sum(CUSTOMER_FUNDS_USD6 - end.balances[one.address] for one in cast.CUSTOMERS)
    deposited = INFERENCE_FUNDS_USD6 * len(cast.DEPOSITORS)
    energy_wh = sum(one.energy_wh for one in expected.values())
    return [
        equal(
            "income of leases = billable GPU-seconds of the trace × price",
            bill_usd6(billable, story.price_usd6),
            income.leases_usd6,
        ),
        equal(
            "income received = leases + inference",
            income.leases_usd6 + income.inference_usd6,
            state.received,
        ),
        equal(
            "what left the customers' wallets = leases + deposits for inference + paid by x402",
            income.leases_usd6 + deposited + income.transferred_usd6,
            spent,
        ),
        equal(
            "received = operator + tranches + reserve + holders + undistributed",
            state.received,
            state.operator_assigned
            + state.tranches_assigned
            + state.reserve_assigned
            + state.holders_assigned
            + state.undistributed,
        ),
        equal(
            "operator's cost = energy of the trace × PUE × tariff + GPUs × rate",
            operating_cost_usd6(opened, len(story.epochs), energy_wh),
            story.final_cost_usd6,
        ),
        equal("holders' part = what was passed to the stream", state.holders_assigned,
              state.holders_streamed),
        equal("passed to the stream = funded in the share", state.holders_streamed,
              end.stream.funded_usd6),
    ]  # fmt: skip


def _streaming(end: Ending) -> list[Equation]:
    stream = end.stream
    claimed = sum(one.claimed_usd6 for one in end.accounts.values())
    earned = sum(one.earned for one in end.accounts.values())
    furthest = max(
        (
            abs(
                one.exact
                - one.claimed_usd6
                - Fraction(end.accounts[one.address].earned, EARNED_SCALE)
            )
            for one in end.holders
        ),
        default=Fraction(0),
    )
    left = max((one.earned for one in end.accounts.values()), default=0)
    return [
        equal(
            "funded = claimed + earned + remainders + unstreamed, in 2⁻⁷² units",
            stream.funded_usd6 * EARNED_SCALE,
            claimed * EARNED_SCALE
            + earned
            + stream.index_remainder
            + stream.unstreamed
            + stream.funding_remainder,
        ),
        equal("still to stream after two days", 0, stream.unstreamed),
        Equation(
            "furthest that a holder is from the exact model, in units",
            "less than 1",
            f"{float(furthest):.1e}",
            furthest < 1,
        ),
        Equation(
            "most that is left unclaimed to a holder, in units",
            "less than 1",
            f"{float(Fraction(left, EARNED_SCALE)):.6f}",
            left < EARNED_SCALE,
        ),
        equal(
            "shares in issue = shares of all holders",
            end.supply,
            sum(one.balance for one in end.accounts.values()),
        ),
    ]


def _custody(opened: Opened, end: Ending) -> list[Equation]:
    state = end.waterfall
    claimed = sum(one.claimed_usd6 for one in end.accounts.values())
    received = sum(end.balances[holder.address] for holder in cast.HOLDERS)
    return [
        equal(
            "stablecoin in the waterfall = its books",
            state.received
            - state.operator_paid
            - state.tranches_paid
            - state.reserve_drawn
            - state.holders_streamed,
            end.balances[opened.waterfall],
        ),
        equal(
            "stablecoin in the share = funded − claimed",
            end.stream.funded_usd6 - claimed,
            end.balances[opened.share],
        ),
        equal("stablecoin of the holders = claimed", claimed, received),
        equal(
            "stablecoin of the operator = paid to it",
            state.operator_paid,
            end.balances[cast.operator().address],
        ),
    ]
