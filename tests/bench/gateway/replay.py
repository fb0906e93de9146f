"""Recorded requests at their pace or faster, and the books afterwards: what was used, what was
billed for it and what the chain has collected are one amount.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx
import psycopg
from pydantic_core import from_json
from sqlalchemy import make_url

from api.domain.llm_trace import LlmTrace, read_llm_trace
from api.domain.receipts import Receipt
from api.domain.self_made import self_made_llm_trace
from api.files import trace_lines
from tests.bench.gateway.load import Answer, Job, Step
from tests.bench.gateway.scene import CUSTOMERS, Scene, prompts
from tests.support.reporting import ROOT
from tests.support.selling import MODEL, until

ENDPOINT = "/v1/completions"

RECORDED = ROOT.parent / "shared" / "data" / "llm_requests_code.csv.gz"

_MICRO = 1_000_000


@dataclass(frozen=True)
class Replay:
    """What came of a trace.

    Attributes:
        pace: How much faster than recorded.
        lost: Requests without a whole answer, or whose answer has no receipt.
        refused: How many answers had a status other than 200, by status; 0 a broken connection.
        mismetered: Answers whose tokens are not those that were recorded, or not their receipt's.
        metered_usd6: What the servers' own counts come to, each at its receipt's price.
        billed_usd6: What the receipts add up to.
        collected_usd6, income_usd6: What the chain took of the customers, and the Waterfall got.
        latest: Seconds that a request was sent late, at worst: its customer still waited.
    """

    trace: str
    pace: float
    requests: int
    seconds: float
    lost: int
    refused: Mapping[int, int]
    mismetered: int
    tokens_in: int
    tokens_out: int
    metered_usd6: int
    billed_usd6: int
    collected_usd6: int
    income_usd6: int
    latest: float
    median_ms: float

    @property
    def is_exact(self) -> bool:
        """Nothing is lost, and all amounts are one."""
        amounts = {
            self.metered_usd6, self.billed_usd6, self.collected_usd6, self.income_usd6
        }  # fmt: skip
        return self.lost == self.mismetered == 0 and len(amounts) == 1


def recorded(seconds: float) -> LlmTrace:
    """The first `seconds` of the recorded hour; of a self-made one where there is none."""
    trace = (
        read_llm_trace(trace_lines(RECORDED), RECORDED.name)
        if RECORDED.exists()
        else self_made_llm_trace()
    )
    kept = tuple(one for one in trace.requests if one.at_us <= seconds * _MICRO)
    return LlmTrace(trace.name, kept)


def replay(scene: Scene, trace: LlmTrace, pace: float) -> Replay:
    """Every request by the next customer in turn, streamed; then wait until all is collected."""
    until(lambda: _collected(scene) == _spent(scene), "all from before collected", 120)
    collected, income = _collected(scene), scene.shop.income()
    answers, _ = _job(scene, trace, pace).run()
    good = [one for one in answers if one.is_good and one.receipt and one.usage is not None]
    receipts = _receipts(scene, [one.receipt for one in good])
    billed = sum(receipt.charge_usd6 for receipt in receipts.values())
    until(lambda: _collected(scene) == _spent(scene), "all that was spent collected", 120)
    usages = [(one, receipts[one.receipt]) for one in good if one.receipt in receipts]
    times = sorted(one.last - one.sent for one in good)
    return Replay(
        trace.name,
        pace,
        len(trace.requests),
        max(one.last for one in answers),
        len(trace.requests) - len(usages),
        Counter(one.status for one in answers if not one.is_good),
        sum(not _is_metered(trace, one, receipt) for one, receipt in usages),
        sum(_tokens(one)[0] for one, _ in usages),
        sum(_tokens(one)[1] for one, _ in usages),
        sum(receipt.price.charge_up_usd6(*_tokens(one)) for one, receipt in usages),
        billed,
        _collected(scene) - collected,
        scene.shop.income() - income,
        max(one.late for one in answers),
        times[len(times) // 2] * 1_000,
    )


def _job(scene: Scene, trace: LlmTrace, pace: float) -> Job:
    source = prompts()
    bodies = [
        json.dumps(
            {
                "model": MODEL,
                "prompt": source.prompt(number, request.context_tokens),
                "max_tokens": request.generated_tokens,
                "ignore_eos": True,
                "seed": number,
                "stream": True,
                "stream_options": {"include_usage": True},
            }
        )
        for number, request in enumerate(trace.requests)
    ]
    vouchers = [scene.vouchers(customer) for customer in scene.customers]
    scripts: list[list[Step]] = [[] for _ in vouchers]
    for number, request in enumerate(trace.requests):
        place = number % CUSTOMERS
        due = request.at_us / _MICRO / pace
        scripts[place].append(Step(due, 0, number, next(vouchers[place])))
    return Job(ENDPOINT, [scene.shop.gateway.port], bodies, scripts, None)


def _tokens(answer: Answer) -> tuple[int, int]:
    assert answer.usage is not None
    return answer.usage["prompt_tokens"], answer.usage["completion_tokens"]


def _is_metered(trace: LlmTrace, answer: Answer, receipt: Receipt) -> bool:
    asked = trace.requests[answer.body]
    recorded = asked.context_tokens, asked.generated_tokens
    return recorded == _tokens(answer) == (receipt.input_tokens, receipt.output_tokens)


def _receipts(scene: Scene, ids: Sequence[str]) -> dict[str, Receipt]:
    """Those that are closed, each under its id, from the gateway's database."""
    twice = [one for one, count in Counter(ids).items() if count > 1]
    assert not twice, f"one receipt for several answers: {twice[0]}"
    url = make_url(scene.shop.gateway.environment["RACKSTREAM_GATEWAY_DATABASE_URL"])
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        rows = connection.execute(
            "select content from receipts where not is_open and id = any(%s)",
            ([bytes.fromhex(one) for one in ids],),
        ).fetchall()
    found = [Receipt.from_json(from_json(content)) for (content,) in rows]
    return {receipt.id.hex(): receipt for receipt in found}


def _spent(scene: Scene) -> int:
    """What the gateway says that its customers have spent."""
    url = f"{scene.shop.gateway.url}/v1/channels"
    with httpx.Client(timeout=30) as http:
        channels = [
            http.get(f"{url}/{customer.account.address}/{customer.session.address}").json()
            for customer in scene.customers
        ]
    return sum(int(channel["spentUsd6"]) for channel in channels)


def _collected(scene: Scene) -> int:
    return sum(scene.shop.collected(customer) for customer in scene.customers)
