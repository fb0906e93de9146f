"""Pledge shares to a module, without giving them away."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import (
    SixDecimals,
    UtcTime,
    Wallet,
    account_option,
    cluster_option,
    command,
    open_record,
    say,
    signer,
)


@command
@account_option("the owner of the shares")
@cluster_option
@click.option("--taker", type=Wallet(), required=True, help="The module that may deliver them.")
@click.option("--shares", "amount", type=SixDecimals(), required=True)
@click.option(
    "--until", type=UtcTime(), help="When it ends (UTC); without it, when the taker wants."
)
@click.option("--assign", type=SixDecimals(), help="Of these shares, so many earn for --payee.")
@click.option("--payee", type=Wallet(), help="Who earns the assigned income.")
def cli(
    account: str | None,
    cluster_id: int,
    taker: str,
    amount: int,
    until: int | None,
    assign: int | None,
    payee: str | None,
    deployments: Path | None,
) -> None:
    """Pledge shares to a module. Their owner goes on earning and voting."""
    from scripts._lib.money import shares
    from scripts._lib.operations import share_of
    from scripts._lib.pledges import assign_income, encumber

    if (assign is None) != (payee is None):
        raise click.UsageError("--assign and --payee go together")
    owner = signer(account)
    share = share_of(open_record(deployments).system(), cluster_id)
    pledge = encumber(share, taker, amount, until, owner)
    say(f"{shares(pledge.amount)} shares of {owner.address} are encumbered to {taker}")
    if assign is not None and payee is not None:
        assign_income(share, taker, assign, payee, owner)
        say(f"the income of {shares(assign)} of them goes to {payee} for as long")
