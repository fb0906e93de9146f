"""Add to a reporter's bond, or take it out."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import SixDecimals, account_option, command, open_record, say, signer


@command
@account_option("the operator")
@click.option("--add", type=SixDecimals(), help="Dollars.")
@click.option("--leave", is_flag=True, help="Ask for the bond; it can be lost for 14 days more.")
@click.option("--withdraw", is_flag=True, help="Take it out when they are over.")
def cli(
    account: str | None, add: int | None, leave: bool, withdraw: bool, deployments: Path | None
) -> None:
    """Add to the account's bond as an operator, or take it out; without an option, show it."""
    from scripts._lib import reporters

    if (add is not None) + leave + withdraw > 1:
        raise click.UsageError("one of --add, --leave and --withdraw at a time")
    operator = signer(account)
    system = open_record(deployments).system()
    if add is not None:
        reporters.add_bond(system, operator, add)
    elif leave:
        system.reporter_registry.requestExit(sender=operator)
    elif withdraw:
        system.reporter_registry.withdrawBond(sender=operator)
    say(reporters.of_operator(system, str(operator.address)))
