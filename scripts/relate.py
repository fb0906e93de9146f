"""Declare that a customer is related to a cluster's issuer or operator, or end that."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import (
    Reference,
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
@account_option("the issuer, the registrar, or the customer itself; the registrar to end it")
@cluster_option
@click.option("--wallet", type=Wallet(), required=True, help="The customer's, that pays.")
@click.option("--since", type=UtcTime(), help="From when on, in UTC (default: now).")
@click.option("--document", type=Reference(), default=bytes(32), help="What says how.")
@click.option("--end", "is_over", is_flag=True, help="It is over, from the next hour on.")
def cli(
    account: str | None,
    cluster_id: int,
    wallet: str,
    since: int | None,
    document: bytes,
    is_over: bool,
    deployments: Path | None,
) -> None:
    """Declare that a customer is related to a cluster's issuer or operator, or end that.

    What it paid since then is told apart by `ape run quality`.
    """
    from api.domain.epochs import epoch_at
    from scripts._lib.operations import newest_time, require_cluster

    if is_over and since is not None:
        raise click.UsageError("--end acts from the next hour on: --since is of a declaration")
    sender = signer(account)
    system = open_record(deployments).system()
    require_cluster(system, cluster_id)
    if is_over:
        system.related.end(cluster_id, wallet, document, sender=sender)
        say(f"{wallet} is not related to cluster {cluster_id} any more from the next hour on")
        return
    epoch = epoch_at(newest_time() if since is None else since)
    system.related.declare(cluster_id, wallet, epoch, document, sender=sender)
    say(f"{wallet} is related to cluster {cluster_id} from epoch {epoch} on")
