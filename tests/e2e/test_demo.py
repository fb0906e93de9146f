"""`make demo`'s own process: what it ends with, what it refuses, what it survives."""

from __future__ import annotations

import json
import os
import signal
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


def test_demo__odd_trace__agrees_with_a_count_second_by_second(
    start: Start, tmp_path: Path
) -> None:
    trace = odd_trace.write(tmp_path / "odd.csv")
    demo = start("demo", ["--trace", str(trace), "--price", "2.35"])
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

    # All busy time is billed, and every unit of it is somewhere.
    flow = said["waterfallUsd6"]
    assert flow["received"] == sum(h.busy for h in hours) * PRICE_USD6 // 3_600
    parts = ("operatorEarned", "escrowed", "tranches", "reserve", "holders", "undistributed")
    assert flow["received"] == sum(flow[part] for part in parts)
    assert flow["holders"] > 0
    earned = sum(holder["earnedUsd6"] for holder in said["holders"])
    assert 0 <= flow["holders"] - earned < len(said["holders"])
    assert all(h["earnedUsd6"] == h["claimedUsd6"] for h in said["holders"])
    assert all(h["claimableUsd6"] == 0 for h in said["holders"])
    assert len(said["equations"]) > 20
    assert all(equation["holds"] for equation in said["equations"])
    assert (demo.folder / "chart.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert "Conservation" in demo.text()
    assert "1 containers with a single sample" in demo.text()


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
def test_demo__reporter_anvil_and_postgresql_killed__recovers_and_loses_nothing(
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
    demo.wait_until("third report", lambda: demo.settled() >= 3)
    os.kill(demo.pids("anvil")[0], signal.SIGKILL)
    demo.wait_until("fifth report", lambda: demo.settled() >= 5)
    database = demo.database_pid()
    assert database is not None
    os.kill(database, signal.SIGKILL)
    assert demo.wait() == 0, demo.text()

    said = summary(demo)
    assert said["succeeded"] is True
    assert said["trace"]["epochsReplayed"] == 9
    assert len(said["epochs"]) == 9
    assert said["restarts"].keys() >= {"reporter-2", "anvil", "postgresql"}
    assert "anvil died and was started again" in demo.text()


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
