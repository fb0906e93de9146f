"""IdentityRegistry.blockWallet: a wallet that was lost is stopped everywhere, for good."""

from __future__ import annotations

from collections.abc import Callable

import ape
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from ape.utils import ZERO_ADDRESS

from scripts._lib import roles
from tests.support.compliance import wallet_number
from tests.support.scenario import Scenario, investor_id

Block = Callable[[AccountAPI | str], None]


def test_block_wallet__attested__neither_sends_nor_receives_and_stays_on_the_list(
    identity: ContractInstance,
    authority: ContractInstance,
    scenario: Scenario,
    admin: AccountAPI,
    keeper: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> None:
    authority.grantRole(roles.ENFORCEMENT_ROLE, keeper, 0, sender=admin)
    scenario.attest(holder, other_holder, investorId=investor_id(1))

    receipt = identity.blockWallet(holder, sender=keeper)

    assert not identity.canSend(holder)
    assert not identity.canReceive(holder)
    assert identity.canSend(other_holder)
    assert identity.canReceive(other_holder)
    assert identity.walletsOf(investor_id(1)) == [holder.address, other_holder.address]
    stored = identity.attestationOf(holder)
    assert (stored.investorId, stored.expiresAt) == (investor_id(1), 0)
    assert stored.issuedAt == receipt.timestamp
    [event] = receipt.decode_logs(identity.WalletBlocked)
    assert (event.wallet, event.investorId, event.actor) == (
        holder.address,
        investor_id(1),
        keeper.address,
    )


def test_block_wallet__never_attested__blocked_without_an_investor(
    identity: ContractInstance, block: Block, attacker: AccountAPI
) -> None:
    block(attacker)
    assert not identity.canSend(attacker)
    assert identity.attestationOf(attacker).investorId == investor_id(0)


def test_block_wallet__blocked__nothing_changes(
    identity: ContractInstance,
    scenario: Scenario,
    block: Block,
    keeper: AccountAPI,
    holder: AccountAPI,
) -> None:
    """Each share in which the wallet is lost may have it blocked."""
    scenario.attest(holder)
    block(holder)
    before = identity.attestationOf(holder)
    chain.mine(deltatime=10)
    receipt = identity.blockWallet(holder, sender=keeper)
    assert receipt.decode_logs(identity.WalletBlocked) == []
    assert identity.attestationOf(holder) == before


def test_block_wallet__revoked_afterwards__stays_blocked(
    identity: ContractInstance,
    scenario: Scenario,
    block: Block,
    compliance: AccountAPI,
    holder: AccountAPI,
) -> None:
    scenario.attest(holder, investorId=investor_id(1))
    block(holder)
    identity.revokeWallet(holder, sender=compliance)
    identity.revokeInvestor(investor_id(1), sender=compliance)
    assert not identity.canSend(holder)


def test_block_wallet__first_of_an_investor__the_next_ones_know_of_each_other(
    identity: ContractInstance, scenario: Scenario, block: Block, holder: AccountAPI
) -> None:
    """The mark of a second wallet does not take that of the block away, nor the other way."""
    scenario.attest(holder, investorId=investor_id(1))
    block(holder)
    scenario.attest(wallet_number(0xB2), investorId=investor_id(1))
    assert not identity.canSend(holder)
    assert len(identity.walletsOf(investor_id(1))) == 2


def test_block_wallet__zero_wallet__refused(
    identity: ContractInstance, block: Block, keeper: AccountAPI
) -> None:
    with ape.reverts(identity.IdentityRegistry_ZeroWalletOrInvestor):
        identity.blockWallet(ZERO_ADDRESS, sender=keeper)
