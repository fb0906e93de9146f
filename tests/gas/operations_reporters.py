"""Gas of what operators of reporters do, and of proving that one lied: whole transactions."""

from __future__ import annotations

from dataclasses import replace

from ape.api import AccountAPI

from scripts._lib.deployment import System
from tests.support.reporters import BOND, Operators, key_of, signed

CLUSTERS = 100
EPOCH = 480_000

LIMITS = {"prove_equivocation_100": 200_000}
"""What the operations may cost at most."""


def measure(
    system: System,
    accounts: tuple[AccountAPI, ...],
    deployer: AccountAPI,
    oracle_admin: AccountAPI,
    challenger: AccountAPI,
) -> tuple[dict[str, int], Operators]:
    """A registration, the first set of these accounts, and proofs over reports of 1 and 100
    clusters that differ in one figure; each by somebody who is owed
    nothing yet. Also the operators.
    """
    registry = system.reporter_registry
    for account in accounts:
        system.stablecoin.mint(account, BOND, sender=deployer)
        system.stablecoin.approve(registry, BOND, sender=account)
    operators = Operators(system, registry, system.oracle, accounts, oracle_admin)
    registered = [operators.register(account) for account in accounts]
    registry.scheduleSet(operators.addresses, sender=oracle_admin)
    gas = {
        "register_reporter": int(registered[-1].gas_used),
        f"activate_set_{len(accounts)}": int(registry.activate(sender=oracle_admin).gas_used),
    }
    for offender, challenges, size in zip(
        accounts, (challenger, deployer), (1, CLUSTERS), strict=False
    ):
        report = operators.report(EPOCH, *range(1, size + 1))
        *others, last = report.figures
        lie = replace(report, figures=(*others, replace(last, billable=0)))
        key = key_of(str(offender.address))
        pair = signed(report, key), signed(lie, key)
        receipt = registry.proveEquivocation(*pair, size - 1, size - 1, sender=challenges)
        gas[f"prove_equivocation_{size}"] = int(receipt.gas_used)
    return gas, operators
