"""Take a cluster live: from its next epoch on it is measured and costs accrue."""

from __future__ import annotations

from pathlib import Path

from scripts._lib.commands import account_option, cluster_option, command, open_record, say, signer


@command
@account_option("the cluster's issuer")
@cluster_option
def cli(account: str | None, cluster_id: int, deployments: Path | None) -> None:
    """Take a cluster live: from its next epoch on it is measured and costs accrue."""
    from scripts._lib.operations import go_live

    issuer = signer(account)
    system = open_record(deployments).system()
    was_new = go_live(system, cluster_id, issuer)
    first_epoch = system.registry.cluster(cluster_id).firstEpoch
    say(f"cluster {cluster_id} {'is' if was_new else 'was'} live; first epoch {first_epoch}")
