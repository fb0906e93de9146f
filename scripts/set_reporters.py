"""Set the accounts whose quorum signs the oracle's reports."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import Wallet, account_option, command, open_record, say, signer


@command
@account_option("the oracle's admin")
@click.argument("reporters", type=Wallet(), nargs=-1, required=True)
def cli(account: str | None, reporters: tuple[str, ...], deployments: Path | None) -> None:
    """Set the accounts whose quorum signs the oracle's reports.

    Their order is the order in which they take turns to propose.
    """
    from scripts._lib.deployment import set_reporters

    admin = signer(account)
    system = open_record(deployments).system()
    set_reporters(system, reporters, admin)
    say(
        f"set {system.oracle.reporterSetId()}: {len(reporters)} reporters,"
        f" {system.oracle.quorum()} signatures make a report"
    )
