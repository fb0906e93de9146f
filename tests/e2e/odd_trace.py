"""A trace of everything that a file may be. Times are whole seconds from the file's first."""

from __future__ import annotations

import random
from pathlib import Path

from tests.support.seconds import Container

START = 1_234_567_890


def containers() -> list[Container]:
    """Five of them, other than one another in every way that is allowed."""
    dice = random.Random(7)

    def series(first: int, last: int, step: int, *, silent: range = range(0)) -> dict[int, int]:
        times = [at for at in range(first, last + 1, step) if at not in silent]
        return {at: dice.randrange(0, 10_001) for at in times}

    jittered = {
        at + (dice.randrange(0, 9) if 0 < at < 10_000 else 0): dice.randrange(10_001)
        for at in range(0, 10_001, 50)
    }
    return [
        Container("GPU-2c7d6b1e-77f0-4c4e-9f0e-6a1b8e2f0001", 60, series(0, 10_500, 60)),
        Container("узел-3/карта-0", 30, series(1_800, 9_000, 30)),
        # Silent for ten minutes over the end of the first hour, and for a minute and a half later.
        Container("10.0.0.7", 60, series(0, 10_440, 60, silent=range(3_400, 4_000))),
        Container("jitters", 50, jittered),
        Container("late, and away early", 120, series(4_000, 8_080, 120)),
    ]


def write(path: Path) -> Path:
    """The file: columns in another order and one more, rows shuffled, some repeated, CRLF, quotes,
    and one container with a single sample."""
    rows = [
        f'"{one.name}",{START + at}.0,node,{value / 100:.2f}'
        for one in containers()
        for at, value in one.samples.items()
    ]
    rows += rows[::97]
    rows.append(f"seen once,{START + 5_000}.0,node,50.0")
    random.Random(11).shuffle(rows)
    header = "container_ip,timestamp_anon,note,value"
    path.write_text("\r\n".join([header, *rows, ""]), encoding="utf-8", newline="")
    return path
