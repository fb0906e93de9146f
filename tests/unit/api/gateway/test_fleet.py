"""Which server is asked first: one that works, the cheapest, the emptiest, the quickest."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.domain.prices import Price, Quote, SignedQuote, gateway_domain
from api.domain.signing import Signer
from api.errors import ConfigurationError, UnknownModel, UpstreamUnavailable
from api.gateway.fleet import Choice, Fleet, Seat, Standing, load_fleet
from api.gateway.metering import Usage
from api.gateway.upstream import Upstream
from api.types import Address, ClusterId

OPERATOR = Signer(b"\x01" * 32)
DOMAIN = gateway_domain(31337, Address("0x" + "5" * 40))
CHEAP, DEAR = Price(100, 100), Price(200, 200)
MOST = Usage(1_000_000, 1_000_000)
FIRST, SECOND = ClusterId(1), ClusterId(2)
GOOD = Standing(is_live=True, is_reliable=True)


def seat(
    name: str,
    cluster_id: ClusterId = FIRST,
    floor: Price = CHEAP,
    ceiling: Price | None = None,
    **terms: Any,
) -> Seat:
    quote = replace(Quote(cluster_id, "m", floor, ceiling or floor, 0, 2**40 - 1), **terms)
    signed = SignedQuote(quote, OPERATOR.address, OPERATOR.sign(quote.message(DOMAIN).digest))
    return Seat(signed, Upstream(f"http://{name}", 10), "own", None)


def fleet(*seats: Seat) -> Fleet:
    found = Fleet(seats)
    found.standings = dict.fromkeys(found.clusters, GOOD)
    return found


def order(fleet: Fleet, now: int = 1) -> list[str]:
    async def chosen() -> list[Choice]:
        return fleet.choices("m", MOST, now)

    return [choice.seat.upstream.host for choice in asyncio.run(chosen())]


async def now() -> float:
    return asyncio.get_running_loop().time()


def test_choices__cheaper_and_busier__comes_before_dearer() -> None:
    cheap, dear = seat("cheap", FIRST, CHEAP), seat("dear", SECOND, DEAR)
    cheap.upstream.in_flight, cheap.upstream.latency_ms = 9, 5_000
    assert order(fleet(dear, cheap)) == ["cheap", "dear"]


def test_choices__price_follows_the_load__the_emptier_cluster_is_cheaper() -> None:
    busy, empty = seat("busy", FIRST, CHEAP, DEAR), seat("empty", SECOND, CHEAP, DEAR)
    busy.upstream.in_flight = 5
    assert order(fleet(busy, empty)) == ["empty", "busy"]


def test_choices__same_price__the_one_with_more_room_then_the_quicker_one() -> None:
    full, quick, slow = seat("full"), seat("quick"), seat("slow")
    full.upstream.in_flight, full.upstream.latency_ms = 3, 1
    quick.upstream.latency_ms, slow.upstream.latency_ms = 10, 20
    assert order(fleet(full, slow, quick)) == ["quick", "slow", "full"]


def test_choices__failed_lately__comes_last_until_its_pause_is_over() -> None:
    failed, dear = seat("failed", FIRST, CHEAP), seat("dear", SECOND, DEAR)
    both = fleet(failed, dear)
    failed.upstream.failed(asyncio.run(now()))
    assert order(both) == ["dear", "failed"]
    failed.upstream.away_until = 0.0
    assert order(both) == ["failed", "dear"]


def test_choices__not_reliable_by_the_oracle__comes_after_the_dearest() -> None:
    doubtful, dear = seat("doubtful", FIRST, CHEAP), seat("dear", SECOND, DEAR)
    both = fleet(doubtful, dear)
    both.standings[FIRST] = Standing(is_live=True, is_reliable=False)
    assert order(both) == ["dear", "doubtful"]


def test_choices__not_live_unknown_full_or_out_of_time__are_left_out() -> None:
    live = seat("live")
    others = fleet(
        live,
        seat("dead", ClusterId(2)),
        seat("unread", ClusterId(3)),
        seat("late", ClusterId(4), valid_from=5, valid_until=10),
    )
    others.standings[ClusterId(2)] = Standing(is_live=False, is_reliable=False)
    del others.standings[ClusterId(3)]
    assert order(others, 4) == ["live"]
    assert order(others, 5) == ["live", "late"]
    assert order(others, 10) == ["live"]
    live.upstream.in_flight = live.upstream.slots
    with pytest.raises(UpstreamUnavailable):
        order(others, 10)


def test_choices__model_that_nobody_quotes__is_unknown() -> None:
    with pytest.raises(UnknownModel):
        fleet(seat("other", model="other")).choices("m", MOST, 1)


# -- the operator's file --------------------------------------------------------------------------


def written(folder: Path, quote: SignedQuote, **changes: object) -> Path:
    server = {"clusterId": 1, "url": "http://server/", "slots": 2, "models": {"m": "own"}}
    content = {"quotes": [quote.to_json()], "upstreams": [server | changes]}
    path = folder / "fleet.json"
    path.write_text(json.dumps(content))
    return path


def test_load_fleet__newer_quote_beside_an_older__the_one_that_lasts_longer_counts(
    tmp_path: Path,
) -> None:
    older, newer = seat("a", valid_until=10).signed, seat("a", floor=DEAR, valid_until=20).signed
    path = written(tmp_path, older)
    content = json.loads(path.read_text())
    content["quotes"].append(newer.to_json())
    path.write_text(json.dumps(content))
    (found,) = load_fleet(path, DOMAIN).models["m"]
    assert found.signed == newer
    assert (found.upstream.url, found.upstream_model) == ("http://server", "own")


@pytest.mark.parametrize(
    "changes",
    [
        {"slots": 0},
        {"url": "ftp://server"},
        {"tokenizer": "unheard-of"},
        {"models": {"unquoted": "own"}},
        {"clusterId": 2},
        {"apiKeyFile": "/nowhere"},
    ],
    ids=str,
)
def test_load_fleet__server_that_cannot_be_meant__is_refused(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    with pytest.raises(ConfigurationError):
        load_fleet(written(tmp_path, seat("a").signed, **changes), DOMAIN)


def test_load_fleet__quote_of_somebody_else__is_refused(tmp_path: Path) -> None:
    signed = seat("a").signed
    forged = replace(signed, operator=Signer(b"\x02" * 32).address)
    with pytest.raises(ConfigurationError):
        load_fleet(written(tmp_path, forged), DOMAIN)
