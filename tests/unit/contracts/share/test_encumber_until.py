"""ClusterShare.encumberUntil: a pledge that ends by itself."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.enforcement import NEVER
from tests.support.income import DAY, now
from tests.support.scenario import SHARE

HOLDER_SHARES = 300_000 * SHARE


def test_encumber_until__a_time__lasts_until_then(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI
) -> None:
    until = now() + DAY
    receipt = share.encumberUntil(taker, 7, until, sender=holder)
    [event] = receipt.decode_logs(share.Encumber)
    assert (event.owner, event.taker, event.amount) == (holder.address, taker.address, 7)
    [event] = receipt.decode_logs(share.EncumbranceExtended)
    assert (event.amount, event.expiresAt) == (7, until)
    assert share.encumbranceOf(holder, taker).expiresAt == until
    assert share.availableBalanceOf(holder) == HOLDER_SHARES - 7


@pytest.mark.parametrize(
    ("first", "second", "stands"),
    [(10, 20, 20), (20, 10, 20), (20, 20, 20), (10, NEVER, NEVER), (NEVER, 10, NEVER)],
)
def test_encumber_until__another_time__the_later_one_counts_for_all(
    share: ContractInstance,
    holder: AccountAPI,
    taker: AccountAPI,
    first: int,
    second: int,
    stands: int,
) -> None:
    start = now()
    times = [NEVER if days == NEVER else start + days * DAY for days in (first, second, stands)]
    share.encumberUntil(taker, 7, times[0], sender=holder)
    share.encumberUntil(taker, 5, times[1], sender=holder)
    found = share.encumbranceOf(holder, taker)
    assert (found.amount, found.expiresAt) == (12, times[2])


@pytest.mark.parametrize("before", [0, 1, DAY])
def test_encumber_until__not_later_than_now__refused(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI, before: int
) -> None:
    at = now() + 100
    chain.pending_timestamp = at
    with ape.reverts(share.ClusterShare_ExpiryInPast, expiresAt=at - before, now_=at):
        share.encumberUntil(taker, 7, at - before, sender=holder)


def test_encumber_until__the_next_second__is_a_time(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI
) -> None:
    at = now() + 100
    chain.pending_timestamp = at
    share.encumberUntil(taker, 7, at + 1, sender=holder)
    assert share.encumbranceOf(holder, taker).expiresAt == at + 1


def test_encumber_until__what_encumber_refuses__refused(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI, attacker: AccountAPI
) -> None:
    until = now() + DAY
    with ape.reverts(share.ClusterShare_ZeroEncumbrance):
        share.encumberUntil(taker, 0, until, sender=holder)
    with ape.reverts(share.ERC20InsufficientBalance, needed=HOLDER_SHARES + 1):
        share.encumberUntil(taker, HOLDER_SHARES + 1, until, sender=holder)
    with ape.reverts(share.ClusterShare_NotAnEncumbrancer, taker=attacker.address):
        share.encumberUntil(attacker, 1, until, sender=holder)
