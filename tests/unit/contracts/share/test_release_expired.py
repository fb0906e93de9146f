"""ClusterShare.releaseExpired: what is over can be given back by anybody."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.enforcement import NEVER
from tests.support.income import DAY, now
from tests.support.scenario import SHARE, YEAR_SECONDS, travel_to

HOLDER_SHARES = 300_000 * SHARE


@pytest.mark.parametrize("late", [0, 1, DAY])
def test_release_expired__from_its_last_second_on__releases_all_for_anybody(
    share: ContractInstance,
    holder: AccountAPI,
    taker: AccountAPI,
    attacker: AccountAPI,
    late: int,
) -> None:
    until = now() + 100
    share.encumberUntil(taker, 7, until, sender=holder)
    chain.pending_timestamp = until + late
    receipt = share.releaseExpired(holder, taker, sender=attacker)
    [event] = receipt.decode_logs(share.Release)
    assert (event.owner, event.taker, event.amount) == (holder.address, taker.address, 7)
    assert share.encumberedBalanceOf(holder) == 0
    assert share.availableBalanceOf(holder) == HOLDER_SHARES
    assert list(share.takersOf(holder)) == []


def test_release_expired__a_second_before__refused_for_the_owner_too(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI, attacker: AccountAPI
) -> None:
    until = now() + 100
    share.encumberUntil(taker, 7, until, sender=holder)
    for caller in (holder, taker, attacker):
        chain.pending_timestamp = until - 1
        with (
            chain.isolate(),
            ape.reverts(
                share.ClusterShare_EncumbranceStands,
                owner=holder.address,
                taker=taker.address,
                expiresAt=until,
            ),
        ):
            share.releaseExpired(holder, taker, sender=caller)
    assert share.encumbrances(holder, taker) == 7


def test_release_expired__without_a_time__stands_for_ever(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI
) -> None:
    share.encumber(taker, 7, sender=holder)
    travel_to(now() + 1_000 * YEAR_SECONDS)
    with ape.reverts(share.ClusterShare_EncumbranceStands, expiresAt=NEVER):
        share.releaseExpired(holder, taker, sender=holder)


def test_release_expired__nothing_encumbered__changes_nothing(
    share: ContractInstance,
    holder: AccountAPI,
    taker: AccountAPI,
    newer_taker: AccountAPI,
    attacker: AccountAPI,
) -> None:
    share.encumber(taker, 7, sender=holder)
    receipt = share.releaseExpired(holder, newer_taker, sender=attacker)
    assert not receipt.decode_logs(share.Release)
    assert share.encumberedBalanceOf(holder) == 7


def test_release_expired__with_assigned_income__it_ends_too(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    attacker: AccountAPI,
) -> None:
    until = now() + 100
    share.encumberUntil(taker, 7, until, sender=holder)
    share.assignIncome(taker, 4, other_holder, sender=holder)
    chain.pending_timestamp = until
    share.releaseExpired(holder, taker, sender=attacker)
    assert share.accountState(holder).assigned == 0
    assert share.interestState(holder, other_holder).units == 0
