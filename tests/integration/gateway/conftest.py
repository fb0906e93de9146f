"""One shop for the tests of this folder; each has customers of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.store.embedded import EmbeddedPostgres
from tests.support.reporting import Stage
from tests.support.selling import Shop


@pytest.fixture(scope="package")
def shop(
    stage: Stage, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    shop = Shop.open(stage, tmp_path_factory.mktemp("shop"), postgres.url("shop"))
    yield shop
    shop.close()
