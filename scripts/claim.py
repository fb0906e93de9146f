"""Pay out a holder's income, to the holder or the payee that they set."""

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
@click.option("--owner", type=Wallet(), help="Whose income (default: the account's own).")
def cli(account: str | None, cluster_id: int, owner: str | None, deployments: Path | None) -> None:
    """Pay out a holder's income, to the holder or the payee that they set."""
    from scripts._lib.money import exact_dollars
    from scripts._lib.operations import claim, share_of

    sender = signer(account)
    share = share_of(open_record(deployments).system(), cluster_id)
    who = owner or str(sender.address)
    paid = claim(share, who, sender)
    if paid:
        say(f"{exact_dollars(paid)} of {who}'s income paid to {share.payeeOf(who)}")
    else:
        say(f"nothing to claim for {who}")
