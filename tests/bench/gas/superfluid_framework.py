"""Superfluid's contracts from the bytecode in its package, by its own deployer for local chains."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.bench.gas.chain import wallet
from tests.bench.gas.cluster import Ground
from tests.bench.gas.packages import MODULES

PACKAGE = MODULES / "@superfluid-finance" / "ethereum-contracts"
ARTIFACTS = PACKAGE / "build" / "hardhat"
DEPLOYER = "contracts/utils/SuperfluidFrameworkDeployer.t.sol"
MEMBERS = 15
HOST, GDA, SUPER_TOKEN_FACTORY = 1, 4, 5
"""Places in the deployer's struct Framework."""

ERC1820_DEPLOYER = "0xa990077c3205cbDf861e17Fa532eeB069cE9fF96"
ERC1820_BEFORE = "f90a388085174876e800830c35008080b909e5"
ERC1820_AFTER = "1ba0" + "1820" * 16 + "a0" + "1820" * 16
"""The transaction without a key that puts this registry at one address on every chain."""


@dataclass(frozen=True)
class Framework:
    ground: Ground

    @cached_property
    def members(self) -> tuple[str, ...]:
        """Addresses, in the order of the struct."""
        chain, issuer = self.ground.chain, self.ground.issuer
        self._place_erc1820()
        deployer = self._place("SuperfluidFrameworkDeployer", DEPLOYER)
        for step in range(chain.ask(deployer, "getNumSteps()", "uint8")):
            chain.send(issuer, deployer, "executeStep(uint8)", step)
        types = ",".join(["address"] * MEMBERS)
        members: tuple[str, ...] = chain.ask(deployer, "getFramework()", f"({types})")
        return members

    def _place_erc1820(self) -> None:
        artifact = PACKAGE / "dev-scripts" / "artifacts" / "ERC1820Registry.json"
        code = json.loads(artifact.read_text())["bin"].removeprefix("0x")
        request = self.ground.chain.node.request
        request("anvil_setBalance", ERC1820_DEPLOYER, hex(10**18))
        request("eth_sendRawTransactionSync", "0x" + ERC1820_BEFORE + code + ERC1820_AFTER)
        self.ground.chain.catch_up()

    def _place(self, name: str, source: str) -> str:
        """Put a contract without constructor, and the libraries that it needs, on the chain.

        By Anvil's word and not by a transaction: the deployer and one of its libraries are larger
        than a chain allows. What they deploy is not.
        """
        artifact = _artifact(name, source)
        code = artifact["deployedBytecode"].removeprefix("0x")
        for library_source, libraries in artifact["deployedLinkReferences"].items():
            for library, places in libraries.items():
                address = self._place(library, library_source)[2:].lower()
                for place in places:
                    start = 2 * place["start"]
                    code = code[:start] + address + code[start + len(address) :]
        address = wallet(f"Superfluid's {name}")
        self.ground.chain.node.request("anvil_setCode", address, "0x" + code)
        return address


def built() -> str:
    """Compiler and settings that the package states."""
    (info,) = (ARTIFACTS / "build-info").glob("*.json")
    build = json.loads(info.read_text())
    settings = build["input"]["settings"]
    runs = settings["optimizer"]["runs"]
    assert settings["optimizer"]["enabled"]
    return f"solc {build['solcVersion']}, {settings['evmVersion']}, optimizer {runs:,} runs"


def _artifact(name: str, source: str) -> dict[str, Any]:
    artifact: dict[str, Any] = json.loads((ARTIFACTS / source / f"{name}.json").read_text())
    return artifact
