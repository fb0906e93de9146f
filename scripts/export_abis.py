"""Write the contracts' ABIs to api/chain/abis.json, for services that have no compiler."""

from __future__ import annotations

import click

from scripts._lib.commands import PlainCommand, say


@click.command(cls=PlainCommand)
@click.option("--check", is_flag=True, help="Write nothing; fail if the file is out of date.")
def cli(check: bool) -> None:
    """Write the contracts' ABIs to api/chain/abis.json, for services that have no compiler."""
    from scripts._lib.abis import PATH, is_fresh, write

    if is_fresh():
        say(f"{PATH} is up to date")
    elif check:
        raise click.ClickException(f"{PATH} is out of date: run `ape run export_abis`")
    else:
        write()
        say(f"{PATH} was written")
