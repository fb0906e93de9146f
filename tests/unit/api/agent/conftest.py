from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.agent.outbox import Outbox
from api.types import ClusterId
from tests.unit.api.agent.batches import ORACLE, SIGNER, A, B


@pytest.fixture
def outbox_at(tmp_path: Path) -> Iterator[Callable[..., Outbox]]:
    """Opens the outbox in `tmp_path`, as often as wanted, and closes it."""
    opened: list[Outbox] = []

    def open_it(*reporters: str, **change: Any) -> Outbox:
        for one in opened:
            one.close()
        arguments = {
            "agent": SIGNER.address,
            "cluster_id": ClusterId(1),
            "chain_id": 31337,
            "oracle": ORACLE,
            "reporters": reporters or (A, B),
        }
        outbox = Outbox(tmp_path / "deep" / "outbox.sqlite", **{**arguments, **change})
        opened.append(outbox)
        return outbox

    yield open_it
    for one in opened:
        one.close()
