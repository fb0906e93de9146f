"""Register a reporter's operator with its key and bond, or have another key take over."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import (
    SixDecimals,
    Wallet,
    account_option,
    command,
    open_record,
    say,
    signer,
)


@command
@account_option("the operator")
@click.option("--key", type=Wallet(), required=True, help="Address of the reporter's signing key.")
@click.option(
    "--possession",
    required=True,
    help="The key's proof, from `python -m api.oracle possession --operator ADDRESS`.",
)
@click.option("--bond", type=SixDecimals(), help="Dollars; default: as many as are needed.")
def cli(
    account: str | None, key: str, possession: str, bond: int | None, deployments: Path | None
) -> None:
    """Register a reporter's operator with its key and bond.

    Of an operator who is registered the key takes over: at once if it is in no set, else a day
    later, when anybody activates it (`ape run set_reporters --activate`).
    """
    from api.domain.codec import parse_hex
    from scripts._lib import reporters

    operator = signer(account)
    system = open_record(deployments).system()
    proof = parse_hex(possession, "possession", 65)
    if reporters.standing(system, str(operator.address)).is_registered:
        if bond is not None:
            raise click.UsageError("registered already: the bond is added to with `ape run bond`")
        system.reporter_registry.scheduleSigner(key, proof, sender=operator)
    else:
        needed = int(system.reporter_registry.MINIMUM_BOND_USD6())
        reporters.register(system, operator, key, proof, needed if bond is None else bond)
    say(reporters.of_operator(system, str(operator.address)))
