"""ClusterShare.setFrozenTokens: shares held by order, and with all of them the income too."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.enforcement import ALL, DAY, is_conserved
from tests.support.income import UINT256_MAX, OpenShare, delegate, is_close, streamed
from tests.support.scenario import SHARE, USD, Scenario, travel_to

HOLDER_SHARES = 300_000 * SHARE
OTHER_SHARES = 100_000 * SHARE


def test_set_frozen_tokens__by_anybody_but_enforcement__refused(
    share: ContractInstance,
    holder: AccountAPI,
    issuer: AccountAPI,
    admin: AccountAPI,
    compliance: AccountAPI,
    customer: AccountAPI,
    attacker: AccountAPI,
) -> None:
    for caller in (holder, issuer, admin, compliance, customer, attacker):
        with ape.reverts(share.ClusterShare_NotEnforcement, account=caller.address):
            share.setFrozenTokens(holder, 1, sender=caller)


def test_set_frozen_tokens__part__is_no_longer_available(
    share: ContractInstance, holder: AccountAPI, enforcement: AccountAPI
) -> None:
    receipt = share.setFrozenTokens(holder, SHARE, sender=enforcement)
    assert receipt.return_value is True
    assert [(e.account, e.amount) for e in receipt.decode_logs(share.Frozen)] == [
        (holder.address, SHARE)
    ]
    assert share.getFrozenTokens(holder) == share.accountState(holder).frozen == SHARE
    assert share.availableBalanceOf(holder) == HOLDER_SHARES - SHARE
    assert share.balanceOf(holder) == HOLDER_SHARES


def test_set_frozen_tokens__again__takes_the_place_of_what_was(
    share: ContractInstance, holder: AccountAPI, enforcement: AccountAPI
) -> None:
    for amount in (5, 3, HOLDER_SHARES, ALL, 0):
        share.setFrozenTokens(holder, amount, sender=enforcement)
        assert share.getFrozenTokens(holder) == amount
    assert share.availableBalanceOf(holder) == HOLDER_SHARES


@pytest.mark.parametrize("amount", [2**64, 2**64 + 7, UINT256_MAX])
def test_set_frozen_tokens__more_than_64_bits__all(
    share: ContractInstance, holder: AccountAPI, enforcement: AccountAPI, amount: int
) -> None:
    before = share.accountState(holder)
    receipt = share.setFrozenTokens(holder, amount, sender=enforcement)
    assert [e.amount for e in receipt.decode_logs(share.Frozen)] == [ALL]
    state = share.accountState(holder)
    assert state.frozen == ALL
    assert (state.balance, state.encumbered, state.claimedUsd6) == (
        before.balance,
        before.encumbered,
        before.claimedUsd6,
    )


def test_set_frozen_tokens__part__transfer_burn_and_pledge_of_it_refused(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    share.setFrozenTokens(holder, HOLDER_SHARES - SHARE, sender=enforcement)
    refusal = {"account": holder.address, "amount": SHARE + 1, "unfrozen": SHARE}
    with ape.reverts(share.ERC7943InsufficientUnfrozenBalance, **refusal):
        share.transfer(other_holder, SHARE + 1, sender=holder)
    share.approve(other_holder, UINT256_MAX, sender=holder)
    with ape.reverts(share.ERC7943InsufficientUnfrozenBalance, **refusal):
        share.transferFrom(holder, other_holder, SHARE + 1, sender=other_holder)
    with ape.reverts(share.ERC7943InsufficientUnfrozenBalance, **refusal):
        share.burn(SHARE + 1, sender=holder)
    with ape.reverts(share.ERC7943InsufficientUnfrozenBalance, **refusal):
        share.encumber(taker, SHARE + 1, sender=holder)
    share.transfer(other_holder, SHARE, sender=holder)
    assert share.balanceOf(holder) == HOLDER_SHARES - SHARE


def test_set_frozen_tokens__more_than_the_balance__holds_what_arrives_too(
    share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI, enforcement: AccountAPI
) -> None:
    share.setFrozenTokens(holder, HOLDER_SHARES + SHARE, sender=enforcement)
    share.transfer(holder, SHARE, sender=other_holder)
    assert share.availableBalanceOf(holder) == 0
    share.transfer(holder, 7, sender=other_holder)
    assert share.availableBalanceOf(holder) == 7


def test_set_frozen_tokens__of_an_account_without_shares__holds_what_arrives(
    share: ContractInstance,
    scenario: Scenario,
    holder: AccountAPI,
    relayer: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    scenario.attest(relayer)
    share.setFrozenTokens(relayer, 5, sender=enforcement)
    share.transfer(relayer, 8, sender=holder)
    assert share.availableBalanceOf(relayer) == 3


def test_set_frozen_tokens__of_encumbered_shares__outranks_the_encumbrance(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    share.encumber(taker, HOLDER_SHARES, sender=holder)
    share.setFrozenTokens(holder, SHARE, sender=enforcement)
    assert share.availableBalanceOf(holder) == 0
    assert share.encumbrances(holder, taker) == HOLDER_SHARES
    with ape.reverts(
        share.ERC7943InsufficientUnfrozenBalance,
        account=holder.address,
        amount=HOLDER_SHARES,
        unfrozen=HOLDER_SHARES - SHARE,
    ):
        share.transferFrom(holder, other_holder, HOLDER_SHARES, sender=taker)
    share.transferFrom(holder, other_holder, HOLDER_SHARES - SHARE, sender=taker)
    assert share.encumbrances(holder, taker) == SHARE
    share.release(holder, SHARE, sender=taker)
    assert share.availableBalanceOf(holder) == 0


@pytest.mark.parametrize(
    ("frozen", "older", "newer"),
    [(10, 60, 30), (11, 60, 29), (40, 60, 0), (41, 59, 0), (100, 0, 0), (ALL, 0, 0)],
)
def test_set_frozen_tokens__of_encumbered_shares__reaches_into_the_newest_first(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    takers: tuple[AccountAPI, AccountAPI],
    enforcement: AccountAPI,
    frozen: int,
    older: int,
    newer: int,
) -> None:
    """Of a hundred units sixty are the older taker's and thirty the newer's: what an order over the
    frozen ones would leave them they can deliver, and no more, whoever comes first."""
    share.transfer(other_holder, HOLDER_SHARES - 100, sender=holder)
    share.encumber(takers[0], 60, sender=holder)
    share.encumber(takers[1], 30, sender=holder)
    share.setFrozenTokens(holder, frozen, sender=enforcement)
    for taker, pledged, unfrozen in zip(reversed(takers), (30, 60), (newer, older), strict=True):
        if unfrozen < pledged:
            with ape.reverts(
                share.ERC7943InsufficientUnfrozenBalance,
                account=holder.address,
                amount=unfrozen + 1,
                unfrozen=unfrozen,
            ):
                share.transferFrom(holder, other_holder, unfrozen + 1, sender=taker)
        share.transferFrom(holder, other_holder, unfrozen, sender=taker)
    assert share.balanceOf(holder) == 100 - older - newer


def test_set_frozen_tokens__of_encumbered_shares__a_taker_takes_no_more_by_allowance(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    share.encumber(taker, 5, sender=holder)
    share.approve(taker, UINT256_MAX, sender=holder)
    share.setFrozenTokens(holder, HOLDER_SHARES - 8, sender=enforcement)
    with ape.reverts(
        share.ERC7943InsufficientUnfrozenBalance, account=holder.address, amount=9, unfrozen=8
    ):
        share.transferFrom(holder, other_holder, 9, sender=taker)
    share.transferFrom(holder, other_holder, 8, sender=taker)
    assert share.encumbrances(holder, taker) == 0


@pytest.mark.parametrize("amount", [0, 1, HOLDER_SHARES, ALL - 1])
def test_set_frozen_tokens__less_than_all__income_is_paid(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    enforcement: AccountAPI,
    amount: int,
) -> None:
    start = ground.fund(4_000 * USD).timestamp
    share.setFrozenTokens(holder, amount, sender=enforcement)
    travel_to(start + 2 * DAY)
    assert share.claim(sender=holder).return_value in (3_000 * USD - 1, 3_000 * USD)


def test_set_frozen_tokens__all__earns_on_and_takes_nothing_out(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    attacker: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    start = ground.fund(4_000 * USD).timestamp
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    travel_to(start + 2 * DAY)
    share.setPayee(attacker, sender=holder)
    with ape.reverts(share.ClusterShare_IncomeFrozen, owner=holder.address):
        share.claim(sender=holder)
    with ape.reverts(share.ClusterShare_IncomeFrozen, owner=holder.address):
        share.claimFor(holder, sender=attacker)
    with ape.reverts(share.ClusterShare_IncomeFrozen, owner=holder.address):
        share.claimTo(holder, attacker, sender=enforcement)
    assert share.claim(sender=other_holder).return_value > 0
    assert is_close(ground.earned(holder), 3_000 * USD)
    assert ground.is_conserved(holder, other_holder)

    share.setFrozenTokens(holder, ALL - 1, sender=enforcement)
    share.setPayee(holder, sender=holder)
    assert share.claim(sender=holder).return_value in (3_000 * USD - 1, 3_000 * USD)


def test_set_frozen_tokens__all__assigned_income_stays_too(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    customer: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    share.encumber(taker, HOLDER_SHARES, sender=holder)
    share.assignIncome(taker, HOLDER_SHARES, customer, sender=holder)
    start = ground.fund(4_000 * USD).timestamp
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    travel_to(start + 2 * DAY)
    with ape.reverts(share.ClusterShare_IncomeFrozen, owner=holder.address):
        share.claimAssigned(holder, customer, sender=customer)
    share.setFrozenTokens(holder, HOLDER_SHARES, sender=enforcement)
    paid = share.claimAssigned(holder, customer, sender=customer).return_value
    assert paid in (3_000 * USD - 1, 3_000 * USD)
    assert is_conserved(share, (holder, other_holder), [(holder, customer)])


def test_set_frozen_tokens__in_mid_stream__moves_no_income_and_no_votes(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    delegate(share, holder, sender=holder)
    start = ground.fund(4_000 * USD).timestamp
    for step, amount in enumerate((1, HOLDER_SHARES, ALL, 0, ALL), start=1):
        chain.pending_timestamp = start + step * DAY // 7
        share.setFrozenTokens(holder, amount, sender=enforcement)
        done = streamed(4_000 * USD, start, start + step * DAY // 7)
        assert is_close(ground.earned(holder), done * 3 / 4)
        assert is_close(ground.earned(other_holder), done / 4)
    assert share.getVotes(holder) == HOLDER_SHARES
    assert ground.is_conserved(holder, other_holder)


def test_set_frozen_tokens__views__say_so(
    share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI, enforcement: AccountAPI
) -> None:
    share.setFrozenTokens(holder, HOLDER_SHARES - 5, sender=enforcement)
    assert share.canTransfer(holder, other_holder, 5)
    assert not share.canTransfer(holder, other_holder, 6)
    assert share.canSend(holder)
    assert share.canReceive(holder)
