"""What is deployed on a chain, who holds which power, and how every cluster stands."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import command


@command
def cli(deployments: Path | None) -> None:
    """What is deployed, who holds which power, and how every cluster stands.

    Holds the record against the chain and the sources; ends with status 1 if anything differs.
    """
    from scripts._lib.record import DIRECTORY, Record
    from scripts._lib.status import show

    if not show(Record(deployments or DIRECTORY)):
        raise click.ClickException("the record does not agree with the chain or the sources")
