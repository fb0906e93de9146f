"""Pay income to a cluster, as a customer."""

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
@account_option("the customer")
@cluster_option
@click.option("--dollars", "amount", type=SixDecimals(), required=True)
@click.option(
    "--kind",
    type=click.Choice(["inference", "lease", "forward", "other"]),
    default="other",
    show_default=True,
)
@click.option(
    "--ref", "reference", type=Reference(), default="", help="What it is for: 32 bytes, or a text."
)
def cli(
    account: str | None,
    cluster_id: int,
    amount: int,
    kind: str,
    reference: bytes,
    deployments: Path | None,
) -> None:
    """Pay income to a cluster, as a customer.

    With a reference a payment is made once: the same customer and reference again send nothing.
    """
    from api.chain.views import IncomeKind
    from scripts._lib.money import exact_dollars
    from scripts._lib.operations import pay

    customer = signer(account)
    record = open_record(deployments)
    receipt = pay(
        record, record.system(), cluster_id, amount, IncomeKind[kind.upper()], reference, customer
    )
    if receipt is None:
        say(f"{customer.address} has paid cluster {cluster_id} with this reference before")
    else:
        say(f"{exact_dollars(amount)} paid to cluster {cluster_id} in {receipt.txn_hash}")
