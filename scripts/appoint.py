"""Appoint a cluster's operator or trustee."""

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
@account_option("the issuer for an operator, the registrar for a trustee")
@cluster_option
@click.option("--power", type=click.Choice(["operator", "trustee"]), required=True)
@click.option("--who", type=Wallet(), required=True)
def cli(
    account: str | None, cluster_id: int, power: str, who: str, deployments: Path | None
) -> None:
    """Appoint a cluster's operator (by its issuer) or trustee (by the registrar)."""
    from scripts._lib import roles
    from scripts._lib.operations import appoint

    appointer = signer(account)
    system = open_record(deployments).system()
    number = roles.OPERATOR if power == "operator" else roles.TRUSTEE
    was_new = appoint(system, number, cluster_id, who, appointer)
    say(f"{who} {'is now' if was_new else 'was already'} {power} of cluster {cluster_id}")
