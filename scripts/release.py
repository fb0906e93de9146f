"""Give up what an owner encumbered, or what of it has expired."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import (
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
@account_option("the taker; anybody for what has expired")
@cluster_option
@click.option("--owner", type=Wallet(), required=True, help="Whose shares.")
@click.option("--shares", "amount", type=SixDecimals(), help="How many (default: all).")
@click.option("--expired", type=Wallet(), metavar="TAKER", help="Release what expired at TAKER.")
def cli(
    account: str | None,
    cluster_id: int,
    owner: str,
    amount: int | None,
    expired: str | None,
    deployments: Path | None,
) -> None:
    """Give up what an owner encumbered to the account, or what expired at another taker."""
    from scripts._lib.money import shares
    from scripts._lib.operations import share_of
    from scripts._lib.pledges import release, release_expired

    if expired is not None and amount is not None:
        raise click.UsageError("--expired releases all of it: leave --shares out")
    sender = signer(account)
    share = share_of(open_record(deployments).system(), cluster_id)
    if expired is None:
        released = release(share, owner, amount, sender)
    else:
        released = release_expired(share, owner, expired, sender)
    say(f"{shares(released)} shares of {owner} released")
