"""`make demo`'s own process: what it ends with, what it refuses, what it survives."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import odd_trace
from tests.e2e.conftest import Command, Start, end_and_look
from tests.support import seconds

IDLE_WATTS, MAX_WATTS = 100, 700
PRICE_USD6 = 2_350_000


def summary(command: Command) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((command.folder / "summary.json").read_text())
    return loaded


def requests_file(path: Path, lengths: Sequence[tuple[int, int]]) -> Path:
    """A trace of requests, ten seconds apart, the newest first, with more columns than needed."""
    rows = [
        f"{made},2023-11-16 18:{at // 6:02}:{at % 6 * 10:02}.1234567,x,{read}"
        for at, (read, made) in enumerate(lengths)
    ]
    header = "GeneratedTokens,TIMESTAMP,note,ContextTokens"
    path.write_text("\r\n".join([header, *reversed(rows), ""]), newline="")
    return path


def test_demo__odd_traces__agrees_with_a_count_second_by_second_and_token_by_token(
    start: Start, tmp_path: Path
) -> None:
    trace = odd_trace.write(tmp_path / "odd.csv")
    lengths = [(1 + number * 97 % 3_000, 1 + number * 31 % 200) for number in range(40)]
    lengths.insert(20, (32_768, 1))
    requests = requests_file(tmp_path / "asked.csv", lengths)
    demo = start("demo", ["--trace", str(trace), "--price", "2.35", "--requests", str(requests)])
    assert demo.wait() == 0, demo.text()

    said = summary(demo)
    hours = list(seconds.hours(odd_trace.containers(), IDLE_WATTS, MAX_WATTS))
    assert [
        seconds.Hour(
            one["contractedGpuSeconds"],
            one["availableGpuSeconds"],
            one["busyGpuSeconds"],
            one["energyWh"],
        )
        for one in said["epochs"]
    ] == hours
    assert said["succeeded"] is True
    assert said["trace"]["name"] == "odd.csv"
    assert said["trace"]["selfMade"] is False
    assert said["trace"]["gpus"] == 5
    assert said["trace"]["leftOut"] == ["seen once"]
    assert said["trace"]["repeatedRows"] > 0
    assert said["energy"] == {"wattHours": sum(h.energy_wh for h in hours), "source": "modelled"}
    contracted = sum(hour.contracted for hour in hours)
    assert said["availabilityBps"] == sum(h.available for h in hours) * 10_000 // contracted
    assert said["meanUtilisationBps"] == sum(h.busy for h in hours) * 10_000 // contracted

    # The one that is too long is left out; the others cost $30 and $60 for a million tokens.
    served = [one for one in lengths if one[0] + one[1] <= 32_768]
    sold = said["inference"]
    assert sold["trace"] == {"name": "asked.csv", "recorded": 41, "leftOut": 1}
    assert sold["selfMade"] is False
    assert sold["requests"] == len(served) == 40
    assert sold["tokens"] == {
        "in": sum(read for read, _ in served),
        "out": sum(made for _, made in served),
    }
    charges = [30 * read + 60 * made for read, made in served]
    assert sold["billedUsd6"] == sum(charges)
    assert sold["incomeUsd6"] + sold["royaltyUsd6"] == sum(charges)
    assert sold["largestRequestUsd6"] == max(charges)
    assert sold["feeUsd6"] == 0
    # Every tenth is paid by x402: for the most that it could come to, the rest is given back.
    by_voucher, by_x402 = sold["byVoucher"], sold["byX402"]
    for one, served_so, billed in (
        (by_voucher, 36, sum(charges) - sum(charges[9::10])),
        (by_x402, 4, sum(charges[9::10])),
    ):
        assert one["requests"] == served_so
        assert one["billedUsd6"] == one["takenUsd6"] == billed
        assert one["repeats"] == one["cutOffUsd6"] == 0
        assert one["gasPerRequest"] == -(-one["gas"] // served_so) > 0
    assert by_x402["transferredUsd6"] > by_x402["takenUsd6"]
    # 3 % of each batch, rounded down.
    batches = by_voucher["batches"] + by_x402["batches"]
    assert 0 <= sum(charges) * 3 // 100 - sold["royaltyUsd6"] < batches
    assert sum(one["requests"] for one in said["epochs"]) == 40
    # One request's dollars are followed to whoever earned them, the parts are the whole.
    way = sold["way"]
    assert way["receipt"]["chargeUsd6"] == str(max(charges))
    assert sum(Fraction(part["amountUsd6"]) for part in way["parts"]) == max(charges)

    # All busy time is billed, and every unit of it is somewhere.
    flow = said["waterfallUsd6"]
    assert said["incomeUsd6"] == {
        "leases": sum(h.busy for h in hours) * PRICE_USD6 // 3_600,
        "inference": sold["incomeUsd6"],
    }
    assert flow["received"] == sum(said["incomeUsd6"].values())
    parts = ("operatorEarned", "escrowed", "tranches", "reserve", "holders", "undistributed")
    assert flow["received"] == sum(flow[part] for part in parts)
    assert flow["holders"] > 0
    earned = sum(holder["earnedUsd6"] for holder in said["holders"])
    assert 0 <= flow["holders"] - earned < len(said["holders"])
    assert all(h["earnedUsd6"] == h["claimedUsd6"] for h in said["holders"])
    assert all(h["claimableUsd6"] == 0 for h in said["holders"])
    assert len(said["equations"]) > 30
    assert all(equation["holds"] for equation in said["equations"])
    assert (demo.folder / "chart.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert "Conservation" in demo.text()
    assert "1 containers with a single sample" in demo.text()
    assert "1 requests of more than 32,768 tokens" in demo.text()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("12.5,noon,gpu-1", "row 4: timestamp_anon 'noon' is not a number"),
        ("120,1700000120,gpu-1", "row 4: value '120' is outside 0 to 100"),
        ("12.5,1700000060,gpu-1", "row 4: contradicts row 3"),
        ("12.5,1700000120", "row 4: 2 fields"),
    ],
)
def test_demo__malformed_row__refused_with_row_and_reason(
    start: Start, tmp_path: Path, row: str, reason: str
) -> None:
    trace = tmp_path / "bad.csv"
    good = ["value,timestamp_anon,container_ip", "1,1700000000,gpu-1", "2,1700000060,gpu-1"]
    trace.write_text("\n".join([*good, row]) + "\n")
    demo = start("demo", ["--trace", str(trace)])
    assert demo.wait(60) == 2
    assert reason in demo.text()
    assert not (demo.folder / "summary.json").exists()
    assert not list((demo.folder / "logs").glob("reporter-*"))


@pytest.mark.chaos
def test_demo__every_kind_of_process_killed__recovers_and_loses_nothing(
    start: Start, tmp_path: Path
) -> None:
    rows = [
        f"{(hour * 13 + gpu * 29) % 100},{1_600_000_000 + hour * 3_600 + tick * 60},gpu-{gpu}"
        for gpu in range(4)
        for hour in range(9)
        for tick in range(60)
    ]
    trace = tmp_path / "nine hours.csv"
    trace.write_text("\n".join(["value,timestamp_anon,container_ip", *rows]) + "\n")
    demo = start("demo", ["--trace", str(trace)])

    demo.wait_until("first report", lambda: demo.settled() >= 1)
    os.kill(demo.pids("api.oracle")[1], signal.SIGKILL)
    demo.wait_until("second report", lambda: demo.settled() >= 2)
    # The clock has just left the hour in which payments were good that are not final.
    hour = demo.chain_hour()
    demo.wait_until("an hour's end", lambda: demo.chain_hour() > hour)
    os.kill(demo.pids("anvil")[0], signal.SIGKILL)
    demo.wait_until("third report", lambda: demo.settled() >= 3)
    os.kill(demo.pids("anvil")[0], signal.SIGKILL)
    demo.wait_until("fourth report", lambda: demo.settled() >= 4)
    os.kill(demo.pids("api.gateway")[0], signal.SIGKILL)
    os.kill(demo.pids("api.ngram")[0], signal.SIGKILL)
    demo.wait_until("fifth report", lambda: demo.settled() >= 5)
    database = demo.database_pid()
    assert database is not None
    os.kill(database, signal.SIGKILL)
    demo.wait_until("last report", lambda: demo.settled() >= 9)
    os.kill(demo.pids("anvil")[0], signal.SIGKILL)
    assert demo.wait() == 0, demo.text()

    said = summary(demo)
    assert said["succeeded"] is True
    assert said["trace"]["epochsReplayed"] == 9
    assert len(said["epochs"]) == 9
    died = {"reporter-2", "anvil", "gateway", "upstream", "postgresql"}
    assert said["restarts"].keys() >= died
    assert said["inference"]["requests"] == 9 * 50
    assert "anvil died and was started again" in demo.text()


def test_demo__malformed_requests__refused_with_file_row_and_reason(
    start: Start, tmp_path: Path
) -> None:
    requests = requests_file(tmp_path / "bad requests.csv", [(5, 1), (0, 1)])
    demo = start("demo", ["--requests", str(requests)])
    assert demo.wait(60) == 2
    said = demo.text().replace("\n", "")
    assert f"{requests}: row 2: ContextTokens 0 is outside 1 to 1000000" in said


def test_demo__told_to_stop__leaves_nothing_behind(start: Start) -> None:
    demo = start("demo", ["--epochs", "2"])
    demo.wait_until("agents", lambda: len(demo.pids("api.agent")) == 4)
    status, alive = end_and_look(demo, signal.SIGTERM)
    assert status == 130
    assert alive == []
    assert "interrupted" in demo.text()


def test_demo__another_in_its_folder__says_so(start: Start) -> None:
    first = start("demo", ["--epochs", "1"])
    first.wait_until("its lock", lambda: (first.folder / "state").exists())
    second = start("demo", ["--epochs", "1"])
    assert second.wait(60) == 1
    assert "another command is running" in second.text()
    end_and_look(first, signal.SIGINT)
