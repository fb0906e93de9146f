"""Shares that work with the real desk and the real capital book, and clusters at their end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from ape import project
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance

from scripts._lib.deployment import deploy_share
from tests.support.income import SCALE
from tests.support.scenario import SHARE, Scenario

ALL = 2**64 - 1
"""The frozen amount that stands for all."""

REFERENCE = b"\x44" * 32
SALE, INSURANCE, OTHER = range(3)
"""ProceedsKind, in the order of the contract's enum."""


def deploy_commanded_share(
    scenario: Scenario,
    cluster_id: int,
    enforcement: AccountAPI,
    waterfall: AccountAPI | None = None,
) -> ContractInstance:
    """A share of the system, registered with its cluster in Funding, but that obeys `enforcement`,
    any account, and is funded by another `waterfall` if one is given."""
    system, deployer = scenario.system, scenario.deployer
    extension = deployer.deploy(
        project.ShareExtension,
        system.authority,
        system.registry,
        system.identity,
        waterfall or system.waterfall,
        system.stablecoin,
        enforcement,
        system.desk,
        system.capital,
    )
    commanded = replace(system, extension=extension)
    share = deploy_share(commanded, cluster_id, f"Share {cluster_id}", "SHARE", deployer)
    system.registry.registerShare(cluster_id, share, sender=scenario.registrar)
    system.registry.openFunding(cluster_id, sender=scenario.registrar)
    return share


@dataclass(frozen=True)
class Ending:
    """A cluster that was Live, its share, its lender, and who pays its proceeds in."""

    scenario: Scenario
    capital: ContractInstance
    cluster_id: int
    share: ContractInstance
    tranche: ContractInstance
    payer: AccountAPI
    enforcement: AccountAPI

    def retire(self) -> None:
        self.scenario.system.registry.retire(self.cluster_id, sender=self.scenario.issuer)

    def deposit(self, amount_usd6: int, kind: int = SALE) -> ReceiptAPI:
        receipt: ReceiptAPI = self.capital.depositProceeds(
            self.cluster_id, amount_usd6, kind, REFERENCE, sender=self.payer
        )
        return receipt

    def claim(self, owner: AccountAPI | str) -> ReceiptAPI:
        receipt: ReceiptAPI = self.capital.claimCapital(self.cluster_id, owner, sender=self.payer)
        return receipt

    def freeze(self, account: AccountAPI | str, amount: int = ALL) -> None:
        self.share.setFrozenTokens(account, amount, sender=self.enforcement)

    def force(self, owner: AccountAPI | str, to: AccountAPI | str, amount: int) -> None:
        """Move frozen shares by order."""
        self.freeze(owner, amount)
        self.share.forcedTransfer(owner, to, amount, sender=self.enforcement)

    def recover(self, lost: AccountAPI | str, replacement: AccountAPI | str) -> None:
        """Leaves `replacement` frozen whole, as the share does."""
        self.freeze(lost)
        self.share.recover(lost, replacement, sender=self.enforcement)

    def capital_of(self, owner: AccountAPI | str) -> Fraction:
        """Paid and not paid of `owner` in 10⁻⁶ dollars, to the last fraction that is kept."""
        paid = int(self.capital.capitalPaidUsd6(self.cluster_id, owner))
        return paid + Fraction(self.capital.earnedCapital(self.cluster_id, owner), SCALE)

    def is_conserved(self, *owners: AccountAPI | str) -> bool:
        """Whether every fraction received is somewhere, if nobody but `owners` ever held."""
        state = self.capital.proceeds(self.cluster_id)
        supply = self.share.totalSupply()
        remainder = Fraction(state.remainder, SCALE)
        paid = sum(self.capital.capitalPaidUsd6(self.cluster_id, owner) for owner in owners)
        return bool(
            state.receivedUsd6 == sum(map(self.capital_of, owners), remainder)
            and state.receivedUsd6 == Fraction(state.index * supply, SCALE) + remainder
            and state.paidUsd6 == paid
            and 0 <= state.remainder < supply
        )


def open_ending(
    scenario: Scenario,
    payer: AccountAPI,
    enforcement: AccountAPI,
    holdings: dict[AccountAPI, int],
) -> Ending:
    """A Live cluster with one tranche, held as said in the smallest share unit, and a payer with
    10¹² dollars who has approved the capital book."""
    system = scenario.system
    cluster_id = scenario.register_cluster(authorised_shares=10**7 * SHARE)
    tranche = scenario.deployer.deploy(project.TestTranche, cluster_id)
    system.waterfall.appendTranche(cluster_id, tranche, sender=scenario.issuer)
    share = deploy_commanded_share(scenario, cluster_id, enforcement)
    scenario.issue(share, list(holdings), list(holdings.values()))
    system.registry.goLive(cluster_id, sender=scenario.issuer)
    scenario.give_usd(payer, 2 * 10**18)
    system.stablecoin.approve(system.capital, 2**256 - 1, sender=payer)
    return Ending(scenario, system.capital, cluster_id, share, tranche, payer, enforcement)
