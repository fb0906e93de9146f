"""Show a dispute of posted figures, or settle what is counted."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import (
    account_option,
    cluster_option,
    command,
    epoch_option,
    open_record,
    say,
    signer,
)


@command
@account_option("the arbiter to rule, anybody to settle after the deadline and to penalise")
@cluster_option
@epoch_option
@click.option("--stand", is_flag=True, help="Rule that the posted figures are counted.")
@click.option(
    "--figures",
    metavar="NAME=NUMBER,…",
    help="Rule that they are counted with these changed, as energyWh=4900,billableGpuSeconds=0.",
)
@click.option("--blame", is_flag=True, help="With --figures: whoever signed is to blame.")
@click.option("--lapse", is_flag=True, help="Settle it after the deadline.")
@click.option("--penalise", is_flag=True, help="Have everybody who signed pay, if to blame.")
def cli(
    account: str | None,
    cluster_id: int,
    epoch: int,
    stand: bool,
    figures: str | None,
    blame: bool,
    lapse: bool,
    penalise: bool,
    deployments: Path | None,
) -> None:
    """Settle a dispute of a cluster's figures, and have the signers of wrong ones pay; without an
    option, show how it stands."""
    from scripts._lib import disputes
    from scripts._lib.money import exact_dollars
    from scripts._lib.posted import Subject

    if stand + (figures is not None) + lapse + penalise > 1:
        raise click.UsageError("one of --stand, --figures, --lapse and --penalise at a time")
    if blame and figures is None:
        raise click.UsageError("--blame goes with --figures")
    record = open_record(deployments)
    system = record.system()
    subject = Subject(cluster_id, epoch, record.deployment.contracts["MetricsOracle"].block)
    if stand:
        disputes.stand(system, subject, signer(account))
    elif figures is not None:
        changes = disputes.parse_changes(figures)
        disputes.correct(system, subject, changes, blame, signer(account))
    elif lapse:
        disputes.lapse(system, subject, signer(account))
    elif penalise:
        for penalty in disputes.penalise(system, subject, signer(account)):
            say(f"{penalty.signer} pays {exact_dollars(penalty.amount_usd6)}")
    for line in disputes.in_words(system, subject):
        say(line)
