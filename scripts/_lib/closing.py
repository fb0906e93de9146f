"""The end of a cluster: retirement, and what is left for its final holders."""

from __future__ import annotations

from enum import IntEnum

from ape.api import AccountAPI

from api.chain.views import ClusterStatus
from scripts._lib.deployment import DeploymentError, System
from scripts._lib.operations import events_of, require_cluster, share_of


class ProceedsKind(IntEnum):
    """ICapitalProceeds.ProceedsKind."""

    SALE = 0
    INSURANCE = 1
    OTHER = 2


def retire(system: System, cluster_id: int, issuer: AccountAPI) -> list[str]:
    """Retire a cluster and close its share's books; what of it was still to be done."""
    done = []
    if require_cluster(system, cluster_id).status != ClusterStatus.RETIRED:
        system.registry.retire(cluster_id, sender=issuer)
        done.append("retired")
    share = share_of(system, cluster_id)
    if not share.booksClosed():
        share.closeBooks(sender=issuer)
        done.append("books closed")
    return done


def deposit_proceeds(
    system: System,
    cluster_id: int,
    amount_usd6: int,
    kind: ProceedsKind,
    reference: bytes,
    payer: AccountAPI,
) -> None:
    """Pay `amount_usd6` (10⁻⁶ dollars) in as capital of a retired cluster's holders.

    Raises DeploymentError if the payer does not hold as much.
    """
    require_cluster(system, cluster_id)
    coin, capital = system.stablecoin, system.capital
    held = int(coin.balanceOf(payer))
    if held < amount_usd6:
        raise DeploymentError(
            f"{payer.address} holds {held} units of stablecoin, not {amount_usd6}"
        )
    if int(coin.allowance(payer, capital)) < amount_usd6:
        coin.approve(capital, amount_usd6, sender=payer)
    capital.depositProceeds(cluster_id, amount_usd6, int(kind), reference, sender=payer)


def claim_capital(system: System, cluster_id: int, owner: str, sender: AccountAPI) -> int:
    """Pay `owner`'s capital to their payee, in 10⁻⁶ dollars; 0 if there is none."""
    require_cluster(system, cluster_id)
    if int(system.capital.claimableCapitalUsd6(cluster_id, owner)) == 0:
        return 0
    receipt = system.capital.claimCapital(cluster_id, owner, sender=sender)
    return sum(
        int(event.amountUsd6) for event in events_of(system.capital, receipt, "CapitalClaimed")
    )
