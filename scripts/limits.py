"""Limit who holds how much of a share, or show the limits."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import (
    SixDecimals,
    UtcTime,
    account_option,
    cluster_option,
    command,
    open_record,
    say,
    signer,
)


@command
@account_option("the cluster's issuer; anybody to apply")
@cluster_option
@click.option("--min-shares", type=SixDecimals(), help="Least that an investor may hold.")
@click.option(
    "--max-shares", type=SixDecimals(), help="Most that an investor may hold; 0: no limit."
)
@click.option(
    "--max-holders", type=click.IntRange(0, 2**32 - 1), help="Most investors; 0: no limit."
)
@click.option("--lock-retail", type=UtcTime(), help="Until when retail investors may not send.")
@click.option("--lock-professional", type=UtcTime())
@click.option("--lock-institution", type=UtcTime())
@click.option(
    "--exclude", multiple=True, type=click.IntRange(1, 999), help="Countries, ISO 3166-1."
)
@click.option(
    "--admit", multiple=True, type=click.IntRange(1, 999), help="Countries to admit again."
)
@click.option("--apply", is_flag=True, help="Put in force what was scheduled and is due.")
@click.option("--withdraw", is_flag=True, help="Withdraw what was scheduled.")
def cli(
    account: str | None,
    cluster_id: int,
    min_shares: int | None,
    max_shares: int | None,
    max_holders: int | None,
    lock_retail: int | None,
    lock_professional: int | None,
    lock_institution: int | None,
    exclude: tuple[int, ...],
    admit: tuple[int, ...],
    apply: bool,
    withdraw: bool,
    deployments: Path | None,
) -> None:
    """Limit who holds how much of a share; without an option, show what is in force and scheduled.

    What is not named stays, in force or scheduled. A tighter limit acts after a week's notice, by
    --apply; a lock-up can be put on only before shares are issued.
    """
    from scripts._lib import limits

    record = open_record(deployments)
    system = record.system()
    locks = dict(
        zip(limits.CLASSES, (lock_retail, lock_professional, lock_institution), strict=True)
    )
    change = limits.Change(
        min_shares, max_shares, max_holders, locks, bool(exclude) or None, exclude, admit
    )
    if change.is_any:
        limits.schedule(system, cluster_id, change, signer(account))
    if withdraw:
        limits.withdraw(system, cluster_id, signer(account))
    if apply:
        limits.apply(system, cluster_id, signer(account))
    for line in limits.in_words(record, cluster_id):
        say(line)
