"""What people do on chain while the replay runs, by the code that the scripts use.

An act looks first whether it is done. So it can be seen to again when the chain has taken blocks
back, as whoever sent a transaction does until nothing can undo it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, TypeVar

from ape import accounts

from api.chain import deployments
from api.types import LOCAL_CHAIN_ID
from scripts._lib import cast, reporters
from scripts._lib.anvil import rpc
from scripts._lib.cast import Account
from scripts._lib.opening import connected
from scripts._lib.record import instance
from tests.support.reporting import World

Act = Callable[[Any], None]
"""Given what it needs of a `scripts._lib.deployment.System`: `reporter_registry`, `oracle`,
`disputes` and `stablecoin`."""

Told = TypeVar("Told")


def announce_key(operator: Account, newcomer: Account) -> Act:
    """The operator names the key that is to take over from its own."""

    def act(system: Any) -> None:
        found = reporters.standing(system, operator.address)
        if newcomer.address not in (found.signer, found.next_signer):
            proof = reporters.possession(system, operator.address, newcomer.signer)
            system.reporter_registry.scheduleSigner(
                newcomer.address, proof, sender=reporters.account_of(operator)
            )

    return act


def announce_set(operators: Sequence[Account], newcomer: Account) -> Act:
    """The newcomer, who is one of `operators`, registers, and the oracle's admin names them all."""

    def act(system: Any) -> None:
        registry, account = system.reporter_registry, reporters.account_of(newcomer)
        if not reporters.standing(system, newcomer.address).is_registered:
            bond_usd6 = int(registry.MINIMUM_BOND_USD6())
            deployer = accounts.test_accounts[cast.DEPLOYER]
            system.stablecoin.mint(account, bond_usd6, sender=deployer)
            proof = reporters.possession(system, newcomer.address, newcomer.signer)
            reporters.register(system, account, newcomer.address, proof, bond_usd6)
        if newcomer.address not in (*registry.operators(), *registry.scheduledSet()[0]):
            admin = accounts.test_accounts[cast.ADMIN]
            reporters.schedule(system, [operator.address for operator in operators], admin)

    return act


def activate(newcomer: Account) -> Act:
    """Somebody puts into force what is due, and with it the newcomer's key."""

    def act(system: Any) -> None:
        if newcomer.address not in system.oracle.reporters():
            system.reporter_registry.activate(sender=_somebody())

    return act


def challenge(operator: Account, evidence: bytes) -> Act:
    """Somebody hands in what a reporter told, and is paid."""

    def act(system: Any) -> None:
        challenger = _somebody()
        if reporters.standing(system, operator.address).bond_usd6:
            reporters.prove(system, evidence, challenger)
        if system.reporter_registry.owedUsd6(challenger):
            system.reporter_registry.pay(challenger, sender=challenger)

    return act


@dataclass(frozen=True)
class Ledger:
    """The ReporterRegistry's money, in 10⁻⁶ dollars, and who reports."""

    held_usd6: int
    minimum_usd6: int
    bonds_usd6: Mapping[str, int]
    owed_usd6: int
    challenger_usd6: int
    treasury_usd6: int
    reporters: tuple[str, ...]


class Registry:
    """Acts on the chain of a world, most of them at its ReporterRegistry."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._acts: list[Act] = []
        self._before = 0
        self._newest: Mapping[str, str] = {}

    def see_to(self, act: Act) -> None:
        """Have it done now, and with every look again."""
        self._acts.append(act)
        self._do_all()

    def look_again(self) -> None:
        """Have done again what the chain took back."""
        if self._acts and self._block(self._newest["number"]) != self._newest:
            self._do_all()

    def settle(self) -> None:
        """An epoch is over. What was done in the one before is too deep to be taken back now."""
        self._acts = self._acts[self._before :]
        self._before = len(self._acts)

    def ask(self, question: Callable[[Any], Told]) -> Told:
        """What is found on chain now."""
        with connected(self._world.anvil.url):
            return question(self._system())

    def ledger(self, operators: Sequence[Account]) -> Ledger:
        """As it is now; `operators` are all that ever were."""

        def read(system: Any) -> Ledger:
            registry, stablecoin = system.reporter_registry, system.stablecoin
            challenger, treasury = _somebody(), registry.TREASURY()
            owed = {
                str(account): int(registry.owedUsd6(account)) for account in (challenger, treasury)
            }
            return Ledger(
                held_usd6=int(stablecoin.balanceOf(registry)),
                minimum_usd6=int(registry.MINIMUM_BOND_USD6()),
                bonds_usd6={
                    one.name: reporters.standing(system, one.address).bond_usd6 for one in operators
                },
                owed_usd6=sum(owed.values()),
                challenger_usd6=int(stablecoin.balanceOf(challenger)),
                treasury_usd6=int(registry.owedUsd6(treasury)),
                reporters=tuple(map(str, system.oracle.reporters())),
            )

        return self.ask(read)

    def _do_all(self) -> None:
        with connected(self._world.anvil.url):
            system = self._system()
            for act in self._acts:
                act(system)
        self._newest = self._block("latest")

    def _block(self, number: str) -> Mapping[str, str]:
        """Number and hash; empty if there is none."""
        block = rpc(self._world.anvil.port, "eth_getBlockByNumber", number, False) or {}
        return {field: block[field] for field in ("number", "hash") if field in block}

    def _system(self) -> Any:
        record = deployments.load(self._world.stage.deployments, LOCAL_CHAIN_ID)
        registry = instance("ReporterRegistry", record.address_of("ReporterRegistry"))
        return SimpleNamespace(
            reporter_registry=registry,
            oracle=instance("MetricsOracle", record.address_of("MetricsOracle")),
            disputes=instance("Disputes", record.address_of("Disputes")),
            stablecoin=instance("TestUsd", str(registry.STABLECOIN())),
        )


def _somebody() -> Any:
    """Who has nothing to do with the reporters."""
    return accounts.test_accounts[cast.KEEPER]
