"""From an answer's last byte until its payment is at the Waterfall, for anybody to distribute."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

import httpx

from scripts._lib.anvil import rpc
from tests.bench.gateway.official import ENDPOINT
from tests.bench.gateway.scene import SIGNED_AHEAD_USD6, Scene, prompts
from tests.bench.gateway.speed import STREAM
from tests.support.selling import until

TIMES = 6
INTERVAL_SECONDS = 5.0
BLOCK_SECONDS = 2.0
"""As a rollup's."""


@dataclass(frozen=True)
class PayingOut:
    """Seconds of each payment, with collections and blocks so far apart."""

    interval: float
    block: float
    seconds: tuple[float, ...]


def measure_paying_out(scene: Scene) -> PayingOut:
    """At any moment between two collections, one request after another.

    The gateway collects more often than by default, so that this does not take minutes.
    """
    port = scene.shop.anvil.port
    scene.restart_gateway(collect_s=INTERVAL_SECONDS)
    rpc(port, "evm_setAutomine", False)
    rpc(port, "evm_setIntervalMining", int(BLOCK_SECONDS))
    try:
        chance = random.Random(1)
        found = [_once(scene, chance.uniform(0, INTERVAL_SECONDS)) for _ in range(TIMES)]
    finally:
        rpc(port, "evm_setIntervalMining", 0)
        rpc(port, "evm_setAutomine", True)
    return PayingOut(INTERVAL_SECONDS, BLOCK_SECONDS, tuple(found))


def _once(scene: Scene, pause: float) -> float:
    time.sleep(pause)
    customer = scene.customers[0]
    before = scene.shop.income()
    answer = httpx.post(
        scene.shop.gateway.url + ENDPOINT,
        content=STREAM.body(prompts(), 0),
        headers=customer.pay(SIGNED_AHEAD_USD6),
        timeout=30,
    )
    ended = time.monotonic()
    assert answer.status_code == 200, answer.text
    until(lambda: scene.shop.income() > before, "the payment at the Waterfall", 60)
    return time.monotonic() - ended
