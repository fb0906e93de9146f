"""Pay the operator what is final and covered of a cluster's running cost."""

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
@account_option("the cluster's operator")
@cluster_option
@click.option("--payee", type=Wallet(), help="Where it goes (default: the account).")
def cli(account: str | None, cluster_id: int, payee: str | None, deployments: Path | None) -> None:
    """Pay the operator what is final and covered of a cluster's running cost."""
    from scripts._lib.money import exact_dollars
    from scripts._lib.operations import withdraw_operating_cost

    operator = signer(account)
    system = open_record(deployments).system()
    to = payee or str(operator.address)
    paid = withdraw_operating_cost(system, cluster_id, to, operator)
    say(f"{exact_dollars(paid)} paid to {to}" if paid else "nothing to withdraw")
