from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from api.store.database import Database
from tests.support.database import database, migrated, postgres, url
from tests.support.market import CHAIN_ID, Cashier, Market, open_market
from tests.support.own_node import Node

__all__ = ["database", "migrated", "postgres", "url"]


@pytest.fixture(scope="package")
def market() -> Iterator[Market]:
    node = Node()
    node.start(CHAIN_ID)
    try:
        yield open_market(node)
    finally:
        node.kill()


@pytest.fixture
async def cashier(market: Market, database: Database) -> AsyncIterator[Cashier]:
    cashier = Cashier(market, database)
    yield cashier
    await cashier.close()
