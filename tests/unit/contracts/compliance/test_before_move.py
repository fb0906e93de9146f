"""HoldingRules.beforeMove and refusalOf: may these shares move, and why not.

    sender (not of an issue; nothing is asked of one by order)
    ├─ blocked → ERC7943CannotSend
    └─ class locked until a later second → Locked
    receiver (not of a burn)
    ├─ attested: never, expired, revoked → ERC7943CannotReceive; blocked → the same, named apart
    └─ of an excluded country: rule on, another investor → CountryExcluded
    amount 0, or both wallets of one investor → no more is asked, nothing is counted
    sender's investor, over all wallets (unforced): left with less than the minimum, not nothing
    receiver's investor, over all wallets: below the minimum, above the maximum
    holders: enters × leaves; one more than the limit → TooManyHolders

Every refusal is looked at both ways: foretold by `refusalOf` and met in `beforeMove`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ape import chain, project
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance
from ape.utils import ZERO_ADDRESS

from tests.support.compliance import DAY_SECONDS, LimitedShare, Refusal, today, wallet_number
from tests.support.scenario import Scenario, investor_id, travel_to

NETHERLANDS, USA = 528, 840
SECOND_WALLET = wallet_number(0xA2)
OTHER_SECOND_WALLET = wallet_number(0xB2)
NEWCOMER = wallet_number(0xC1)
THIRD_PARTY = wallet_number(0xD1)
NO_ONE = wallet_number(0xDEAD)


@pytest.fixture(scope="module", autouse=True)
def _holders(
    scenario: Scenario, limited: LimitedShare, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    """Investor 1 holds 100 in the one of two wallets, investor 2 the same."""
    scenario.attest(holder, SECOND_WALLET, investorId=investor_id(1))
    scenario.attest(other_holder, OTHER_SECOND_WALLET, investorId=investor_id(2))
    scenario.attest(NEWCOMER, investorId=investor_id(3))
    limited.issue(holder, 100)
    limited.issue(other_holder, 100)


def counted(limited: LimitedShare, receipt: ReceiptAPI) -> list[int]:
    """The numbers of holders that a transaction announced."""
    events = receipt.decode_logs(limited.rules.HoldersChanged)
    assert all(event.share == limited.token.address for event in events)
    return [event.holders for event in events]


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
        assert counted(limited, limited.move(giver, to, 0)) == []
    assert limited.holders() == 2


@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize("amount", [1, 100])
def test_before_move__between_wallets_of_one_investor__no_limit_is_asked_and_nothing_counted(
    limited: LimitedShare, holder: AccountAPI, amount: int, forced: bool
) -> None:
    limited.set_limits(minHolding=1_000, maxHolding=1_000, maxHolders=1)
    assert counted(limited, limited.move(holder, SECOND_WALLET, amount, forced)) == []
    assert limited.token.balanceOf(SECOND_WALLET) == amount
    assert limited.rules.investorHolding(limited.token, holder) == 100


def test_before_move__to_oneself__moves_and_counts_nothing(
    limited: LimitedShare, holder: AccountAPI
) -> None:
    limited.set_limits(minHolding=1_000, maxHolding=1_000, maxHolders=1)
    assert counted(limited, limited.move(holder, holder, 100)) == []
    assert limited.holders() == 2


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
    assert counted(limited, limited.issue(NEWCOMER, 1)) == [3]
    assert counted(limited, limited.issue(NEWCOMER, 1)) == []
    assert limited.holders() == 3


def test_before_move__last_of_an_investor__counts_one_less(
    limited: LimitedShare, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    assert counted(limited, limited.move(holder, other_holder, 99)) == []
    assert counted(limited, limited.move(holder, other_holder, 1)) == [1]
    assert counted(limited, limited.burn(other_holder, 200)) == [0]


def test_before_move__last_of_a_wallet_but_not_of_the_investor__counts_nothing(
    limited: LimitedShare, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    limited.move(holder, SECOND_WALLET, 1)
    assert counted(limited, limited.move(holder, other_holder, 99)) == []
    assert counted(limited, limited.move(SECOND_WALLET, other_holder, 1)) == [1]


def test_before_move__first_of_a_wallet_but_not_of_the_investor__counts_nothing(
    limited: LimitedShare, holder: AccountAPI
) -> None:
    assert counted(limited, limited.move(holder, OTHER_SECOND_WALLET, 1)) == []
    assert limited.holders() == 2


def test_before_move__all_to_a_newcomer__counts_nothing(
    limited: LimitedShare, holder: AccountAPI
) -> None:
    assert counted(limited, limited.move(holder, NEWCOMER, 100)) == []
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
