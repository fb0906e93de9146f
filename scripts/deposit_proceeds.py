"""Pay in what a retired cluster was sold or insured for."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import (
    Reference,
    SixDecimals,
    account_option,
    cluster_option,
    command,
    open_record,
    say,
    signer,
)


@command
@account_option("whoever pays it in")
@cluster_option
@click.option("--dollars", "amount", type=SixDecimals(), required=True)
@click.option("--kind", type=click.Choice(["sale", "insurance", "other"]), required=True)
@click.option("--reference", type=Reference(), required=True, help="Of the contract or policy.")
def cli(
    account: str | None,
    cluster_id: int,
    amount: int,
    kind: str,
    reference: bytes,
    deployments: Path | None,
) -> None:
    """Pay in what a retired cluster was sold or insured for: capital of its final holders."""
    from scripts._lib.closing import ProceedsKind, deposit_proceeds
    from scripts._lib.money import exact_dollars

    payer = signer(account)
    system = open_record(deployments).system()
    deposit_proceeds(system, cluster_id, amount, ProceedsKind[kind.upper()], reference, payer)
    say(f"{exact_dollars(amount)} from {kind} is capital of cluster {cluster_id}'s holders")
