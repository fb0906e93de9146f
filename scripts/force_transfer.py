"""Propose that frozen shares be moved by legal order."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import (
    Reference,
    SixDecimals,
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
@click.option("--from", "sender", type=Wallet(), required=True, help="Whose frozen shares.")
@click.option("--to", "receiver", type=Wallet(), required=True, help="Who receives them.")
@click.option("--shares", "amount", type=SixDecimals(), required=True)
@click.option(
    "--reference", type=Reference(), required=True, help="SHA-256 of the legal document, or a text."
)
def cli(
    account: str | None,
    cluster_id: int,
    sender: str,
    receiver: str,
    amount: int,
    reference: bytes,
    deployments: Path | None,
) -> None:
    """Propose a forced transfer. `freeze` first; then `order --confirm` and `--execute`."""
    from scripts._lib import orders
    from scripts._lib.money import shares
    from scripts._lib.times import utc

    agent = signer(account)
    system = open_record(deployments).system()
    order = orders.propose_forced_transfer(
        system, cluster_id, sender, receiver, amount, reference, agent
    )
    say(
        f"order {order.order_id}: {shares(amount)} shares of {sender} to {receiver}; once the"
        f" trustee confirms it, from {utc(order.executable_at)} to {utc(order.expires_at)}"
    )
