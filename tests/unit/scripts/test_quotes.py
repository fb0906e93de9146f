"""What `ape run quote` signs and writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ape import chain, reverts
from ape.api import AccountAPI

from api.domain.prices import Price, Quote, gateway_domain
from api.gateway.fleet import load_fleet
from api.types import Address, ClusterId
from scripts._lib import quotes
from scripts._lib.deployment import DeploymentError, System
from tests.support.scenario import SHARE, Scenario

UNTIL = 2**33


def quote(cluster_id: int, price: int = 200_000) -> Quote:
    floor, ceiling = Price(price, 2 * price), Price(2 * price, 4 * price)
    return Quote(ClusterId(cluster_id), "tiny", floor, ceiling, 0, UNTIL)


def server(cluster_id: int, url: str = "http://127.0.0.1:9") -> quotes.Server:
    return quotes.Server(cluster_id, url, 8, {"tiny": "tiny-1b"}, None)


def test_sign__somebody_else__refused(system: System, holder: AccountAPI) -> None:
    with pytest.raises(DeploymentError, match="is not the operator of cluster 1"):
        quotes.sign(system, quote(1), holder)


def test_sign__with_a_models_owner__who_has_registered_it_alone(
    system: System, scenario: Scenario, holder: AccountAPI, operator: AccountAPI
) -> None:
    live_cluster, _ = scenario.live_cluster([holder], [1_000 * SHARE])
    asked = replace(quote(live_cluster), model_owner=Address(str(holder.address)))
    with reverts(system.models.ModelRegistry_Unknown, modelId=asked.work.model_id):
        quotes.sign(system, asked, operator)
    system.models.register("tiny", holder, 500, bytes(32), sender=holder)
    signed = quotes.sign(system, asked, operator)
    assert quotes.in_words(signed).endswith(f", with a royalty to {holder.address}")


def test_put__again_and_another_server__gateway_reads_the_newest(
    system: System, scenario: Scenario, holder: AccountAPI, operator: AccountAPI, tmp_path: Path
) -> None:
    live_cluster, _ = scenario.live_cluster([holder], [1_000 * SHARE])
    fleet = tmp_path / "gateway" / "fleet.json"
    for price in (100_000, 200_000):
        signed = quotes.sign(system, quote(live_cluster, price), operator)
        quotes.put(fleet, signed, server(live_cluster))
    quotes.put(fleet, signed, server(live_cluster, "http://127.0.0.1:10"))

    domain = gateway_domain(int(chain.chain_id), Address(str(system.payments.address)))
    seats = load_fleet(fleet, domain).models["tiny"]

    assert [seat.upstream.url for seat in seats] == ["http://127.0.0.1:9", "http://127.0.0.1:10"]
    assert {seat.quote.floor for seat in seats} == {Price(200_000, 400_000)}
    assert {seat.upstream_model for seat in seats} == {"tiny-1b"}
    assert quotes.in_words(signed).startswith(
        f"cluster {live_cluster}, tiny: $0.200000 in and $0.400000 out a million tokens, up to"
    )
