"""Pay out income, of one cluster or of many at once, to the holder or whoever they chose."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import Wallet, account_option, command, open_record, say, signer


@command
@account_option("anybody; it goes to the holder's payee whoever sends it")
@click.option(
    "--cluster",
    "cluster_ids",
    type=click.IntRange(1, 2**32 - 1),
    multiple=True,
    help="Which clusters, several if named several times (default: all).",
)
@click.option("--owner", type=Wallet(), help="Whose income (default: the account's own).")
@click.option("--assigned-to", type=Wallet(), metavar="PAYEE", help="What they assigned to PAYEE.")
def cli(
    account: str | None,
    cluster_ids: tuple[int, ...],
    owner: str | None,
    assigned_to: str | None,
    deployments: Path | None,
) -> None:
    """Pay out a holder's income in one transaction, or what they assigned to somebody."""
    from scripts._lib.money import exact_dollars
    from scripts._lib.operations import claim_many, clusters_with_shares, share_of
    from scripts._lib.pledges import claim_assigned

    sender = signer(account)
    system = open_record(deployments).system()
    who = owner or str(sender.address)
    chosen = list(cluster_ids) or clusters_with_shares(system)
    if assigned_to is not None:
        for cluster_id in chosen:
            paid = claim_assigned(share_of(system, cluster_id), who, assigned_to, sender)
            say(f"cluster {cluster_id}: {exact_dollars(paid)} that {who} assigned to {assigned_to}")
        return
    claims = claim_many(system, chosen, who, sender)
    for claim in claims:
        say(f"cluster {claim.cluster_id}: {exact_dollars(claim.amount_usd6)} paid to {claim.payee}")
    if not claims:
        say(f"nothing to claim for {who}")
