"""Count a cluster's costs by the specification that is now in force."""

from __future__ import annotations

from pathlib import Path

from scripts._lib.commands import account_option, cluster_option, command, open_record, say, signer


@command
@account_option("anybody")
@cluster_option
def cli(account: str | None, cluster_id: int, deployments: Path | None) -> None:
    """Count a cluster's costs by the specification that is now in force."""
    from scripts._lib.operations import apply_spec

    sender = signer(account)
    applied = apply_spec(open_record(deployments).system(), cluster_id, sender)
    say(
        f"cluster {cluster_id}: specification of epoch {applied.specEpoch} counts after epoch"
        f" {applied.sinceEpoch}"
    )
