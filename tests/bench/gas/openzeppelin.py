"""The floor: OpenZeppelin's ERC-20 with votes."""

from __future__ import annotations

import tomllib

from tests.bench.gas.cluster import Ground, System
from tests.bench.gas.compiler import Compiler
from tests.bench.gas.packages import ROOT
from tests.bench.gas.push import PushedCluster, PushPayments

_SETTINGS = tomllib.loads((ROOT / "foundry.toml").read_text())["profile"]["default"]

OURS = Compiler(
    version="0.8.37",
    package=ROOT / "node_modules" / "solc",
    base=ROOT,
    evm=_SETTINGS["evm_version"],
    runs=_SETTINGS["optimizer_runs"],
    remappings={"@openzeppelin/contracts/": "node_modules/@openzeppelin/contracts/"},
)
"""As foundry.toml has it, and ape-config.yaml too."""


def own_contract(name: str) -> str:
    """Creation bytecode of a contract that was written for the comparison."""
    return OURS.compile(f"tests/bench/gas/contracts/{name}.sol")[name]


class FloorCluster(PushedCluster):
    def delegate(self, holder: str) -> None:
        self.ground.chain.send(holder, self.share, "delegate(address)", holder)


class OpenZeppelin(System):
    name = "openzeppelin"
    title = "OpenZeppelin ERC20Votes (floor)"
    use = "no rules; " + PushedCluster.USE

    def __init__(self, ground: Ground, payments: PushPayments) -> None:
        self.built = OURS.words
        self._ground = ground
        self._payments = payments
        self._code = own_contract("FloorShare")

    def open(self) -> FloorCluster:
        share = self._ground.chain.deploy(self._ground.issuer, self._code)
        return FloorCluster(self._ground, share, self._payments)
