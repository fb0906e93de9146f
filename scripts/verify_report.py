"""Hold what a reporter tells of an epoch against the chain."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import cluster_option, command, epoch_option, open_record, say


@command
@cluster_option
@epoch_option
@click.option("--url", required=True, help="Any reporter's, as http://127.0.0.1:8080.")
@click.option("--gpu", help="A GPU's UUID or id, for the proof of its first and last sample.")
@click.option("--at-ms", type=int, help="Unix millisecond of one sample, for the proof of that.")
def cli(
    cluster_id: int,
    epoch: int,
    url: str,
    gpu: str | None,
    at_ms: int | None,
    deployments: Path | None,
) -> None:
    """Hold what a reporter tells of an epoch against the chain; status 1 if they differ."""
    from scripts._lib import verification

    if gpu is None and at_ms is not None:
        raise click.UsageError("--at-ms is of a --gpu")
    system = open_record(deployments).system()
    told = verification.fetch(url, cluster_id, epoch, gpu, at_ms)
    checks = list(verification.verify(system, told))
    for check in checks:
        say(f"{'✓' if check.holds else '✗'} {check.what}")
    if not all(check.holds for check in checks):
        raise click.ClickException("the reporter's word and the chain differ")
