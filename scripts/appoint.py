"""Appoint a cluster's operator, transfer agent or trustee."""

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
@account_option("the issuer for an operator or transfer agent, the registrar for a trustee")
@cluster_option
@click.option(
    "--power", type=click.Choice(["operator", "transfer-agent", "trustee"]), required=True
)
@click.option("--who", type=Wallet(), required=True)
def cli(
    account: str | None, cluster_id: int, power: str, who: str, deployments: Path | None
) -> None:
    """Appoint an operator or transfer agent (by the issuer), or a trustee (by the registrar)."""
    from scripts._lib import roles
    from scripts._lib.operations import appoint

    appointer = signer(account)
    system = open_record(deployments).system()
    number = {
        "operator": roles.OPERATOR,
        "transfer-agent": roles.TRANSFER_AGENT,
        "trustee": roles.TRUSTEE,
    }[power]
    was_new = appoint(system, number, cluster_id, who, appointer)
    name = power.replace("-", " ")
    say(f"{who} {'is now' if was_new else 'was already'} {name} of cluster {cluster_id}")
