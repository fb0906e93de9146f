"""Book a cluster's past costs, and take the reserve's terms from its newest specification."""

from __future__ import annotations

from pathlib import Path

from scripts._lib.commands import account_option, cluster_option, command, open_record, say, signer


@command
@account_option("anybody")
@cluster_option
def cli(account: str | None, cluster_id: int, deployments: Path | None) -> None:
    """Book a cluster's past costs, and take the reserve's terms from its newest specification."""
    from scripts._lib.operations import apply_spec

    sender = signer(account)
    applied = apply_spec(open_record(deployments).system(), cluster_id, sender)
    say(
        f"cluster {cluster_id}: the specification of epoch {applied.specEpoch} is applied, costs up"
        f" to epoch {applied.sinceEpoch} are booked"
    )
