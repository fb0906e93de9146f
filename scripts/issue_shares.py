"""Issue a cluster's shares to admitted investors: one, or a list."""

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
@account_option("the cluster's issuer")
@cluster_option
@click.option("--to", "wallet", type=Wallet(), help="With --shares: one investor.")
@click.option("--shares", "amount", type=SixDecimals(), help="What the investor is to get in all.")
@click.option(
    "--csv",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A list instead: columns wallet and shares.",
)
def cli(
    account: str | None,
    cluster_id: int,
    wallet: str | None,
    amount: int | None,
    path: Path | None,
    deployments: Path | None,
) -> None:
    """Issue a cluster's shares to admitted investors: one, or a list.

    Numbers are totals: what was issued to a wallet before is taken off, so that a list can be run
    again, or extended.
    """
    from scripts._lib.allocations import read_allocations
    from scripts._lib.money import shares
    from scripts._lib.operations import issue_shares

    issuer = signer(account)
    if path is not None and wallet is None and amount is None:
        allocations = read_allocations(path)
    elif path is None and wallet is not None and amount is not None:
        allocations = {wallet: amount}
    else:
        raise click.UsageError("give either --to and --shares, or --csv")
    record = open_record(deployments)
    issued = issue_shares(record, record.system(), cluster_id, allocations, issuer)
    for who, units in issued.items():
        say(f"issued {shares(units)} shares of cluster {cluster_id} to {who}")
    if not issued:
        say(f"nothing to issue: all {len(allocations)} allocations were issued before")
