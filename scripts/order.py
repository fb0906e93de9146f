"""Confirm, cancel or execute an order over shares, or list them."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import (
    account_option,
    command,
    open_record,
    say,
    signer,
)


@command
@account_option("the trustee to confirm, either office to cancel, anybody to execute")
@click.option("--confirm", type=int, metavar="ID")
@click.option("--cancel", type=int, metavar="ID")
@click.option("--execute", type=int, metavar="ID")
def cli(
    account: str | None,
    confirm: int | None,
    cancel: int | None,
    execute: int | None,
    deployments: Path | None,
) -> None:
    """Confirm, cancel or execute one order over shares; without an option, list them."""
    from scripts._lib import orders

    acts = {"confirm": confirm, "cancel": cancel, "execute": execute}
    named = {act: order_id for act, order_id in acts.items() if order_id is not None}
    system = open_record(deployments).system()
    if len(named) > 1:
        raise click.UsageError("one of --confirm, --cancel and --execute at a time")
    for act, order_id in named.items():
        getattr(system.enforcement, f"{act}Order")(order_id, sender=signer(account))
        say(f"order {order_id}: {act} done")
    if not named:
        for order in orders.orders(system):
            say(orders.in_words(order))
