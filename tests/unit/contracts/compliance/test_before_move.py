"""HoldingRules.beforeMove and refusalOf: may these shares leave here and come there, and why not.

    sender (not of an issue; nothing is asked of one by order)
    ├─ blocked → ERC7943CannotSend
    └─ class locked until a later second → Locked
    receiver (not of a burn)
    ├─ attested: never, expired, revoked → ERC7943CannotReceive; blocked → the same, named apart
    └─ of an excluded country: rule on, another investor → CountryExcluded
    amount 0, or both wallets of one investor → no more is asked, nothing is counted

Every refusal is looked at both ways: foretold by `refusalOf` and met in `beforeMove`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from ape.utils import ZERO_ADDRESS

from tests.support.compliance import (
    DAY_SECONDS,
    NETHERLANDS,
    NEWCOMER,
    NO_ONE,
    OTHER_SECOND_WALLET,
    SECOND_WALLET,
    THIRD_PARTY,
    USA,
    LimitedShare,
    Refusal,
    today,
)
from tests.support.scenario import Scenario, investor_id, travel_to

pytestmark = pytest.mark.usefixtures("two_investors")


# ---------------------------------------------------------------------------- sender


def test_before_move__sender_blocked__refused(
    limited: LimitedShare,
    block: Callable[[AccountAPI | str], None],
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> None:
    block(holder)
    error = limited.rules.ERC7943CannotSend
    foretold = (Refusal.SENDER_BLOCKED, 0)
    limited.see_refused(holder, other_holder, 1, foretold, error, account=holder.address)
    limited.see_refused(holder, other_holder, 0, foretold, error, account=holder.address)
    limited.see_refused(holder, SECOND_WALLET, 1, foretold, error, account=holder.address)
    limited.see_refused(holder, ZERO_ADDRESS, 1, foretold, error, account=holder.address)


def test_before_move__sender_blocked_and_forced__moves(
    limited: LimitedShare,
    block: Callable[[AccountAPI | str], None],
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> None:
    block(holder)
    limited.move(holder, other_holder, 40, forced=True)
    assert limited.token.balanceOf(holder) == 60


def test_before_move__other_wallet_of_sender_blocked__moves(
    limited: LimitedShare,
    block: Callable[[AccountAPI | str], None],
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> None:
    block(SECOND_WALLET)
    limited.move(holder, other_holder, 40)


@pytest.mark.parametrize("investor_class", [1, 2, 3])
def test_before_move__class_locked__refused_until_the_day_begins(
    limited: LimitedShare,
    scenario: Scenario,
    holder: AccountAPI,
    other_holder: AccountAPI,
    investor_class: int,
) -> None:
    for wallet in (holder, other_holder):
        limited.burn(wallet, 100)
    chain.mine(deltatime=10)
    scenario.attest(holder, investorId=investor_id(1), investorClass=investor_class)
    day = today() + 3
    lock = [0, 0, 0]
    lock[investor_class - 1] = day
    limited.set_limits(lockedUntilDay=lock)
    limited.issue(holder, 100)

    travel_to(day * DAY_SECONDS - 2)
    for to, amount in ((other_holder, 1), (other_holder, 0), (SECOND_WALLET, 1), (ZERO_ADDRESS, 1)):
        assert limited.refusal(holder, to, amount) == (Refusal.SENDER_LOCKED, day * DAY_SECONDS)
    chain.pending_timestamp = day * DAY_SECONDS - 1
    limited.see_force_refused(
        holder,
        other_holder,
        1,
        limited.rules.HoldingRules_Locked,
        forced=False,
        account=holder.address,
        investorClass=investor_class,
        untilAt=day * DAY_SECONDS,
    )
    travel_to(day * DAY_SECONDS)
    limited.move(holder, other_holder, 1)


def test_before_move__another_class_locked__moves(
    limited: LimitedShare, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    """Both are of class 2."""
    for wallet in (holder, other_holder):
        limited.burn(wallet, 100)
    limited.set_limits(lockedUntilDay=[65_535, 0, 65_535])
    limited.issue(holder, 100)
    limited.move(holder, other_holder, 1)


def test_before_move__class_locked_and_forced__moves(
    limited: LimitedShare, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    for wallet in (holder, other_holder):
        limited.burn(wallet, 100)
    limited.set_limits(lockedUntilDay=[65_535, 65_535, 65_535])
    limited.issue(holder, 100)
    limited.move(holder, other_holder, 1, forced=True)


def test_before_move__sender_expired__moves(
    limited: LimitedShare,
    scenario: Scenario,
    holder: AccountAPI,
    other_holder: AccountAPI,
    compliance: AccountAPI,
) -> None:
    """Expiry and revocation stop receiving only."""
    limited.rules.revokeInvestor(investor_id(1), sender=compliance)
    limited.move(holder, other_holder, 100)


def test_before_move__sender_never_attested__is_a_holder_of_its_own(
    identity: ContractInstance, scenario: Scenario, attacker: AccountAPI
) -> None:
    """Cannot happen in a share that asks from its first issue on; whatever it says is counted."""
    scenario.attest(THIRD_PARTY, investorId=investor_id(4))

    def move(giver: str, to: str, amount: int, giver_holds: int, to_holds: int) -> int:
        identity.beforeMove(giver, to, amount, giver_holds, to_holds, False, sender=attacker)
        return int(identity.holdersOf(attacker))

    assert move(ZERO_ADDRESS, NEWCOMER, 5, 0, 0) == 1
    assert move(ZERO_ADDRESS, THIRD_PARTY, 5, 0, 0) == 2
    assert move(NO_ONE, NEWCOMER, 4, 5, 5) == 2
    assert move(NO_ONE, NEWCOMER, 1, 1, 9) == 1
    assert move(NO_ONE, ZERO_ADDRESS, 1, 1, 0) == 0


# ---------------------------------------------------------------------------- receiver


def test_before_move__receiver_never_attested__refused(
    limited: LimitedShare, holder: AccountAPI
) -> None:
    error = limited.rules.ERC7943CannotReceive
    foretold = (Refusal.RECEIVER_NOT_ATTESTED, 0)
    for amount in (0, 1):
        limited.see_refused(holder, NO_ONE, amount, foretold, error, account=NO_ONE)
    limited.see_refused(ZERO_ADDRESS, NO_ONE, 1, foretold, error, account=NO_ONE)
    limited.see_force_refused(holder, NO_ONE, 1, error, account=NO_ONE)


def test_before_move__receiver_expired__refused_from_that_second(
    limited: LimitedShare, scenario: Scenario, holder: AccountAPI
) -> None:
    expires_at = int(chain.pending_timestamp) + 1_000
    chain.mine(deltatime=10)
    scenario.attest(NEWCOMER, investorId=investor_id(3), expiresAt=expires_at)
    travel_to(expires_at - 1)
    assert limited.refusal(holder, NEWCOMER, 1) == (Refusal.NONE, 0)
    travel_to(expires_at)
    limited.see_refused(
        holder,
        NEWCOMER,
        1,
        (Refusal.RECEIVER_NOT_ATTESTED, 0),
        limited.rules.ERC7943CannotReceive,
        account=NEWCOMER,
    )


def test_before_move__receiver_revoked__refused_in_a_wallet_of_ones_own_too(
    limited: LimitedShare, holder: AccountAPI, compliance: AccountAPI
) -> None:
    limited.rules.revokeWallet(SECOND_WALLET, sender=compliance)
    limited.see_refused(
        holder,
        SECOND_WALLET,
        1,
        (Refusal.RECEIVER_NOT_ATTESTED, 0),
        limited.rules.ERC7943CannotReceive,
        account=SECOND_WALLET,
    )


def test_before_move__receiver_blocked__refused_by_order_too(
    limited: LimitedShare, block: Callable[[AccountAPI | str], None], holder: AccountAPI
) -> None:
    block(NEWCOMER)
    error = limited.rules.ERC7943CannotReceive
    foretold = (Refusal.RECEIVER_BLOCKED, 0)
    limited.see_refused(holder, NEWCOMER, 1, foretold, error, account=NEWCOMER)
    limited.see_refused(ZERO_ADDRESS, NEWCOMER, 1, foretold, error, account=NEWCOMER)
    limited.see_force_refused(holder, NEWCOMER, 1, error, account=NEWCOMER)


def test_before_move__country_excluded__refused(
    limited: LimitedShare, scenario: Scenario, holder: AccountAPI
) -> None:
    chain.mine(deltatime=10)
    scenario.attest(NEWCOMER, investorId=investor_id(3), country=USA)
    limited.exclude(USA)
    limited.set_limits(excludesCountries=True)
    error = limited.rules.HoldingRules_CountryExcluded
    foretold = (Refusal.COUNTRY_EXCLUDED, USA)
    for amount in (0, 1):
        limited.see_refused(
            holder, NEWCOMER, amount, foretold, error, account=NEWCOMER, country=USA
        )
    limited.see_refused(ZERO_ADDRESS, NEWCOMER, 1, foretold, error, account=NEWCOMER, country=USA)
    limited.see_force_refused(holder, NEWCOMER, 1, error, account=NEWCOMER, country=USA)


def test_before_move__countries_listed_but_not_asked__moves(
    limited: LimitedShare, holder: AccountAPI
) -> None:
    limited.exclude(NETHERLANDS)
    limited.move(holder, NEWCOMER, 1)


def test_before_move__another_country_excluded__moves(
    limited: LimitedShare, holder: AccountAPI
) -> None:
    limited.exclude(USA, NETHERLANDS - 1, NETHERLANDS + 1)
    limited.set_limits(excludesCountries=True)
    limited.move(holder, NEWCOMER, 1)


def test_before_move__own_wallet_in_an_excluded_country__moves(
    limited: LimitedShare, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    """Who holds already can use all their wallets, and be helped to another when one is lost."""
    limited.exclude(NETHERLANDS)
    limited.set_limits(excludesCountries=True)
    limited.move(holder, SECOND_WALLET, 30)
    limited.move(holder, SECOND_WALLET, 30, forced=True)
    assert limited.refusal(holder, OTHER_SECOND_WALLET, 1)[0] == Refusal.COUNTRY_EXCLUDED


# ---------------------------------------------------------------------------- what is skipped


def test_before_move__nothing_moves__no_limit_is_asked_and_nothing_counted(
    limited: LimitedShare, holder: AccountAPI
) -> None:
    limited.set_limits(minHolding=1_000, maxHolding=1_000, maxHolders=1)
    for giver, to in ((holder, NEWCOMER), (ZERO_ADDRESS, NEWCOMER), (holder, ZERO_ADDRESS)):
        assert limited.counted(limited.move(giver, to, 0)) == []
    assert limited.holders() == 2


@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize("amount", [1, 100])
def test_before_move__between_wallets_of_one_investor__no_limit_is_asked_and_nothing_counted(
    limited: LimitedShare, holder: AccountAPI, amount: int, forced: bool
) -> None:
    limited.set_limits(minHolding=1_000, maxHolding=1_000, maxHolders=1)
    assert limited.counted(limited.move(holder, SECOND_WALLET, amount, forced)) == []
    assert limited.token.balanceOf(SECOND_WALLET) == amount
    assert limited.rules.investorHolding(limited.token, holder) == 100


def test_before_move__to_oneself__moves_and_counts_nothing(
    limited: LimitedShare, holder: AccountAPI
) -> None:
    limited.set_limits(minHolding=1_000, maxHolding=1_000, maxHolders=1)
    assert limited.counted(limited.move(holder, holder, 100)) == []
    assert limited.holders() == 2
