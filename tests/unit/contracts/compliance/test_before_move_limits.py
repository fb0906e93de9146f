"""HoldingRules.beforeMove and refusalOf: how much an investor may hold, and how many may.

    sender's investor, over all wallets (unforced): left with less than the minimum, not nothing
    receiver's investor, over all wallets: below the minimum, above the maximum
    holders: enters × leaves; one more than the limit → TooManyHolders

Every refusal is looked at both ways: foretold by `refusalOf` and met in `beforeMove`.
"""

from __future__ import annotations

import pytest
from ape import chain, project
from ape.api import AccountAPI
from ape.utils import ZERO_ADDRESS

from tests.support.compliance import (
    NEWCOMER,
    OTHER_SECOND_WALLET,
    SECOND_WALLET,
    THIRD_PARTY,
    USA,
    LimitedShare,
    Refusal,
)
from tests.support.scenario import Scenario, investor_id

pytestmark = pytest.mark.usefixtures("two_investors")


# ---------------------------------------------------------------------------- minimum


@pytest.mark.parametrize(("amount", "left"), [(50, 50), (100, 0)])
def test_before_move__sender_left_with_the_minimum_or_nothing__moves(
    limited: LimitedShare, holder: AccountAPI, other_holder: AccountAPI, amount: int, left: int
) -> None:
    limited.set_limits(minHolding=50)
    limited.move(holder, other_holder, amount)
    assert limited.token.balanceOf(holder) == left


@pytest.mark.parametrize(("amount", "left"), [(51, 49), (99, 1)])
def test_before_move__sender_left_with_less__refused(
    limited: LimitedShare, holder: AccountAPI, other_holder: AccountAPI, amount: int, left: int
) -> None:
    limited.set_limits(minHolding=50)
    error = limited.rules.HoldingRules_BelowMinimum
    for to in (other_holder, ZERO_ADDRESS):
        limited.see_refused(
            holder,
            to,
            amount,
            (Refusal.SENDER_BELOW_MINIMUM, 50),
            error,
            account=holder.address,
            holding=left,
            minimum=50,
        )


def test_before_move__sender_left_with_less_by_order__moves(
    limited: LimitedShare, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    limited.set_limits(minHolding=50)
    limited.move(holder, other_holder, 99, forced=True)
    assert limited.holders() == 2


def test_before_move__sender_holds_the_rest_in_another_wallet__moves(
    limited: LimitedShare, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    limited.move(holder, SECOND_WALLET, 50)
    limited.set_limits(minHolding=50)
    limited.move(holder, other_holder, 50)
    limited.issue(holder, 10)
    limited.move(holder, other_holder, 5)


def test_before_move__sender_empties_a_wallet_and_holds_less_in_another__refused(
    limited: LimitedShare, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    limited.move(holder, SECOND_WALLET, 30)
    limited.set_limits(minHolding=50)
    limited.see_refused(
        holder,
        other_holder,
        70,
        (Refusal.SENDER_BELOW_MINIMUM, 50),
        limited.rules.HoldingRules_BelowMinimum,
        account=holder.address,
        holding=30,
        minimum=50,
    )


@pytest.mark.parametrize("forced", [False, True])
def test_before_move__receiver_with_less_than_the_minimum__refused(
    limited: LimitedShare, holder: AccountAPI, forced: bool
) -> None:
    limited.set_limits(minHolding=50)
    for giver in (holder, ZERO_ADDRESS):
        assert limited.refusal(giver, NEWCOMER, 49) == (Refusal.RECEIVER_BELOW_MINIMUM, 50)
        limited.see_force_refused(
            giver,
            NEWCOMER,
            49,
            limited.rules.HoldingRules_BelowMinimum,
            forced,
            account=NEWCOMER,
            holding=49,
            minimum=50,
        )
    limited.move(holder, NEWCOMER, 50)


def test_before_move__receiver_reaches_the_minimum_with_another_wallet__moves(
    limited: LimitedShare, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    limited.set_limits(minHolding=101)
    limited.issue(OTHER_SECOND_WALLET, 1)
    limited.issue(holder, 200)
    assert limited.refusal(holder, NEWCOMER, 100) == (Refusal.RECEIVER_BELOW_MINIMUM, 101)


# ---------------------------------------------------------------------------- maximum


@pytest.mark.parametrize("forced", [False, True])
def test_before_move__receiver_above_the_maximum__refused(
    limited: LimitedShare, holder: AccountAPI, other_holder: AccountAPI, forced: bool
) -> None:
    limited.set_limits(maxHolding=120)
    assert limited.refusal(holder, other_holder, 21) == (Refusal.RECEIVER_ABOVE_MAXIMUM, 120)
    limited.see_force_refused(
        holder,
        other_holder,
        21,
        limited.rules.HoldingRules_AboveMaximum,
        forced,
        account=other_holder.address,
        holding=121,
        maximum=120,
    )
    limited.move(holder, other_holder, 20)


def test_before_move__receiver_above_the_maximum_with_another_wallet__refused(
    limited: LimitedShare, holder: AccountAPI
) -> None:
    limited.set_limits(maxHolding=120)
    limited.see_refused(
        holder,
        OTHER_SECOND_WALLET,
        21,
        (Refusal.RECEIVER_ABOVE_MAXIMUM, 120),
        limited.rules.HoldingRules_AboveMaximum,
        account=OTHER_SECOND_WALLET,
        holding=121,
        maximum=120,
    )
    limited.move(holder, OTHER_SECOND_WALLET, 20)


def test_before_move__sender_above_the_maximum__moves(
    limited: LimitedShare, holder: AccountAPI
) -> None:
    """Who holds more since before the limit may keep it, and sell."""
    limited.set_limits(maxHolding=10)
    limited.move(holder, NEWCOMER, 10)


def test_refusal_of__more_than_any_share_holds__an_answer_all_the_same(
    limited: LimitedShare, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    everything = 2**256 - 1
    assert limited.refusal(holder, other_holder, everything) == (Refusal.NONE, 0)
    limited.set_limits(maxHolding=10)
    assert limited.refusal(holder, other_holder, everything) == (Refusal.RECEIVER_ABOVE_MAXIMUM, 10)


# ---------------------------------------------------------------------------- holders


def test_before_move__first_of_an_investor__counts_one_more(limited: LimitedShare) -> None:
    assert limited.counted(limited.issue(NEWCOMER, 1)) == [3]
    assert limited.counted(limited.issue(NEWCOMER, 1)) == []
    assert limited.holders() == 3


def test_before_move__last_of_an_investor__counts_one_less(
    limited: LimitedShare, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    assert limited.counted(limited.move(holder, other_holder, 99)) == []
    assert limited.counted(limited.move(holder, other_holder, 1)) == [1]
    assert limited.counted(limited.burn(other_holder, 200)) == [0]


def test_before_move__last_of_a_wallet_but_not_of_the_investor__counts_nothing(
    limited: LimitedShare, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    limited.move(holder, SECOND_WALLET, 1)
    assert limited.counted(limited.move(holder, other_holder, 99)) == []
    assert limited.counted(limited.move(SECOND_WALLET, other_holder, 1)) == [1]


def test_before_move__first_of_a_wallet_but_not_of_the_investor__counts_nothing(
    limited: LimitedShare, holder: AccountAPI
) -> None:
    assert limited.counted(limited.move(holder, OTHER_SECOND_WALLET, 1)) == []
    assert limited.holders() == 2


def test_before_move__all_to_a_newcomer__counts_nothing(
    limited: LimitedShare, holder: AccountAPI
) -> None:
    assert limited.counted(limited.move(holder, NEWCOMER, 100)) == []
    assert limited.holders() == 2


@pytest.mark.parametrize("forced", [False, True])
def test_before_move__one_holder_more_than_the_limit__refused(
    limited: LimitedShare, holder: AccountAPI, forced: bool
) -> None:
    limited.set_limits(maxHolders=2)
    for giver in (holder, ZERO_ADDRESS):
        assert limited.refusal(giver, NEWCOMER, 1) == (Refusal.TOO_MANY_HOLDERS, 2)
        limited.see_force_refused(
            giver,
            NEWCOMER,
            1,
            limited.rules.HoldingRules_TooManyHolders,
            forced,
            holders=3,
            limit=2,
        )


def test_before_move__as_many_holders_as_the_limit__moves(
    limited: LimitedShare, holder: AccountAPI
) -> None:
    limited.set_limits(maxHolders=3)
    limited.move(holder, NEWCOMER, 1)
    assert limited.holders() == 3


def test_before_move__full_and_a_holder_is_replaced__moves(
    limited: LimitedShare, holder: AccountAPI
) -> None:
    limited.set_limits(maxHolders=2)
    limited.move(holder, NEWCOMER, 100)


def test_before_move__full_and_the_sender_stays_with_another_wallet__refused(
    limited: LimitedShare, holder: AccountAPI
) -> None:
    limited.move(holder, SECOND_WALLET, 1)
    limited.set_limits(maxHolders=2)
    limited.see_refused(
        holder,
        NEWCOMER,
        99,
        (Refusal.TOO_MANY_HOLDERS, 2),
        limited.rules.HoldingRules_TooManyHolders,
        holders=3,
        limit=2,
    )


def test_before_move__more_holders_than_a_later_limit__trade_among_themselves_and_leave(
    limited: LimitedShare, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    limited.issue(NEWCOMER, 10)
    limited.set_limits(maxHolders=1)
    limited.move(holder, other_holder, 50)
    limited.move(other_holder, SECOND_WALLET, 5)
    limited.move(NEWCOMER, holder, 10)
    assert limited.refusal(holder, NEWCOMER, 1) == (Refusal.TOO_MANY_HOLDERS, 1)
    limited.burn(holder, 60)
    limited.burn(SECOND_WALLET, 5)
    assert limited.holders() == 1


def test_before_move__of_two_shares__each_is_counted_apart(
    limited: LimitedShare, scenario: Scenario, issuer: AccountAPI, holder: AccountAPI
) -> None:
    cluster_id = scenario.register_cluster()
    token = scenario.deployer.deploy(project.TestLimitedShare, limited.rules, cluster_id)
    other = LimitedShare(token, limited.rules, cluster_id, issuer)
    other.set_limits(maxHolders=1)
    other.issue(holder, 1)
    assert other.refusal(ZERO_ADDRESS, NEWCOMER, 1) == (Refusal.TOO_MANY_HOLDERS, 1)
    assert (other.holders(), limited.holders()) == (1, 2)
    limited.issue(NEWCOMER, 1)


# ---------------------------------------------------------------------------- cost


def opcodes(limited: LimitedShare, giver: str, to: str, amount: int) -> list[str]:
    """What the rules execute for a move of the share."""
    held = [limited.token.balanceOf(wallet) for wallet in (giver, to)]
    calldata = limited.rules.beforeMove.encode_input(giver, to, amount, *held, False)
    call = {
        "from": limited.token.address,
        "to": limited.rules.address,
        "data": calldata.to_0x_hex(),
    }
    trace = chain.provider.make_request("debug_traceCall", [call, "latest", {}])
    return [step["op"] for step in trace["structLogs"]]


def test_before_move__between_holders_without_limits__three_words_are_read_and_nothing_else(
    limited: LimitedShare, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    """Both have several wallets, which nobody asks of."""
    done = opcodes(limited, holder.address, other_holder.address, 1)
    assert (done.count("SLOAD"), done.count("SSTORE"), done.count("STATICCALL")) == (3, 0, 0)


def test_before_move__single_wallets_with_every_limit__one_word_more_is_read(
    limited: LimitedShare, scenario: Scenario
) -> None:
    """Nobody looks for wallets that are not there."""
    scenario.attest(THIRD_PARTY, investorId=investor_id(4))
    limited.issue(NEWCOMER, 20)
    limited.issue(THIRD_PARTY, 20)
    limited.exclude(USA)
    limited.set_limits(minHolding=15, maxHolding=1_000, maxHolders=4, excludesCountries=True)
    done = opcodes(limited, THIRD_PARTY, NEWCOMER, 1)
    assert (done.count("SLOAD"), done.count("SSTORE"), done.count("STATICCALL")) == (4, 0, 0)
