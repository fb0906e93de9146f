"""Prove that a reporter signed two reports of one thing, and take the reward."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import Wallet, account_option, command, open_record, say, signer


@command
@account_option("anybody; whoever proves it is owed half of the bond")
@click.option(
    "--evidence",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="An entry of a reporter's GET /v1/equivocations, as a file of JSON.",
)
@click.option("--pay", type=Wallet(), help="Pay this account what it is owed.")
def cli(
    account: str | None, evidence: Path | None, pay: str | None, deployments: Path | None
) -> None:
    """Prove that a reporter signed two reports of a cluster in one round of an epoch."""
    from scripts._lib import reporters
    from scripts._lib.money import exact_dollars

    if (evidence is None) == (pay is None):
        raise click.UsageError("either --evidence or --pay")
    system = open_record(deployments).system()
    sender = signer(account)
    if evidence is not None:
        fault = reporters.prove(system, evidence.read_bytes(), sender)
        say(
            f"{fault.operator} loses {exact_dollars(fault.forfeited_usd6)};"
            f" {sender.address} is owed {exact_dollars(fault.reward_usd6)}"
        )
    elif pay is not None:
        say(f"{exact_dollars(reporters.pay(system, pay, sender))} paid to {pay}")
