"""Push on what lies on a cluster's way: unswept payments, silent batches, refused income."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import (
    SixDecimals,
    Wallet,
    account_option,
    command,
    open_record,
    say,
    signer,
)


@command
@account_option("anybody")
@click.option(
    "--cluster", "cluster_id", type=click.IntRange(1, 2**32 - 1), help="Whose way is swept."
)
@click.option(
    "--gateway",
    "gateways",
    type=Wallet(),
    multiple=True,
    help="At its address for the cluster too, several if named several times. Those that settled"
    " or collected for the cluster are known from the chain.",
)
@click.option("--least", type=SixDecimals(), help="Leave what is less (dollars).")
@click.option("--treasury", is_flag=True, help="Pay the treasury the platform's fees it is owed.")
@click.option("--dry-run", is_flag=True, help="Only say what there is; needs no account.")
def cli(
    account: str | None,
    cluster_id: int | None,
    gateways: tuple[str, ...],
    least: int | None,
    treasury: bool,
    dry_run: bool,
    deployments: Path | None,
) -> None:
    """Push on what lies on a cluster's way and anybody may push on; it goes to the cluster.

    Payments of x402 that came to its address without a call; those settled ahead whose gateway has
    been silent for a day; income that the waterfall refused and takes now.
    """
    from scripts._lib import sweeping

    if cluster_id is None and not treasury:
        raise click.UsageError("name the --cluster, or --treasury")
    if cluster_id is None and (gateways or least is not None):
        raise click.UsageError("--gateway and --least go with --cluster")
    sender = None if dry_run else signer(account)
    record = open_record(deployments)
    found = [] if cluster_id is None else sweeping.find(record, cluster_id, gateways, least or 1)
    if treasury:
        found += sweeping.find_fees(record.system())
    if not found:
        say("nothing waits")
    if sender is None:
        for one in found:
            say(str(one))
        return
    failed = 0
    for outcome in sweeping.push(record, found, sender):
        say(outcome.text)
        failed += outcome.has_failed
    if failed:
        raise click.ClickException(f"{failed} of {len(found)} could not be pushed on")
