"""Let shares be encumbered to a module."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import (
    Wallet,
    account_option,
    command,
    open_record,
    say,
    signer,
)


@command
@account_option("the admin of the Authority")
@click.option("--taker", type=Wallet(), required=True, help="The module: a contract or account.")
def cli(account: str | None, taker: str, deployments: Path | None) -> None:
    """Let shares be encumbered to a module, which can then deliver what owners pledge to it."""
    from scripts._lib.pledges import list_taker

    admin = signer(account)
    was_new = list_taker(open_record(deployments).system(), taker, admin)
    say(f"shares {'can now' if was_new else 'could already'} be encumbered to {taker}")
