"""Deploy the system, or continue and check a deployment that is on record."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import Function, Wallet, account_option, command, say, signer

_SYSTEM_ROLES = ("admin", "registrar", "guardian", "compliance", "oracle-admin", "arbiter")


def _role_options(function: Function) -> Function:
    for role in reversed(_SYSTEM_ROLES):
        function = click.option(
            f"--{role}",
            type=Wallet(),
            help="Holder of this power. Required off the local chain; there, the deployer.",
        )(function)
    return function


@command
@account_option("the deployer")
@click.option("--stablecoin", type=Wallet(), help="A 6-decimal stablecoin. Local chain: TestUsd.")
@click.option("--kyc-provider", "kyc_providers", type=Wallet(), multiple=True, help="Repeatable.")
@click.option("--discard-record", is_flag=True, help="Forget the record of a local chain now gone.")
@_role_options
def cli(
    account: str | None,
    stablecoin: str | None,
    kyc_providers: tuple[str, ...],
    discard_record: bool,
    deployments: Path | None,
    **holders: str | None,
) -> None:
    """Deploy the system, or continue and check a deployment that is on record.

    What is on record is held against the chain and the sources and never deployed again.
    """
    from scripts._lib.rollout import ends_with_this_process, holders_of, rehearse, roll_out

    deployer = signer(account)
    chosen = holders_of(deployer, holders, kyc_providers)
    if ends_with_this_process():
        lines = rehearse(deployer, chosen, stablecoin)
    else:
        lines = roll_out(deployer, chosen, stablecoin, deployments, discard=discard_record)
    for line in lines:
        say(line)
