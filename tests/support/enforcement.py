"""Orders over shares: takers, recovered wallets, and a cluster with both its offices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

import pytest
from ape import chain
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance
from ape.exceptions import CustomError

from scripts._lib import roles
from tests.support.income import SCALE, UINT256_MAX, OpenShare, deploy_open_share
from tests.support.scenario import USD, Scenario, travel_to

ALL = 2**64 - 1
"""The frozen amount that stands for all shares, and for their income."""
NEVER = 2**40 - 1
DAY = 86_400
FREEZE_SECONDS = FREEZE_COOLDOWN = 30 * DAY
FORCED_TRANSFER_DELAY = 7 * DAY
RECOVERY_DELAY = 14 * DAY
ORDER_LIFE = 90 * DAY
REFERENCE = b"\x0d" * 32
ZERO_ADDRESS = "0x" + "00" * 20

Wallet: TypeAlias = AccountAPI | str


class OrderKind(IntEnum):
    """IEnforcement.OrderKind."""

    FORCED_TRANSFER = 0
    RECOVERY = 1


class OrderStatus(IntEnum):
    """IEnforcement.OrderStatus."""

    NONE = 0
    PROPOSED = 1
    CONFIRMED = 2
    EXECUTED = 3
    CANCELLED = 4


def open_registered_share(
    scenario: Scenario, funder: AccountAPI, enforcement: ContractInstance | None = None
) -> OpenShare:
    """A cluster in Funding whose registered share `funder` funds; see `deploy_open_share`."""
    cluster_id = scenario.register_cluster()
    share = deploy_open_share(scenario, cluster_id, funder, enforcement=enforcement)
    scenario.system.registry.registerShare(cluster_id, share, sender=scenario.registrar)
    scenario.system.registry.openFunding(cluster_id, sender=scenario.registrar)
    scenario.give_usd(funder, 10**9 * USD)
    scenario.system.stablecoin.approve(share, UINT256_MAX, sender=funder)
    return OpenShare(scenario, cluster_id, share, funder)


def close_books(ground: OpenShare) -> None:
    """Funding → Live → Retired, and closed books."""
    scenario = ground.scenario
    scenario.system.registry.goLive(ground.cluster_id, sender=scenario.issuer)
    scenario.system.registry.retire(ground.cluster_id, sender=scenario.issuer)
    ground.share.closeBooks(sender=scenario.deployer)


def let_take(scenario: Scenario, admin: AccountAPI, *takers: Wallet) -> None:
    """Let shares be encumbered to `takers`."""
    for taker in takers:
        scenario.system.authority.grantRole(roles.ENCUMBRANCER_ROLE, taker, 0, sender=admin)


def investor_of(wallet: Wallet) -> bytes:
    """The investor that `Scenario.attest` takes a wallet's owner for."""
    return bytes.fromhex(str(getattr(wallet, "address", wallet))[2:34])


def attest_replacement(scenario: Scenario, lost: Wallet, replacement: Wallet) -> None:
    """Attest `replacement` to the investor of `lost`."""
    scenario.attest(replacement, investorId=investor_of(lost))


def block_wallet(scenario: Scenario, admin: AccountAPI, wallet: Wallet) -> None:
    """Block a wallet in every share, as Enforcement does after a recovery."""
    authority = scenario.system.authority
    authority.grantRole(roles.ENFORCEMENT_ROLE, admin, 0, sender=admin)
    scenario.system.identity.blockWallet(wallet, sender=admin)
    authority.revokeRole(roles.ENFORCEMENT_ROLE, admin, sender=admin)


@contextmanager
def refused_inside(error: Any, **values: Any) -> Iterator[None]:
    """What is called inside is refused with `error` and these of its values, by a contract that it
    called itself: ape takes an error of the same name in another ABI for another."""
    with pytest.raises(CustomError) as caught:
        yield
    assert caught.value.abi.selector == error.abi.selector
    assert caught.value.inputs.items() >= values.items()


def is_conserved(
    share: ContractInstance, owners: Iterable[Wallet], interests: Iterable[tuple[Wallet, Wallet]]
) -> bool:
    """Whether all that was funded is somewhere, if nobody but `owners` ever held and nobody but
    the (owner, payee) of `interests` was ever assigned income."""
    stream = share.streamState()
    accounts = [share.accountState(owner) for owner in owners]
    others = [share.interestState(owner, payee) for owner, payee in interests]
    paid = sum(a.claimedUsd6 for a in accounts) + sum(i.claimed for i in others)
    earned = sum(a.earned for a in accounts) + sum(i.earned for i in others)
    rest = stream.indexRemainder + stream.unstreamed + stream.fundingRemainder
    return bool(stream.fundedUsd6 * SCALE == paid * SCALE + earned + rest)


@dataclass(frozen=True)
class Offices:
    """A cluster in Funding with both its offices, whose share Enforcement commands and an account
    funds."""

    ground: OpenShare
    enforcement: ContractInstance
    agent: AccountAPI
    trustee: AccountAPI

    @property
    def share(self) -> ContractInstance:
        return self.ground.share

    @property
    def cluster_id(self) -> int:
        return self.ground.cluster_id

    def freeze(self, account: Wallet, amount: int = ALL) -> ReceiptAPI:
        receipt: ReceiptAPI = self.enforcement.freeze(
            self.cluster_id, account, amount, REFERENCE, sender=self.agent
        )
        return receipt

    def confirm_freeze(self, account: Wallet, amount: int = ALL) -> ReceiptAPI:
        receipt: ReceiptAPI = self.enforcement.confirmFreeze(
            self.cluster_id, account, amount, sender=self.trustee
        )
        return receipt

    def unfreeze(self, account: Wallet, amount: int, by: AccountAPI) -> ReceiptAPI:
        receipt: ReceiptAPI = self.enforcement.unfreeze(self.cluster_id, account, amount, sender=by)
        return receipt

    def lapse(self, account: Wallet, by: AccountAPI) -> ReceiptAPI:
        receipt: ReceiptAPI = self.enforcement.lapseFreeze(self.cluster_id, account, sender=by)
        return receipt

    def freeze_blocked(self, account: Wallet, by: AccountAPI) -> ReceiptAPI:
        receipt: ReceiptAPI = self.enforcement.freezeBlocked(self.cluster_id, account, sender=by)
        return receipt

    def propose_transfer(self, owner: Wallet, to: Wallet, amount: int) -> int:
        """A proposed forced transfer: its id."""
        self.enforcement.proposeForcedTransfer(
            self.cluster_id, owner, to, amount, REFERENCE, sender=self.agent
        )
        return int(self.enforcement.orderCount())

    def propose_recovery(self, lost: Wallet, replacement: Wallet) -> int:
        """A proposed recovery: its id."""
        self.enforcement.proposeRecovery(
            self.cluster_id, lost, replacement, REFERENCE, sender=self.agent
        )
        return int(self.enforcement.orderCount())

    def confirm(self, order_id: int) -> ReceiptAPI:
        receipt: ReceiptAPI = self.enforcement.confirmOrder(order_id, sender=self.trustee)
        return receipt

    def ripen(self, order_id: int) -> None:
        """Confirm an order and wait until it can be executed by the next block."""
        self.confirm(order_id)
        chain.pending_timestamp = self.enforcement.order(order_id).executableAt

    def recover(self, lost: Wallet, replacement: Wallet, by: AccountAPI) -> ReceiptAPI:
        """Freeze whole, propose, confirm, wait and execute."""
        if self.share.getFrozenTokens(lost) != ALL:
            self.freeze(lost)
        order_id = self.propose_recovery(lost, replacement)
        self.ripen(order_id)
        receipt: ReceiptAPI = self.enforcement.executeOrder(order_id, sender=by)
        return receipt

    def terms(self, account: Wallet) -> tuple[int, int, int, int, bool]:
        """Amount, confirmed amount, expiry, start of the next, and whether held as blocked; after
        checking that the share has the same amount, and an expiry if and only if something is
        unconfirmed."""
        found: Any = self.enforcement.freezeOf(self.cluster_id, account)
        assert found.amount == self.share.getFrozenTokens(account)
        assert (found.expiresAt != 0) == (found.amount > found.confirmedAmount)
        assert found.confirmedAmount <= found.amount
        return (
            found.amount,
            found.confirmedAmount,
            found.expiresAt,
            found.notBefore,
            found.heldAsBlocked,
        )

    def wait(self, seconds: int) -> None:
        travel_to(int(chain.blocks.head.timestamp) + seconds)
