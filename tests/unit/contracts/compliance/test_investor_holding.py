"""HoldingRules.investorHolding: over all wallets of an investor, whatever became of them."""

from __future__ import annotations

from collections.abc import Callable

from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.compliance import LimitedShare, wallet_number
from tests.support.scenario import Scenario, investor_id

WALLETS = [wallet_number(0xCAFE + number) for number in range(4)]


def test_investor_holding__several_wallets__the_sum_asked_of_any(
    scenario: Scenario,
    identity: ContractInstance,
    limited: LimitedShare,
    block: Callable[[AccountAPI | str], None],
    compliance: AccountAPI,
    holder: AccountAPI,
) -> None:
    scenario.attest(*WALLETS, investorId=investor_id(1))
    scenario.attest(holder, investorId=investor_id(2))
    for number, wallet in enumerate(WALLETS):
        limited.issue(wallet, 10**number)
    limited.issue(holder, 50_000)
    identity.revokeWallet(WALLETS[1], sender=compliance)
    block(WALLETS[2])
    for wallet in WALLETS:
        assert identity.investorHolding(limited.token, wallet) == 1_111
    assert identity.investorHolding(limited.token, holder) == 50_000


def test_investor_holding__wallet_attested_to_a_holder_later__counts_from_then(
    scenario: Scenario, identity: ContractInstance, limited: LimitedShare, holder: AccountAPI
) -> None:
    scenario.attest(holder, investorId=investor_id(1))
    limited.issue(holder, 5)
    assert identity.investorHolding(limited.token, WALLETS[0]) == 0
    chain.mine(deltatime=10)
    scenario.attest(WALLETS[0], investorId=investor_id(1))
    assert identity.investorHolding(limited.token, WALLETS[0]) == 5
    assert identity.investorHolding(limited.token, holder) == 5


def test_investor_holding__never_attested__its_own_balance(
    identity: ContractInstance, limited: LimitedShare, attacker: AccountAPI
) -> None:
    assert identity.investorHolding(limited.token, attacker) == 0
