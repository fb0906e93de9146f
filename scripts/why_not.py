"""Say why shares cannot go from one wallet to another."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import (
    SixDecimals,
    Wallet,
    cluster_option,
    command,
    open_record,
    say,
)


@command
@cluster_option
@click.option("--from", "sender", type=Wallet(), required=True)
@click.option("--to", "receiver", type=Wallet(), required=True)
@click.option("--shares", "amount", type=SixDecimals(), required=True)
def cli(cluster_id: int, sender: str, receiver: str, amount: int, deployments: Path | None) -> None:
    """Say in words why shares cannot go from one wallet to another now, or that they can."""
    from scripts._lib.operations import require_cluster

    system = open_record(deployments).system()
    require_cluster(system, cluster_id)
    say(str(system.desk.whyNot(cluster_id, sender, receiver, amount)) or "nothing is in the way")
