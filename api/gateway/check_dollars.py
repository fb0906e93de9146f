"""What a check sees of the stablecoin: whether it moves, and the gateway's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from api.chain.client import ChainClient
from api.chain.contracts import InferencePayments, Stablecoin, Waterfall, X402Settler
from api.chain.deployments import Deployment
from api.checking.findings import Finding, bad, good, noted
from api.errors import ContractReverted, RackstreamError, UndecodableAnswer
from api.types import Address, ClusterId

# What a contract answers that does not know the question.
_UNASKED: Final = (ContractReverted, UndecodableAnswer)


class Dollars:
    """Of one gateway's account."""

    def __init__(self, client: ChainClient, deployment: Deployment, account: Address) -> None:
        self._client = client
        self._coin = Stablecoin(client, deployment.stablecoin_address())
        self._payments = InferencePayments(client, deployment.address_of("InferencePayments"))
        self._waterfall = Waterfall(client, deployment.address_of("Waterfall"))
        self._settler = X402Settler(client, deployment.address_of("X402Settler"))
        self._account = account

    async def examine(self, refund_day_usd6: int) -> AsyncIterator[Finding]:
        """Whether what is paid can move, and what the gateway has for refunds of at most so much a
        day.
        """
        try:
            yield await self._moving()
            async for finding in self._inflow():
                yield finding
            yield await self._refunds(refund_day_usd6)
        except RackstreamError as error:
            yield bad("stablecoin", error.message)

    async def exact(self, clusters: Sequence[ClusterId]) -> AsyncIterator[Finding]:
        """Where each cluster is paid by x402, and whether it can be."""
        try:
            await self._coin.name()
            await self._coin.version()
        except _UNASKED:
            yield noted("x402", "none is offered: the stablecoin has no authorisations (EIP-3009)")
            return
        for cluster_id in clusters:
            pay_to = await self._settler.pay_to(cluster_id, self._account)
            if await self._is_blacklisted(pay_to):
                yield bad(
                    "x402",
                    f"cluster {cluster_id} is paid at {pay_to}, which the stablecoin has"
                    " blacklisted: each such payment fails",
                )
            else:
                yield good("x402", f"cluster {cluster_id} is paid at {pay_to}")

    async def _moving(self) -> Finding:
        try:
            if await self._coin.is_paused():
                return bad("stablecoin", f"{self._coin.address} is paused: nobody can pay")
            for name, address in self._movers().items():
                if await self._coin.is_blacklisted(address):
                    return bad("stablecoin", f"it has blacklisted {name}, {address}")
        except _UNASKED:
            return noted("stablecoin", "it does not tell whether it is paused, or whom it stops")
        return good("stablecoin", f"{self._coin.address} is not paused and stops none of ours")

    def _movers(self) -> Mapping[str, Address]:
        return {
            "InferencePayments": self._payments.address,
            "X402Settler": self._settler.address,
            "Waterfall": self._waterfall.address,
            "this gateway": self._account,
        }

    async def _is_blacklisted(self, address: Address) -> bool:
        try:
            return await self._coin.is_blacklisted(address)
        except _UNASKED:
            # Told by the step that is about the stablecoin.
            return False

    async def _inflow(self) -> AsyncIterator[Finding]:
        now = (await self._client.block()).time
        stopped = {
            "deposits and payments of x402 are": await self._payments.inflow_paused_until(),
            "income waits with InferencePayments, clusters' waterfalls are": (
                await self._waterfall.inflow_paused_until()
            ),
        }
        for what, until in stopped.items():
            if now < until:
                yield noted("inflow", f"{what} paused by the guardian until Unix second {until}")
        if all(now >= until for until in stopped.values()):
            yield good("inflow", "deposits and income are taken")

    async def _refunds(self, day_usd6: int) -> Finding:
        """What is not used of payments that somebody else has brought comes from there."""
        own = await self._coin.balance_of(self._account)
        text = f"{_dollars(own)} of its own for refunds, of at most {_dollars(day_usd6)} a day"
        if own < day_usd6:
            return noted(
                "refunds", f"{text}; what they do not suffice for stays owed: send {self._account}"
            )
        return good("refunds", text)


def _dollars(usd6: int) -> str:
    whole, part = divmod(usd6, 10**6)
    return f"${whole:,}.{part:06d}"
