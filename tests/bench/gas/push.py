"""Income of tokens that pay none: pushed to each holder, as their issuers do it."""

from __future__ import annotations

from typing import ClassVar

from tests.bench.gas.chain import Sent
from tests.bench.gas.cluster import BATCH, Cluster, Ground, NotOffered, batches


class PushPayments:
    """The contract that pays many holders in one transaction."""

    def __init__(self, ground: Ground, code: str) -> None:
        self._ground = ground
        self._payer = ground.chain.deploy(ground.issuer, code)
        ground.approve(self._payer)

    def pay(self, holders: list[str], amount_usd6: int) -> list[Sent]:
        """Equal parts of the amount: what anybody's part is makes no difference to the gas."""
        part = amount_usd6 // len(holders)
        ground = self._ground
        return [
            ground.chain.send(
                ground.funder,
                self._payer,
                "pay(address,uint256[])",
                ground.usd,
                [part << 160 | int(holder, 16) for holder in batch],
            )
            for batch in batches(holders)
        ]


class PushedCluster(Cluster):
    SERVES_EACH = True
    WARM_HOURS = 3
    USE: ClassVar[str] = (
        f"no income of its own: each funding is pushed to every holder, {BATCH} a transaction, "
        "and there is nothing to claim"
    )

    def __init__(self, ground: Ground, share: str, payments: PushPayments) -> None:
        super().__init__(ground, share)
        self._payments = payments
        self._holders: list[str] = []

    def issue(self, holders: list[str]) -> list[Sent]:
        self._holders += holders
        return super().issue(holders)

    def fund(self, amount_usd6: int) -> list[Sent]:
        return self._payments.pay(self._holders, amount_usd6)

    def claim(self, holder: str) -> list[Sent]:
        raise NotOffered("nothing to claim: pushed")
