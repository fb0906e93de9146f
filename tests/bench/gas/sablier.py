"""Sablier Flow: a stream for each holder, beside a token that says who holds how much."""

from __future__ import annotations

import json
from pathlib import Path

from tests.bench.gas.chain import Sent, calldata
from tests.bench.gas.cluster import (
    BATCH,
    HOURLY_USD6_EACH,
    SHARES_EACH,
    Cluster,
    Ground,
    System,
    batches,
)
from tests.bench.gas.compiler import Compiler
from tests.bench.gas.openzeppelin import own_contract
from tests.bench.gas.packages import MODULES

AUTHORS = Compiler(
    version="0.8.29",
    package=MODULES / "solc-0.8.29",
    base=MODULES,
    evm="cancun",
    runs=1_000_000,
    via_ir=True,
)
"""The authors' settings, but cancun for their shanghai."""

RATE_PER_SHARE = HOURLY_USD6_EACH * 10**12 // 3_600 // SHARES_EACH
"""Dollars a second with 18 decimals, as Flow writes rates."""

CREATE = "create(address,address,uint128,uint40,address,bool)"
DEPOSIT = "deposit(uint256,uint128,address,address)"
ADJUST = "adjustRatePerSecond(uint256,uint128)"


class SablierCluster(Cluster):
    SERVES_EACH = True
    LIGHT_ISSUE = False
    WARM_HOURS = 3

    def __init__(self, ground: Ground, share: str, flow: str) -> None:
        super().__init__(ground, share)
        self._flow = flow
        self._streams: dict[str, int] = {}

    def issue(self, holders: list[str]) -> list[Sent]:
        ground, rate = self.ground, SHARES_EACH * RATE_PER_SHARE
        first: int = ground.chain.ask(self._flow, "nextStreamId()", "uint256")
        self._streams |= {holder: first + n for n, holder in enumerate(holders)}
        streams = [
            calldata(CREATE, ground.funder, holder, rate, 0, ground.usd, True) for holder in holders
        ]
        return [*super().issue(holders), self._batch(streams)]

    def transfer(self, sender: str, receiver: str, amount: int) -> list[Sent]:
        sent = super().transfer(sender, receiver, amount)
        adjustments = [
            calldata(ADJUST, self._streams[holder], self._rate(holder))
            for holder in (sender, receiver)
        ]
        return [*sent, self._batch(adjustments)]

    def fund(self, amount_usd6: int) -> list[Sent]:
        """Each stream's deposit; equal ones: what anybody's is makes no difference to the gas."""
        part = amount_usd6 // len(self._streams)
        funder = self.ground.funder
        return [
            self._batch(
                [
                    calldata(DEPOSIT, self._streams[holder], part, funder, holder)
                    for holder in holders
                ]
            )
            for holders in batches(list(self._streams))
        ]

    def claim(self, holder: str) -> list[Sent]:
        signature = "withdrawMax(uint256,address)"
        stream = self._streams[holder]
        return [self.ground.chain.send(holder, self._flow, signature, stream, holder)]

    def _rate(self, holder: str) -> int:
        return self.shares_of(holder) * RATE_PER_SHARE // self.SHARE

    def _batch(self, calls: list[bytes]) -> Sent:
        ground = self.ground
        return ground.chain.send(ground.funder, self._flow, "batch(bytes[])", calls)


class Sablier(System):
    name = "sablier_flow"
    title = "Sablier Flow 3.0.1"
    use = (
        "no shares of its own: the floor's token beside a stream for each holder; a funding tops "
        f"up every stream, {BATCH} a transaction, at rates that only a trade changes (the two of "
        "those who trade, in a second transaction); no fee is charged on withdrawals"
    )

    def __init__(self, ground: Ground) -> None:
        self.built = AUTHORS.words
        self._ground = ground
        self._share_code = own_contract("FloorShare")
        code = AUTHORS.compile("@sablier/flow/src/SablierFlow.sol")["SablierFlow"]
        chain, issuer = ground.chain, ground.issuer
        # What is asked for the fee, and what draws the NFT, are deployed as published.
        utilities = MODULES / "@sablier" / "evm-utils" / "artifacts"
        descriptor = _published(MODULES / "@sablier" / "flow" / "artifacts" / "FlowNFTDescriptor")
        logic = chain.deploy(
            issuer, _published(utilities / "SablierComptroller"), "(address)", issuer
        )
        free = calldata(
            "initialize(address,uint256,uint256,uint256,uint256,address)",
            *(issuer, 0, 0, 0, 0, "0x" + "00" * 20),
        )
        proxy = _published(utilities / "ERC1967Proxy")
        comptroller = chain.deploy(issuer, proxy, "(address,bytes)", logic, free)
        nft = chain.deploy(issuer, descriptor)
        self._flow = chain.deploy(issuer, code, "(address,address)", comptroller, nft)
        ground.approve(self._flow)

    def open(self) -> SablierCluster:
        share = self._ground.chain.deploy(self._ground.issuer, self._share_code)
        return SablierCluster(self._ground, share, self._flow)


def _published(artifact: Path) -> str:
    """Creation bytecode out of an artifact of the package."""
    code: str = json.loads(artifact.with_suffix(".json").read_text())["bytecode"]["object"]
    return code
