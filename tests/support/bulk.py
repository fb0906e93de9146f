"""Clusters by the hundred, for what looks at their figures and at no share."""

from __future__ import annotations

from collections.abc import Sequence

from ape import chain
from ape.api import AccountAPI
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from scripts._lib.deployment import System
from tests.support.node import Call, node_of_ape
from tests.support.scenario import EPOCH_SECONDS, SHARE, Spec, current_epoch, travel_to


def live_clusters(
    system: System, registrar: AccountAPI, issuer: AccountAPI, specs: Sequence[Spec]
) -> list[int]:
    """A Live cluster for each spec, all with one first epoch. In place of a share a stand-in."""
    registry = system.registry
    travel_to((current_epoch() + 1) * EPOCH_SECONDS)
    first = int(registry.clusterCount()) + 1
    ids = list(range(first, first + len(specs)))
    with node_of_ape() as node:
        for cluster_id, spec in zip(ids, specs, strict=True):
            share = _stand_in_share(cluster_id)
            for sender, function, *arguments in (
                (registrar, "registerCluster", str(issuer.address), SHARE, tuple(spec.values())),
                (registrar, "registerShare", cluster_id, share),
                (registrar, "openFunding", cluster_id),
                (issuer, "goLive", cluster_id),
            ):
                call = Call(registry, function, tuple(arguments))
                assert node.send(None, str(sender.address), call)
    assert len({registry.epochRange(cluster_id).firstEpoch for cluster_id in ids}) == 1
    return ids


def _stand_in_share(cluster_id: int) -> str:
    """An account that answers `cluster_id` to whatever it is asked, its cluster and its supply."""
    address = to_checksum_address(keccak(text=f"stand-in share {cluster_id}")[12:])
    push4, push0, mstore, push1, return_ = "63", "5f", "52", "60", "f3"
    code = f"{push4}{cluster_id:08x}{push0}{mstore}{push1}20{push0}{return_}"
    chain.provider.set_code(address, bytes.fromhex(code))
    return address
