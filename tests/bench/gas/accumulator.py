"""Synthetix's staking accumulator, restated as a token."""

from __future__ import annotations

from tests.bench.gas.chain import Sent
from tests.bench.gas.cluster import Cluster, Ground, System
from tests.bench.gas.openzeppelin import OURS, own_contract


class AccumulatorCluster(Cluster):
    def fund(self, amount_usd6: int) -> list[Sent]:
        ground = self.ground
        signature = "notifyRewardAmount(uint256)"
        return [ground.chain.send(ground.funder, self.share, signature, amount_usd6)]

    def claim(self, holder: str) -> list[Sent]:
        return [self.ground.chain.send(holder, self.share, "getReward()")]


class Accumulator(System):
    name = "accumulator"
    title = "Synthetix-style accumulator"
    use = (
        "no rules, no votes; Synthetix's StakingRewards restated so that to hold is to stake: "
        "a transfer is one transaction instead of unstake, transfer and stake"
    )

    def __init__(self, ground: Ground) -> None:
        self.built = OURS.words
        self._ground = ground
        self._code = own_contract("AccumulatorShare")

    def open(self) -> AccumulatorCluster:
        ground = self._ground
        types = "(address,address)"
        share = ground.chain.deploy(ground.issuer, self._code, types, ground.usd, ground.funder)
        ground.approve(share)
        return AccumulatorCluster(ground, share)
