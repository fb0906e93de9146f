"""ClusterShare.transfer: both sides settle, then shares move to whoever may hold them."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.income import (
    BOUNDARY_SECONDS,
    DAY,
    UINT256_MAX,
    OpenShare,
    is_close,
    next_boundary,
    set_held,
    streamed,
)
from tests.support.scenario import SHARE, USD, Scenario, travel_to

HOLDER_SHARES = 300_000 * SHARE
OTHER_SHARES = 100_000 * SHARE


def test_transfer__part__balances_and_event(
    share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    receipt = share.transfer(other_holder, 7, sender=holder)
    assert receipt.return_value is True
    assert share.balanceOf(holder) == HOLDER_SHARES - 7
    assert share.balanceOf(other_holder) == OTHER_SHARES + 7
    assert share.totalSupply() == HOLDER_SHARES + OTHER_SHARES
    [event] = receipt.decode_logs(share.Transfer)
    assert (event["from"], event["to"], event["value"]) == (holder.address, other_holder.address, 7)


def test_transfer__in_mid_stream__each_earns_for_as_long_as_they_held(
    ground: OpenShare, share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    start = ground.fund(10_000 * USD).timestamp
    chain.pending_timestamp = start + DAY // 3
    share.transfer(other_holder, HOLDER_SHARES, sender=holder)
    before = streamed(10_000 * USD, start, start + DAY // 3)
    assert is_close(ground.earned(holder), before * 3 / 4)
    assert is_close(ground.earned(other_holder), before / 4)
    travel_to(start + 2 * DAY)
    assert is_close(ground.earned(holder), before * 3 / 4)
    assert is_close(ground.earned(other_holder), 10_000 * USD - before * 3 / 4)
    assert ground.is_conserved(holder, other_holder)


@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_transfer__around_the_end_of_a_stream__no_income_jumps(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    offset: int,
) -> None:
    start = next_boundary()
    ground.fund(DAY * USD, at=start)
    at = start + DAY + offset
    chain.pending_timestamp = at
    share.transfer(other_holder, HOLDER_SHARES, sender=holder)
    done = streamed(DAY * USD, start, at)
    assert is_close(ground.earned(holder), done * 3 / 4)
    assert is_close(ground.earned(other_holder), done / 4)
    travel_to(at + BOUNDARY_SECONDS)
    assert is_close(ground.earned(other_holder), DAY * USD - done * 3 / 4)


def test_transfer__to_a_newcomer__earns_from_then_on(
    ground: OpenShare,
    share: ContractInstance,
    scenario: Scenario,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
) -> None:
    scenario.attest(keeper)
    start = ground.fund(10_000 * USD).timestamp
    chain.pending_timestamp = start + DAY // 2
    share.transfer(keeper, HOLDER_SHARES, sender=holder)
    assert ground.earned(keeper) == 0
    before = streamed(10_000 * USD, start, start + DAY // 2)
    travel_to(start + 2 * DAY)
    assert is_close(ground.earned(keeper), (10_000 * USD - before) * 3 / 4)
    assert ground.is_conserved(holder, other_holder, keeper)


@pytest.mark.parametrize("amount", [0, 1, HOLDER_SHARES])
def test_transfer__to_oneself__changes_nothing(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    amount: int,
) -> None:
    start = ground.fund(10_000 * USD).timestamp
    chain.pending_timestamp = start + DAY // 2
    share.transfer(holder, amount, sender=holder)
    assert share.balanceOf(holder) == HOLDER_SHARES
    assert is_close(ground.earned(holder), streamed(10_000 * USD, start, start + DAY // 2) * 3 / 4)
    assert ground.is_conserved(holder, other_holder)


def test_transfer__nothing_by_a_stranger__settles_and_moves_nothing(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    attacker: AccountAPI,
) -> None:
    start = ground.fund(10_000 * USD).timestamp
    share.transfer(holder, 0, sender=attacker)
    travel_to(start + 2 * DAY)
    assert is_close(ground.earned(holder), 7_500 * USD)
    assert ground.earned(attacker) == 0
    assert ground.is_conserved(holder, other_holder)


def test_transfer__to_whom_is_not_admitted__refused(
    share: ContractInstance, holder: AccountAPI, attacker: AccountAPI
) -> None:
    with ape.reverts(share.ERC7943CannotReceive, account=attacker.address):
        share.transfer(attacker, 1, sender=holder)


def test_transfer__receiver_revoked_or_expired__refused_but_may_send(
    share: ContractInstance,
    identity: ContractInstance,
    compliance: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> None:
    identity.revokeWallet(other_holder, sender=compliance)
    with ape.reverts(share.ERC7943CannotReceive, account=other_holder.address):
        share.transfer(other_holder, 1, sender=holder)
    share.transfer(holder, OTHER_SHARES, sender=other_holder)
    chain.pending_timestamp = identity.attestationOf(holder).expiresAt
    with ape.reverts(share.ERC7943CannotReceive, account=holder.address):
        share.transfer(holder, 1, sender=holder)


def test_transfer__to_the_share_itself__refused_even_if_a_provider_attests_it(
    share: ContractInstance, scenario: Scenario, holder: AccountAPI
) -> None:
    scenario.attest(share.address)
    with ape.reverts(share.ERC7943CannotReceive, account=share.address):
        share.transfer(share, 1, sender=holder)


def test_transfer__to_the_zero_address__refused(
    share: ContractInstance, holder: AccountAPI
) -> None:
    with ape.reverts(share.ERC20InvalidReceiver):
        share.transfer("0x" + "00" * 20, 1, sender=holder)


@pytest.mark.parametrize("amount", [HOLDER_SHARES + 1, 2**64, UINT256_MAX])
def test_transfer__more_than_the_balance__refused(
    share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI, amount: int
) -> None:
    with ape.reverts(
        share.ERC20InsufficientBalance,
        sender=holder.address,
        balance=HOLDER_SHARES,
        needed=amount,
    ):
        share.transfer(other_holder, amount, sender=holder)


@pytest.mark.parametrize(
    ("encumbered", "frozen", "available"),
    [
        (SHARE, 0, HOLDER_SHARES - SHARE),
        (0, SHARE, HOLDER_SHARES - SHARE),
        (SHARE, 2 * SHARE, HOLDER_SHARES - 3 * SHARE),
        (HOLDER_SHARES, HOLDER_SHARES, 0),
        (HOLDER_SHARES, 2**64 - 1, 0),
    ],
)
def test_transfer__encumbered_or_frozen_shares__only_the_available_move(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    admin: AccountAPI,
    encumbered: int,
    frozen: int,
    available: int,
) -> None:
    set_held(ground, holder, admin, encumbered, frozen)
    assert share.availableBalanceOf(holder) == available
    unfrozen = max(0, HOLDER_SHARES - frozen)
    named = {"account": holder.address, "amount": available + 1}
    if available + 1 > unfrozen:
        refusal = ape.reverts(share.ERC7943InsufficientUnfrozenBalance, unfrozen=unfrozen, **named)
    else:
        refusal = ape.reverts(
            share.ClusterShare_InsufficientAvailable, available=available, **named
        )
    with refusal:
        share.transfer(other_holder, available + 1, sender=holder)
    share.transfer(other_holder, available, sender=holder)
    state = share.accountState(holder)
    assert (state.balance, state.encumbered, state.frozen) == (
        HOLDER_SHARES - available,
        encumbered,
        frozen,
    )


def test_transfer__frozen_holder__goes_on_earning(
    ground: OpenShare, holder: AccountAPI, other_holder: AccountAPI, admin: AccountAPI
) -> None:
    set_held(ground, holder, admin, 0, HOLDER_SHARES)
    start = ground.fund(4_000 * USD).timestamp
    travel_to(start + 2 * DAY)
    assert is_close(ground.earned(holder), 3_000 * USD)
    assert ground.is_conserved(holder, other_holder)
