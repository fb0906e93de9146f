"""Shops for the tests of this folder; each test has customers of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.store.embedded import EmbeddedPostgres
from tests.support.odd_upstream import OddUpstream
from tests.support.reporting import Stage
from tests.support.selling import Shop


@pytest.fixture(scope="package")
def shop(
    stage: Stage, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    shop = Shop.open(stage, tmp_path_factory.mktemp("shop"), postgres.url("shop"))
    yield shop
    shop.close()


@pytest.fixture(scope="package")
def odd() -> Iterator[OddUpstream]:
    upstream = OddUpstream().start()
    yield upstream
    upstream.stop()


@pytest.fixture(scope="package")
def bad(
    stage: Stage,
    postgres: EmbeddedPostgres,
    odd: OddUpstream,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Shop]:
    """A shop with nothing but the odd server, whose gateway is not patient."""
    shop = Shop.open(
        stage,
        tmp_path_factory.mktemp("bad"),
        postgres.url("bad"),
        upstreams=[odd.url],
        has_model=False,
        idle_s=1,
        patience_s=2,
    )
    yield shop
    shop.close()
