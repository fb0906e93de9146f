from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator

import pytest

from api.chain.client import ChainClient
from api.store.database import Database
from api.store.embedded import EmbeddedPostgres
from tests.support.database import database, migrated, postgres, url
from tests.support.market import CHAIN_ID, Cashier, Market, open_market
from tests.support.market_gateway import ODD_MODEL, selling
from tests.support.odd_upstream import OddUpstream
from tests.support.own_node import Node
from tests.support.selling import GatewayProcess

__all__ = ["database", "migrated", "postgres", "url"]


@pytest.fixture(scope="session")
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


@pytest.fixture
async def client(market: Market) -> AsyncIterator[ChainClient]:
    client = ChainClient(market.node.url, chain_id=CHAIN_ID)
    yield client
    await client.close()


@pytest.fixture(scope="package")
def odd() -> Iterator[OddUpstream]:
    upstream = OddUpstream().start()
    yield upstream
    upstream.stop()


@pytest.fixture(scope="module")
def gateway(
    market: Market,
    postgres: EmbeddedPostgres,
    odd: OddUpstream,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[GatewayProcess]:
    """As the `Cashier` does, it sends with the gateway's key: they take turns."""
    # A worker may see more than one market.
    folder, url = tmp_path_factory.mktemp("gateway"), postgres.url(f"x{secrets.token_hex(6)}")
    with selling(market, folder, url, {ODD_MODEL: odd.url}) as process:
        yield process
