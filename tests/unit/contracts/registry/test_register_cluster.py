"""ClusterRegistry.registerCluster: a cluster is Proposed, with its issuer and specification.

Branches: issuer (zero, named) × authorised shares (below, at, above the bounds) × each field of the
specification (below, at, above its range; texts malformed).
"""

from __future__ import annotations

from typing import Any

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from ape.utils import ZERO_ADDRESS

from scripts._lib import roles
from tests.support.registry import Status, spec_of
from tests.support.scenario import YEAR_SECONDS, default_spec, text32

MIN_SHARES = 10**6
MAX_SHARES = 2**63 - 1


def test_register_cluster__valid__proposed_with_issuer_and_spec(
    registry: ContractInstance,
    authority: ContractInstance,
    registrar: AccountAPI,
    issuer: AccountAPI,
) -> None:
    before = registry.clusterCount()

    receipt = registry.registerCluster(issuer, 5_000_000, default_spec(), sender=registrar)

    cluster_id = before + 1
    assert registry.clusterCount() == cluster_id
    cluster = registry.cluster(cluster_id)
    assert (cluster.status, cluster.firstEpoch, cluster.lastEpoch) == (Status.PROPOSED, 0, 0)
    assert (cluster.authorisedShares, cluster.share) == (5_000_000, ZERO_ADDRESS)
    assert registry.issuerOf(cluster_id) == issuer.address
    assert authority.hasRole(roles.over(roles.ISSUER, cluster_id), issuer) == (True, 0)
    spec, from_epoch = registry.specAt(cluster_id, 0)
    assert (spec_of(spec), from_epoch) == (default_spec(), 0)

    [registered] = receipt.decode_logs(registry.ClusterRegistered)
    assert (registered.clusterId, registered.issuer) == (cluster_id, issuer.address)
    assert registered.authorisedShares == 5_000_000
    assert spec_of(registered.spec) == default_spec()
    [changed] = receipt.decode_logs(registry.ClusterStatusChanged)
    assert (changed.clusterId, changed.actor) == (cluster_id, registrar.address)
    assert (changed.previousStatus, changed.status) == (Status.NONE, Status.PROPOSED)


def test_register_cluster__second__next_id_and_no_power_over_the_first(
    registry: ContractInstance,
    authority: ContractInstance,
    registrar: AccountAPI,
    issuer: AccountAPI,
    other_issuer: AccountAPI,
) -> None:
    registry.registerCluster(issuer, MIN_SHARES, default_spec(), sender=registrar)
    first = registry.clusterCount()
    registry.registerCluster(other_issuer, MIN_SHARES, default_spec(), sender=registrar)

    assert registry.clusterCount() == first + 1
    assert not authority.hasRole(roles.over(roles.ISSUER, first), other_issuer)[0]
    assert not authority.hasRole(roles.over(roles.ISSUER, first + 1), issuer)[0]


def test_register_cluster__zero_issuer__refused(
    registry: ContractInstance, registrar: AccountAPI
) -> None:
    with ape.reverts(registry.ClusterRegistry_ZeroAddress):
        registry.registerCluster(ZERO_ADDRESS, MIN_SHARES, default_spec(), sender=registrar)


@pytest.mark.parametrize("shares", [MIN_SHARES, MAX_SHARES])
def test_register_cluster__authorised_shares_at_bound__accepted(
    registry: ContractInstance, registrar: AccountAPI, issuer: AccountAPI, shares: int
) -> None:
    registry.registerCluster(issuer, shares, default_spec(), sender=registrar)
    assert registry.cluster(registry.clusterCount()).authorisedShares == shares


@pytest.mark.parametrize("shares", [0, MIN_SHARES - 1, MAX_SHARES + 1, 2**64 - 1])
def test_register_cluster__authorised_shares_out_of_range__refused(
    registry: ContractInstance, registrar: AccountAPI, issuer: AccountAPI, shares: int
) -> None:
    with ape.reverts(
        registry.ClusterRegistry_AuthorisedSharesOutOfRange,
        value=shares,
        minimum=MIN_SHARES,
        maximum=MAX_SHARES,
    ):
        registry.registerCluster(issuer, shares, default_spec(), sender=registrar)


RANGES = {
    "gpuCount": (1, 1_000_000, 32),
    "gpuMaxPowerWatts": (1, 65_535, 16),
    "gpuIdlePowerWatts": (0, 700, 16),
    "pueBps": (10_000, 30_000, 16),
    "tariffUsd6PerKwh": (0, 10_000_000, 32),
    "contractedRateUsd6PerGpuHour": (0, 100_000_000, 32),
    "reserveShareBps": (0, 10_000, 16),
    "depreciationLifeSeconds": (YEAR_SECONDS, 15 * YEAR_SECONDS, 32),
    "pricePaidUsd6": (0, 10**18, 64),
    "reserveTargetUsd6": (0, 10**18, 64),
}


def changes(field: str, value: int) -> dict[str, Any]:
    """The specification with one field changed and nothing else made invalid by it."""
    if field == "gpuMaxPowerWatts":
        return {field: value, "gpuIdlePowerWatts": 0}
    return {field: value}


@pytest.mark.parametrize("field", RANGES)
def test_register_cluster__field_at_bounds__accepted(
    registry: ContractInstance, registrar: AccountAPI, issuer: AccountAPI, field: str
) -> None:
    for value in RANGES[field][:2]:
        spec = default_spec(**changes(field, value))
        registry.registerCluster(issuer, MIN_SHARES, spec, sender=registrar)
        stored, _ = registry.specAt(registry.clusterCount(), 0)
        assert spec_of(stored) == spec


def beyond(field: str) -> list[int]:
    """Values next to the range that the field's type can hold, and the type's own extremes."""
    minimum, maximum, bits = RANGES[field]
    candidates = {minimum - 1, 0, maximum + 1, 2**bits - 1}
    return sorted(v for v in candidates if 0 <= v < 2**bits and not minimum <= v <= maximum)


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field in RANGES for value in beyond(field)]
)
def test_register_cluster__field_out_of_range__refused_by_name(
    registry: ContractInstance, registrar: AccountAPI, issuer: AccountAPI, field: str, value: int
) -> None:
    minimum, maximum, _ = RANGES[field]
    with ape.reverts(
        registry.ClusterRegistry_SpecOutOfRange,
        field=field,
        value=value,
        minimum=minimum,
        maximum=maximum,
    ):
        registry.registerCluster(
            issuer, MIN_SHARES, default_spec(**changes(field, value)), sender=registrar
        )


def test_register_cluster__idle_power_above_maximum__refused(
    registry: ContractInstance, registrar: AccountAPI, issuer: AccountAPI
) -> None:
    spec = default_spec(gpuMaxPowerWatts=300, gpuIdlePowerWatts=301)
    with ape.reverts(
        registry.ClusterRegistry_SpecOutOfRange, field="gpuIdlePowerWatts", value=301, maximum=300
    ):
        registry.registerCluster(issuer, MIN_SHARES, spec, sender=registrar)


@pytest.mark.parametrize("text", ["A", "~", " ", "x" * 31], ids=["one", "last", "space", "longest"])
@pytest.mark.parametrize("field", ["gpuModel", "region"])
def test_register_cluster__text_at_bounds__accepted(
    registry: ContractInstance, registrar: AccountAPI, issuer: AccountAPI, field: str, text: str
) -> None:
    spec = default_spec(**{field: text32(text)})
    registry.registerCluster(issuer, MIN_SHARES, spec, sender=registrar)
    assert spec_of(registry.specAt(registry.clusterCount(), 0)[0])[field] == text32(text)


@pytest.mark.parametrize(
    "value",
    [
        b"\0" * 32,
        b"x" * 32,
        b"H100\0H100".ljust(32, b"\0"),
        b"\0H100".ljust(32, b"\0"),
        b"H100\n".ljust(32, b"\0"),
        b"H\x7f".ljust(32, b"\0"),
        "Zürich".encode().ljust(32, b"\0"),
        b"H100".ljust(31, b"\0") + b"\x01",
    ],
    ids=["empty", "32 bytes", "gap", "zero first", "control", "delete", "not ASCII", "last byte"],
)
@pytest.mark.parametrize("field", ["gpuModel", "region"])
def test_register_cluster__text_malformed__refused_by_name(
    registry: ContractInstance, registrar: AccountAPI, issuer: AccountAPI, field: str, value: bytes
) -> None:
    with ape.reverts(registry.ClusterRegistry_SpecTextInvalid, field=field, value=value):
        registry.registerCluster(
            issuer, MIN_SHARES, default_spec(**{field: value}), sender=registrar
        )
