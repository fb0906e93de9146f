"""Tell, by the hour, what of a cluster was busy and not billed, and what related parties paid."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import cluster_option, command, open_record, say


@command
@cluster_option
@click.option(
    "--hours", type=click.IntRange(1, 24 * 366), default=24, show_default=True, help="How many."
)
@click.option("--json", "as_json", is_flag=True, help="Say it as JSON.")
def cli(cluster_id: int, hours: int, as_json: bool, deployments: Path | None) -> None:
    """Tell, by the hour, what of a cluster was busy and not billed, and what related parties
    paid."""
    import json

    from scripts._lib import quality
    from scripts._lib.console import standard_output

    found = quality.read_hours(open_record(deployments), cluster_id, hours)
    if as_json:
        say(json.dumps([hour.to_json() for hour in found], indent=2))
    else:
        standard_output().print(quality.table(cluster_id, found))
