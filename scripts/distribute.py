"""Run a cluster's waterfall: operator, tranches, reserve, holders' stream."""

from __future__ import annotations

from pathlib import Path

from scripts._lib.commands import account_option, cluster_option, command, open_record, say, signer


@command
@account_option("anybody")
@cluster_option
def cli(account: str | None, cluster_id: int, deployments: Path | None) -> None:
    """Run a cluster's waterfall: operator, tranches, reserve, holders' stream."""
    from scripts._lib.money import exact_dollars
    from scripts._lib.operations import distribute

    sender = signer(account)
    split = distribute(open_record(deployments).system(), cluster_id, sender)
    say(f"operator  {exact_dollars(split.operatorUsd6)}")
    say(f"tranches  {exact_dollars(split.tranchesUsd6)}")
    say(f"reserve   {exact_dollars(split.reserveUsd6)}")
    say(f"holders   {exact_dollars(split.holdersUsd6)}")
    say(f"shortfall {exact_dollars(split.shortfallUsd6)}")
