"""ClusterShare.forcedTransfer: frozen shares move by order, whatever their owner may or has
pledged."""

from __future__ import annotations

from fractions import Fraction

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.enforcement import (
    ALL,
    DAY,
    ZERO_ADDRESS,
    block_wallet,
    is_conserved,
)
from tests.support.income import SCALE, UINT256_MAX, OpenShare, delegate, is_close, streamed
from tests.support.scenario import SHARE, USD, Scenario, travel_to

HOLDER_SHARES = 300_000 * SHARE
OTHER_SHARES = 100_000 * SHARE


def test_forced_transfer__by_anybody_but_enforcement__refused(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    issuer: AccountAPI,
    admin: AccountAPI,
    attacker: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    share.setFrozenTokens(holder, 5, sender=enforcement)
    for caller in (holder, other_holder, issuer, admin, attacker):
        with ape.reverts(share.ClusterShare_NotEnforcement, account=caller.address):
            share.forcedTransfer(holder, other_holder, 1, sender=caller)


def test_forced_transfer__part_of_what_is_frozen__moves_and_is_frozen_no_more(
    share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI, enforcement: AccountAPI
) -> None:
    share.setFrozenTokens(holder, 5 * SHARE, sender=enforcement)
    receipt = share.forcedTransfer(holder, other_holder, 2 * SHARE, sender=enforcement)
    assert receipt.return_value is True
    assert share.balanceOf(holder) == HOLDER_SHARES - 2 * SHARE
    assert share.balanceOf(other_holder) == OTHER_SHARES + 2 * SHARE
    assert share.getFrozenTokens(holder) == 3 * SHARE
    assert share.getFrozenTokens(other_holder) == 0
    assert share.availableBalanceOf(holder) == HOLDER_SHARES - 5 * SHARE
    moved = (holder.address, other_holder.address, 2 * SHARE)
    [event] = receipt.decode_logs(share.Transfer)
    assert (event["from"], event["to"], event["value"]) == moved
    [event] = receipt.decode_logs(share.ForcedTransfer)
    assert (event["from"], event["to"], event["amount"]) == moved
    assert [(e.account, e.amount) for e in receipt.decode_logs(share.Frozen)] == [
        (holder.address, 3 * SHARE)
    ]


def test_forced_transfer__of_a_holder_frozen_whole__the_rest_stays_frozen_whole(
    share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI, enforcement: AccountAPI
) -> None:
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    share.forcedTransfer(holder, other_holder, HOLDER_SHARES - 1, sender=enforcement)
    assert (share.balanceOf(holder), share.getFrozenTokens(holder)) == (1, ALL)
    share.forcedTransfer(holder, other_holder, 1, sender=enforcement)
    assert (share.balanceOf(holder), share.getFrozenTokens(holder)) == (0, ALL)


@pytest.mark.parametrize("frozen", [0, 5])
def test_forced_transfer__more_than_is_frozen__refused(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    enforcement: AccountAPI,
    frozen: int,
) -> None:
    share.setFrozenTokens(holder, frozen, sender=enforcement)
    with ape.reverts(
        share.ClusterShare_NotFrozen, account=holder.address, frozen=frozen, amount=frozen + 1
    ):
        share.forcedTransfer(holder, other_holder, frozen + 1, sender=enforcement)


@pytest.mark.parametrize("amount", [HOLDER_SHARES + 1, 2**64, UINT256_MAX])
def test_forced_transfer__more_than_the_balance__refused(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    enforcement: AccountAPI,
    amount: int,
) -> None:
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    with ape.reverts(
        share.ERC20InsufficientBalance, sender=holder.address, balance=HOLDER_SHARES, needed=amount
    ):
        share.forcedTransfer(holder, other_holder, amount, sender=enforcement)


def test_forced_transfer__to_itself_or_nobody__refused(
    share: ContractInstance, holder: AccountAPI, enforcement: AccountAPI
) -> None:
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    for to in (holder.address, ZERO_ADDRESS):
        with ape.reverts(share.ERC7943CannotTransfer):
            share.forcedTransfer(holder, to, 1, sender=enforcement)


def test_forced_transfer__to_whom_may_not_receive__refused(
    share: ContractInstance,
    scenario: Scenario,
    holder: AccountAPI,
    attacker: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    with ape.reverts(share.ERC7943CannotReceive, account=attacker.address):
        share.forcedTransfer(holder, attacker, 1, sender=enforcement)
    scenario.attest(share.address)
    with ape.reverts(share.ERC7943CannotReceive, account=share.address):
        share.forcedTransfer(holder, share, 1, sender=enforcement)


def test_forced_transfer__of_a_revoked_and_blocked_sender__asks_nothing_of_it(
    share: ContractInstance,
    scenario: Scenario,
    admin: AccountAPI,
    compliance: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    scenario.system.identity.revokeWallet(holder, sender=compliance)
    block_wallet(scenario, admin, holder)
    share.setFrozenTokens(holder, 5, sender=enforcement)
    assert not share.canSend(holder)
    share.forcedTransfer(holder, other_holder, 5, sender=enforcement)
    assert share.balanceOf(other_holder) == OTHER_SHARES + 5


def test_forced_transfer__while_something_is_available__touches_no_encumbrance(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    takers: tuple[AccountAPI, AccountAPI],
    enforcement: AccountAPI,
) -> None:
    share.encumber(takers[0], HOLDER_SHARES - 10, sender=holder)
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    receipt = share.forcedTransfer(holder, other_holder, 10, sender=enforcement)
    assert not list(receipt.decode_logs(share.Release))
    assert share.encumbrances(holder, takers[0]) == share.balanceOf(holder) == HOLDER_SHARES - 10


@pytest.mark.parametrize(
    ("amount", "older", "newer"),
    [(10, 60, 30), (11, 60, 29), (40, 60, 0), (41, 59, 0), (100, 0, 0)],
)
def test_forced_transfer__more_than_is_unencumbered__encumbrances_shrink_newest_first(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    takers: tuple[AccountAPI, AccountAPI],
    enforcement: AccountAPI,
    amount: int,
    older: int,
    newer: int,
) -> None:
    """Sixty to the older taker, thirty to the newer, ten free: in units."""
    share.transfer(other_holder, HOLDER_SHARES - 100, sender=holder)
    share.encumber(takers[0], 60, sender=holder)
    share.encumber(takers[1], 30, sender=holder)
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    receipt = share.forcedTransfer(holder, other_holder, amount, sender=enforcement)
    assert share.encumbrances(holder, takers[0]) == older
    assert share.encumbrances(holder, takers[1]) == newer
    assert share.encumberedBalanceOf(holder) == older + newer
    assert list(share.takersOf(holder)) == [
        taker.address for taker, left in zip(takers, (older, newer), strict=True) if left
    ]
    released = [(e.owner, e.taker, e.amount) for e in receipt.decode_logs(share.Release)]
    expected = [(takers[1].address, 30 - newer), (takers[0].address, 60 - older)]
    assert released == [(holder.address, taker, part) for taker, part in expected if part]


def test_forced_transfer__of_shares_with_assigned_income__the_payee_keeps_what_was_earned(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    customer: AccountAPI,
    takers: tuple[AccountAPI, AccountAPI],
    enforcement: AccountAPI,
) -> None:
    share.encumber(takers[0], HOLDER_SHARES, sender=holder)
    share.assignIncome(takers[0], HOLDER_SHARES, customer, sender=holder)
    share.setFrozenTokens(holder, HOLDER_SHARES, sender=enforcement)
    start = ground.fund(4_000 * USD).timestamp
    chain.pending_timestamp = start + DAY // 2
    third = HOLDER_SHARES // 3
    share.forcedTransfer(holder, other_holder, third, sender=enforcement)
    assert share.encumbranceOf(holder, takers[0]).assigned == 2 * third
    travel_to(start + 2 * DAY)
    before = streamed(4_000 * USD, start, start + DAY // 2)
    after = 4_000 * USD - before
    interest = share.interestState(holder, customer)
    assert interest.units == 2 * third
    assert is_close(Fraction(interest.earned, SCALE), before * 3 / 4 + after / 2)
    assert is_close(ground.earned(holder), 0)
    assert is_close(ground.earned(other_holder), before / 4 + after / 2)
    assert is_conserved(share, (holder, other_holder), [(holder, customer)])


def test_forced_transfer__in_mid_stream__both_sides_settle(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    start = ground.fund(4_000 * USD).timestamp
    chain.pending_timestamp = start + DAY // 3
    share.forcedTransfer(holder, other_holder, HOLDER_SHARES, sender=enforcement)
    before = streamed(4_000 * USD, start, start + DAY // 3)
    travel_to(start + 2 * DAY)
    assert is_close(ground.earned(holder), before * 3 / 4)
    assert is_close(ground.earned(other_holder), 4_000 * USD - before * 3 / 4)
    assert ground.is_conserved(holder, other_holder)


def test_forced_transfer__delegated_shares__votes_move_with_them(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    delegate(share, keeper, sender=holder)
    delegate(share, other_holder, sender=other_holder)
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    share.forcedTransfer(holder, other_holder, SHARE, sender=enforcement)
    assert share.getVotes(keeper) == HOLDER_SHARES - SHARE
    assert share.getVotes(other_holder) == OTHER_SHARES + SHARE
