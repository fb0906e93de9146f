"""ClusterShare.burn: a holder destroys shares, to zero or down to the least supply."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.income import (
    DAY,
    MIN_SUPPLY,
    OpenShare,
    delegate,
    is_close,
    past,
    set_held,
    streamed,
)
from tests.support.scenario import SHARE, USD, travel_to

HOLDER_SHARES = 300_000 * SHARE
OTHER_SHARES = 100_000 * SHARE
ZERO_ADDRESS = "0x" + "00" * 20


def test_burn__part__balance_supply_and_event(share: ContractInstance, holder: AccountAPI) -> None:
    receipt = share.burn(7, sender=holder)
    assert share.balanceOf(holder) == HOLDER_SHARES - 7
    assert share.totalSupply() == HOLDER_SHARES + OTHER_SHARES - 7
    [event] = receipt.decode_logs(share.Transfer)
    assert (event["from"], event["to"], event["value"]) == (holder.address, ZERO_ADDRESS, 7)
    assert share.getPastTotalSupply(past(receipt)) == HOLDER_SHARES + OTHER_SHARES - 7


def test_burn__in_mid_stream__burner_keeps_income_and_others_earn_the_rest(
    ground: OpenShare, share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    start = ground.fund(10_000 * USD).timestamp
    chain.pending_timestamp = start + DAY // 2
    share.burn(HOLDER_SHARES, sender=holder)
    until_burn = streamed(10_000 * USD, start, start + DAY // 2)
    travel_to(start + 2 * DAY)
    assert is_close(ground.earned(holder), until_burn * 3 / 4)
    assert is_close(ground.earned(other_holder), 10_000 * USD - until_burn * 3 / 4)
    assert ground.is_conserved(holder, other_holder)


def test_burn__everything__clock_stands_still_and_income_is_kept(
    ground: OpenShare, share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    start = ground.fund(10_000 * USD).timestamp
    share.burn(HOLDER_SHARES, sender=holder)
    share.burn(OTHER_SHARES, sender=other_holder)
    assert share.totalSupply() == 0
    waiting = share.streamState().unstreamed
    earned = (ground.earned(holder), ground.earned(other_holder))
    travel_to(start + 30 * DAY)
    assert share.streamState().unstreamed == waiting > 0
    assert (ground.earned(holder), ground.earned(other_holder)) == earned
    assert share.streamState().ratePerSecond > 0
    assert ground.is_conserved(holder, other_holder)


def test_burn__leaves_less_than_the_minimum__refused(
    share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    share.burn(OTHER_SHARES, sender=other_holder)
    with ape.reverts(share.ClusterShare_SupplyTooSmall, supply=MIN_SUPPLY - 1, minimum=MIN_SUPPLY):
        share.burn(HOLDER_SHARES - MIN_SUPPLY + 1, sender=holder)
    share.burn(HOLDER_SHARES - MIN_SUPPLY, sender=holder)
    assert share.totalSupply() == MIN_SUPPLY


def test_burn__more_than_the_balance__refused(
    share: ContractInstance, holder: AccountAPI, attacker: AccountAPI
) -> None:
    with ape.reverts(
        share.ERC20InsufficientBalance,
        sender=holder.address,
        balance=HOLDER_SHARES,
        needed=HOLDER_SHARES + 1,
    ):
        share.burn(HOLDER_SHARES + 1, sender=holder)
    with ape.reverts(share.ERC20InsufficientBalance, balance=0, needed=1):
        share.burn(1, sender=attacker)


def test_burn__more_than_is_available__refused(
    ground: OpenShare, share: ContractInstance, holder: AccountAPI, admin: AccountAPI
) -> None:
    set_held(ground, holder, admin, encumbered=SHARE, frozen=2 * SHARE)
    free = HOLDER_SHARES - 3 * SHARE
    with ape.reverts(
        share.ClusterShare_InsufficientAvailable,
        account=holder.address,
        available=free,
        amount=free + 1,
    ):
        share.burn(free + 1, sender=holder)
    share.burn(free, sender=holder)
    assert share.balanceOf(holder) == 3 * SHARE


def test_burn__delegated__votes_fall(
    share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    delegate(share, other_holder, sender=holder)
    share.burn(SHARE, sender=holder)
    assert share.getVotes(other_holder) == HOLDER_SHARES - SHARE


@pytest.mark.parametrize("burns", [1, 3])
def test_burn__nothing__moves_no_income(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    burns: int,
) -> None:
    start = ground.fund(1_000 * USD).timestamp
    for _ in range(burns):
        share.burn(0, sender=other_holder)
    travel_to(start + DAY // 3)
    exact = streamed(1_000 * USD, start, start + DAY // 3)
    assert is_close(ground.earned(holder), exact * 3 / 4)
    assert ground.is_conserved(holder, other_holder)
