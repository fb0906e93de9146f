"""Retire a cluster and close its share's books."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import (
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
@click.confirmation_option(prompt="A retired cluster does not come back. Retire it?")
def cli(account: str | None, cluster_id: int, deployments: Path | None) -> None:
    """Retire a cluster and close its share's books: its holders are final, and claim for ever."""
    from scripts._lib.closing import retire

    done = retire(open_record(deployments).system(), cluster_id, signer(account))
    say(f"cluster {cluster_id}: {', '.join(done) or 'was retired and its books closed before'}")
