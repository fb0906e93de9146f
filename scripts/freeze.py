"""Freeze an account's shares, confirm, lift or end a freeze."""

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
@account_option("the transfer agent; the trustee to confirm; anybody to end what lapsed")
@cluster_option
@click.option("--wallet", type=Wallet(), required=True, help="Whose shares.")
@click.option("--shares", "amount", type=SixDecimals(), help="How many in all.")
@click.option("--whole", is_flag=True, help="All of them, also later ones, and the income.")
@click.option("--reference", type=Reference(), help="SHA-256 of the legal document, or a text.")
@click.option(
    "--act",
    type=click.Choice(["freeze", "confirm", "lift", "lapse"]),
    default="freeze",
    show_default=True,
    help="lift lowers to --shares (default 0); lapse ends what was not confirmed in time.",
)
def cli(
    account: str | None,
    cluster_id: int,
    wallet: str,
    amount: int | None,
    whole: bool,
    reference: bytes | None,
    act: str,
    deployments: Path | None,
) -> None:
    """Freeze an account's shares at once; what the trustee does not confirm in time lapses."""
    from scripts._lib import orders
    from scripts._lib.money import shares
    from scripts._lib.times import utc

    office = signer(account)
    system = open_record(deployments).system()
    if act == "freeze":
        if (amount is None) != whole or not reference:
            raise click.UsageError("name --reference, and --shares or --whole")
        until = orders.freeze(
            system,
            cluster_id,
            wallet,
            orders.WHOLE if amount is None else amount,
            reference,
            office,
        )
        everything = f"everything of {wallet} is"
        what = everything if amount is None else f"{shares(amount)} shares of {wallet} are"
        say(f"{what} frozen; unless confirmed, until {utc(until)}")
    elif act == "confirm":
        orders.confirm_freeze(system, cluster_id, wallet, office)
        say(f"the freeze of {wallet} stands until it is lifted")
    elif act == "lift":
        orders.unfreeze(system, cluster_id, wallet, amount or 0, office)
        say(f"{shares(amount or 0)} shares of {wallet} stay frozen")
    else:
        orders.lapse_freeze(system, cluster_id, wallet, office)
        say(f"the unconfirmed freeze of {wallet} has ended")
