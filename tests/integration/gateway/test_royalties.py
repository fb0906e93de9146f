"""A model whose owner is owed a royalty, from the operator's quote to the chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction

import httpx
import pytest

from api.domain.prices import gateway_domain
from api.domain.way import Place
from api.store.embedded import EmbeddedPostgres
from api.types import LOCAL_CHAIN_ID
from scripts._lib import following
from tests.integration.gateway.test_following import ask, follow
from tests.support.reporting import CLUSTER, Stage
from tests.support.selling import MODEL, MODEL_OWNER, OPERATOR, USD, Shop, quote, until
from tests.support.ways import amount_in

ROYALTY_BPS = 733


@pytest.fixture(scope="module")
def shop(
    stage: Stage, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """It sells MODEL, which MODEL_OWNER has registered."""
    folder = tmp_path_factory.mktemp("royalties")
    shop = Shop.open(stage, folder, postgres.url("royalties"), royalty_bps=ROYALTY_BPS)
    yield shop
    shop.close()


def owed(shop: Shop) -> int:
    """To the model's owner."""
    owner = MODEL_OWNER.address
    return int(shop.read("InferencePayments", shop.payments, "royaltyOwedUsd6", owner))


async def test_collect__model_with_an_owner__is_shared_to_the_unit_and_followed(
    shop: Shop,
) -> None:
    before, had = owed(shop), shop.income()
    customer = shop.customer(3, 5 * USD)
    ids = [ask(shop, customer, question) for question in ("What is a rack?", "And a stream?")]
    told = [following.fetch(shop.gateway.url, one) for one in ids]
    charges = [one.receipt.charge_usd6 for one in told]
    until(lambda: shop.collected(customer) == sum(charges), "the charges collected")

    royalty = owed(shop) - before
    assert shop.income() - had == sum(charges) - royalty
    ways = [await follow(shop, following.fetch(shop.gateway.url, one)) for one in ids]
    # As many batches as it took: of each the royalty was rounded down, once.
    exact = Fraction(sum(charges) * ROYALTY_BPS, 10_000)
    assert exact - len(ids) < royalty <= exact
    assert sum(amount_in(way, Place.ROYALTY) for way in ways) == royalty
    for way in ways:
        (part,) = [part for part in way.parts if part.place is Place.ROYALTY]
        assert part.who == MODEL_OWNER.address
        assert sum(one.amount for one in way.parts) == way.receipt.charge_usd6


def test_models__with_an_owner__are_told(shop: Shop) -> None:
    (model,) = httpx.get(f"{shop.gateway.url}/v1/models", timeout=10).json()["data"]
    assert model["clusters"][0]["quote"]["modelOwner"] == MODEL_OWNER.address


def test_start__owner_who_has_not_registered_the_model__is_refused(shop: Shop) -> None:
    gateway = shop.gateway
    fleet = shop.fleet.read_text()
    signed = quote(
        gateway_domain(LOCAL_CHAIN_ID, shop.payments), CLUSTER, MODEL, model_owner=OPERATOR.address
    )
    content = json.loads(fleet) | {"quotes": [signed.to_json()]}
    gateway.stop()
    try:
        shop.fleet.write_text(json.dumps(content))
        gateway.launch()
        until(lambda: "ModelRegistry_Unknown" in gateway.log(), "the refusal")
        until(lambda: not gateway.is_alive, "the end")
    finally:
        gateway.stop()
        shop.fleet.write_text(fleet)
        gateway.start()
