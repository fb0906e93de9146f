"""Propose that a lost wallet's holdings go to another of the same investor."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import (
    Reference,
    Wallet,
    account_option,
    cluster_option,
    command,
    open_record,
    say,
    signer,
)


@command
@account_option("the cluster's transfer agent")
@cluster_option
@click.option("--lost", type=Wallet(), required=True, help="The wallet whose key is lost.")
@click.option("--replacement", type=Wallet(), required=True, help="Another of the same investor.")
@click.option(
    "--reference", type=Reference(), required=True, help="SHA-256 of the legal document, or a text."
)
def cli(
    account: str | None,
    cluster_id: int,
    lost: str,
    replacement: str,
    reference: bytes,
    deployments: Path | None,
) -> None:
    """Propose a recovery. `freeze --whole` first; then `order --confirm` and `--execute`."""
    from scripts._lib import orders
    from scripts._lib.times import utc

    agent = signer(account)
    system = open_record(deployments).system()
    order = orders.propose_recovery(system, cluster_id, lost, replacement, reference, agent)
    say(
        f"order {order.order_id}: all of {lost} to {replacement}; once the trustee confirms it,"
        f" from {utc(order.executable_at)} to {utc(order.expires_at)}"
    )
