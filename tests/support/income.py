"""Shares whose income a test sends itself, and what the stream's definition says of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from ape import chain, project
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance

from scripts._lib import roles
from scripts._lib.deployment import deploy_share
from tests.model.stream import end_of_funding
from tests.support.scenario import Scenario, travel_to

SCALE = 2**72
MIN_SUPPLY = 10**6
DAY = 86_400
BOUNDARY_SECONDS = 14_400
UINT256_MAX = 2**256 - 1


def deploy_open_share(
    scenario: Scenario,
    cluster_id: int,
    waterfall: AccountAPI | str,
    stablecoin: ContractInstance | None = None,
    enforcement: ContractInstance | None = None,
) -> ContractInstance:
    """A share of the cluster that `waterfall`, any account, funds. Whoever deploys the scenario is
    desk of it, and enforcement unless another is given."""
    system, deployer = scenario.system, scenario.deployer
    extension = deployer.deploy(
        project.ShareExtension,
        system.authority,
        system.registry,
        system.identity,
        waterfall,
        stablecoin or system.stablecoin,
        enforcement or deployer,
        deployer,
        system.capital,
    )
    open_system = replace(system, extension=extension)
    return deploy_share(open_system, cluster_id, "Open share", "OPEN", deployer)


@dataclass(frozen=True)
class OpenShare:
    """A share in Funding with an account for its waterfall, which has money and has approved it."""

    scenario: Scenario
    cluster_id: int
    share: ContractInstance
    funder: AccountAPI

    def fund(self, amount_usd6: int, at: int | None = None) -> ReceiptAPI:
        """Stream an amount from the second `at`, or from the next block's."""
        if at is not None:
            chain.pending_timestamp = at
        receipt: ReceiptAPI = self.share.fund(amount_usd6, sender=self.funder)
        return receipt

    def earned(self, owner: AccountAPI | str) -> Fraction:
        """Claimed and earned of `owner` in 10⁻⁶ dollars, to the last fraction that is kept."""
        state = self.share.accountState(owner)
        return Fraction(state.claimedUsd6 * SCALE + state.earned, SCALE)

    def is_conserved(self, *owners: AccountAPI | str) -> bool:
        """Whether all that was funded is somewhere, if nobody but `owners` ever held."""
        stream = self.share.streamState()
        accounts = [self.share.accountState(owner) for owner in owners]
        claimed = sum(account.claimedUsd6 for account in accounts)
        parts = (
            claimed * SCALE,
            sum(account.earned for account in accounts),
            stream.indexRemainder,
            stream.unstreamed,
            stream.fundingRemainder,
        )
        return bool(stream.fundedUsd6 * SCALE == sum(parts))


def streamed(amount_usd6: int, start: int, at: int) -> Fraction:
    """What of a funding that arrived at second `start` has streamed at second `at`."""
    end = end_of_funding(start)
    return Fraction(amount_usd6 * (min(at, end) - start), end - start)


def is_close(value: Fraction, exact: Fraction | int) -> bool:
    """Within the fractions that the stream carries: far below a unit."""
    return abs(value - exact) < Fraction(1, 2**20)


def is_rounded_down(units: int, exact: Fraction) -> bool:
    """Whether `units` are the whole ones of `exact`, less the fractions that the stream carries.

    An `exact` that is whole may come one lower: which seconds a test runs in decides that.
    """
    return -Fraction(1, 2**20) < exact - units < 1 + Fraction(1, 2**20)


def next_boundary() -> int:
    """The first boundary that the next block can be mined at."""
    return -(-int(chain.pending_timestamp) // BOUNDARY_SECONDS) * BOUNDARY_SECONDS


def now() -> int:
    """Second of the newest block."""
    return int(chain.blocks.head.timestamp)


def past(receipt: ReceiptAPI) -> int:
    """The second of a receipt, past when this returns: votes are asked for of the past."""
    travel_to(receipt.timestamp + 1)
    return int(receipt.timestamp)


def delegate(share: ContractInstance, to: AccountAPI | str, sender: AccountAPI) -> ReceiptAPI:
    """`share.delegate(to)`: ape has an attribute of that name for every address."""
    receipt: ReceiptAPI = share.invoke_transaction("delegate", to, sender=sender)
    return receipt


def set_held(
    ground: OpenShare, owner: AccountAPI, admin: AccountAPI, encumbered: int, frozen: int
) -> None:
    """Encumber and freeze so much of the owner's shares. Whoever deploys the scenario, who is
    enforcement of its open shares, is also let to be the taker."""
    system, deployer = ground.scenario.system, ground.scenario.deployer
    if encumbered:
        system.authority.grantRole(roles.ENCUMBRANCER_ROLE, deployer, 0, sender=admin)
        ground.share.encumber(deployer, encumbered, sender=owner)
    if frozen:
        ground.share.setFrozenTokens(owner, frozen, sender=deployer)
