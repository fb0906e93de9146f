"""Pay out a holder's part of a retired cluster's proceeds."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import (
    Wallet,
    account_option,
    cluster_option,
    command,
    open_record,
    say,
    signer,
)


@command
@account_option("anybody; it goes to the holder's payee whoever sends it")
@cluster_option
@click.option("--owner", type=Wallet(), help="Whose capital (default: the account's own).")
def cli(account: str | None, cluster_id: int, owner: str | None, deployments: Path | None) -> None:
    """Pay out a holder's part of a retired cluster's proceeds."""
    from scripts._lib.closing import claim_capital
    from scripts._lib.money import exact_dollars

    sender = signer(account)
    who = owner or str(sender.address)
    paid = claim_capital(open_record(deployments).system(), cluster_id, who, sender)
    say(f"{exact_dollars(paid)} of capital paid for {who}" if paid else f"nothing for {who}")
