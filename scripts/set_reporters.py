"""Schedule the next set of reporters, put into force what is due, or show how things stand."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import Wallet, account_option, command, open_record, say, signer


@command
@account_option("the oracle's admin; anybody to activate")
@click.option("--activate", is_flag=True, help="Put into force what is due: the set, and keys.")
@click.option("--withdraw", is_flag=True, help="Withdraw the set that is scheduled.")
@click.argument("operators", type=Wallet(), nargs=-1)
def cli(
    account: str | None,
    activate: bool,
    withdraw: bool,
    operators: tuple[str, ...],
    deployments: Path | None,
) -> None:
    """Schedule the next set of reporters by their OPERATORS, who are registered with a bond.

    Their order is the order in which they take turns to propose. The set is in force once anybody
    activates it, a day later; the first of all at once. Without an argument: how things stand.
    """
    from scripts._lib import reporters

    if activate + withdraw + bool(operators) > 1:
        raise click.UsageError("one of OPERATORS, --activate and --withdraw at a time")
    system = open_record(deployments).system()
    registry = system.reporter_registry
    if operators:
        reporters.schedule(system, operators, signer(account))
    elif withdraw:
        registry.withdrawSet(sender=signer(account))
    elif activate:
        registry.activate(sender=signer(account))
    for line in reporters.in_words(system):
        say(line)
