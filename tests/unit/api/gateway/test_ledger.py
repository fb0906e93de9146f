"""Exposure: what is served fits what was promised and can be paid, in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.chain import views
from api.domain.vouchers import MAX_USD6, Voucher
from api.errors import PaymentRefused
from api.gateway.ledger import (
    EXPIRY_MARGIN_SECONDS,
    LOCK_SECONDS,
    WITHDRAWAL_WINDOW_SECONDS,
    Channel,
    Hold,
    LockNeeded,
    LockState,
    Payer,
    PromiseTooLow,
)
from api.types import Address, Signature

PAYER, KEY, OTHER, GATEWAY = (Address("0x" + digit * 40) for digit in "1234")
NOW = 1_000_000
LATER = NOW + 10 * EXPIRY_MARGIN_SECONDS


def channel_of(
    payer: Payer,
    key: Address = KEY,
    *,
    promised: int = 0,
    limit: int = 10**9,
    expires_at: int = LATER,
    collected: int = 0,
    locked: int = 0,
    locked_until: int = 0,
) -> Channel:
    channel = Channel(payer, key, promised_usd6=promised)
    channel.take(views.Channel(limit, expires_at, collected, locked, locked_until))
    channel.spent_usd6 = collected
    payer.channels.append(channel)
    return channel


def voucher(amount: int) -> Voucher:
    return Voucher(PAYER, KEY, GATEWAY, amount, Signature(bytes([amount % 256]) * 65))


def hold(channel: Channel, most: int) -> Hold:
    return Hold(channel, most, NOW, is_promised=True)


def test_hold__more_than_promised__says_what_would_do() -> None:
    channel = channel_of(Payer(PAYER, 1_000), promised=100)
    hold(channel, 60)
    with pytest.raises(PromiseTooLow) as refusal:
        hold(channel, 41)
    assert refusal.value.cumulative_usd6 == 101
    hold(channel, 40)


def test_hold__balance_of_all_channels_together__is_never_exceeded() -> None:
    payer = Payer(PAYER, 100)
    first = channel_of(payer, promised=1_000)
    second = channel_of(payer, OTHER, promised=1_000)
    hold(first, 70)
    with pytest.raises(PaymentRefused) as refusal:
        hold(second, 31)
    assert (refusal.value.reason, refusal.value.limit) == ("insufficient_funds", 30)
    hold(second, 30)


def test_hold__withdrawal_requested__what_stays_counts_until_it_has_lapsed() -> None:
    payer = Payer(PAYER, 100, 60, NOW)
    channel = channel_of(payer, promised=1_000)
    hold(channel, 40)
    with pytest.raises(PaymentRefused, match="0 can be paid"):
        hold(channel, 1)
    payer.withdrawable_at = NOW - WITHDRAWAL_WINDOW_SECONDS
    hold(channel, 60)


def test_hold__owes_as_much_as_it_may__what_is_locked_is_served_all_the_same() -> None:
    payer = Payer(PAYER, 1_000, credit_usd6=70)
    channel = channel_of(payer, promised=1_000, locked=50, locked_until=LATER)
    hold(channel, 120)
    with pytest.raises(PaymentRefused):
        hold(channel, 1)


def test_hold__key_given_away_beside_vouchers__each_is_covered() -> None:
    channel = channel_of(Payer(PAYER, 1_000), promised=100)
    by_voucher = hold(channel, 80)
    by_key = Hold(channel, 50, NOW, is_promised=False)
    assert channel.held_by_vouchers_usd6 == 80
    by_key.charge(50)
    by_voucher.charge(60)
    by_voucher.release()
    assert (channel.held_by_vouchers_usd6, channel.spent_usd6) == (0, 110)


@pytest.mark.parametrize(("until", "room"), [(NOW + EXPIRY_MARGIN_SECONDS, 100), (LATER, 150)])
def test_hold__locked__counts_while_the_lock_lasts(until: int, room: int) -> None:
    """Beyond the credit, which what is about to be free is a part of."""
    payer = Payer(PAYER, 100, credit_usd6=100)
    channel = channel_of(payer, promised=1_000, locked=50, locked_until=until)
    assert channel.room_usd6(NOW) == room
    hold(channel, room)
    assert channel.room_usd6(NOW) == 0


def test_hold__key_limit__is_never_exceeded() -> None:
    channel = channel_of(Payer(PAYER, 10**6), promised=10**6, limit=500, collected=400)
    with pytest.raises(PaymentRefused):
        hold(channel, 101)
    hold(channel, 100)


@pytest.mark.parametrize(
    ("limit", "expires_at", "reason"),
    [
        (0, LATER, "no_session"),
        (1, NOW + EXPIRY_MARGIN_SECONDS, "session_expired"),
    ],
)
def test_hold__no_session_or_too_short__refused(limit: int, expires_at: int, reason: str) -> None:
    channel = channel_of(Payer(PAYER, 100), promised=100, limit=limit, expires_at=expires_at)
    with pytest.raises(PaymentRefused) as refusal:
        hold(channel, 1)
    assert refusal.value.reason == reason


def test_hold__payers_own_key__has_neither_limit_nor_expiry() -> None:
    channel = channel_of(Payer(PAYER, 100), PAYER, promised=100, limit=0, expires_at=0)
    assert channel.limit_usd6 == MAX_USD6
    hold(channel, 100)


def test_charge__beyond_what_was_held__is_cut() -> None:
    channel = channel_of(Payer(PAYER, 100), promised=100)
    held = hold(channel, 50)
    assert held.charge(30) == 30
    assert held.charge(20) == -10
    assert held.charge(80) == 30
    assert (channel.spent_usd6, channel.held_usd6) == (50, 0)
    held.release()
    held.release()
    assert (channel.spent_usd6, channel.held_usd6) == (50, 0)


def test_use__same_amount_twice__refused_also_after_many_others() -> None:
    channel = channel_of(Payer(PAYER, 10**6))
    for amount in range(1, 6_000):
        channel.use(voucher(amount), 1)
    for amount in (1, 3_000, 5_999):
        with pytest.raises(PromiseTooLow) as refusal:
            channel.use(voucher(amount), 1)
        assert refusal.value.cumulative_usd6 == 6_000
    assert len(channel.used) <= 4_096


def test_use__out_of_order__each_counts_once_and_the_largest_promises() -> None:
    channel = channel_of(Payer(PAYER, 10**6))
    channel.use(voucher(20), 1)
    channel.use(voucher(10), 1)
    assert channel.promised_usd6 == 20
    assert channel.signature == voucher(20).signature
    channel.forget_used()
    with pytest.raises(PromiseTooLow):
        channel.use(voucher(15), 1)
    channel.use(voucher(21), 1)


@pytest.mark.property
@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 500),
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 200), st.integers(0, 200), st.booleans()),
        max_size=30,
    ),
)
def test_holds__any_requests_of_two_keys__spent_and_held_never_above_the_balance(
    balance: int, requests: list[tuple[int, int, int, bool]]
) -> None:
    payer = Payer(PAYER, balance)
    channels = [channel_of(payer, key, promised=10**6) for key in (KEY, OTHER)]
    spent, open_ = [0, 0], [0, 0]
    for which, most, used, is_over in requests:
        room = balance - sum(spent) - sum(open_)
        if most > room:
            with pytest.raises(PaymentRefused):
                hold(channels[which], most)
            continue
        held = hold(channels[which], most)
        charged = min(most, used)
        assert held.charge(used) == charged
        spent[which] += charged
        if is_over:
            held.release()
        else:
            open_[which] += most - charged
        assert [channel.spent_usd6 for channel in channels] == spent
        assert [channel.held_usd6 for channel in channels] == open_
        assert payer.free_usd6(NOW) == balance - sum(spent) - sum(open_) >= 0


def lender(balance: int, *, above: int = 100) -> Payer:
    return Payer(PAYER, balance, credit_usd6=10**9, lock_above_usd6=above)


def test_hold__more_uncovered_than_trusted__names_the_lock_that_would_do() -> None:
    channel = channel_of(lender(1_000), promised=1_000, collected=10)
    hold(channel, 70)
    with pytest.raises(LockNeeded) as refusal:
        hold(channel, 31)
    needed = refusal.value
    # All that was taken and may be, and as much again as is trusted.
    assert (needed.least_usd6, needed.cover_usd6) == (10 + 70 + 31, 10 + 70 + 31 + 100)
    assert needed.cumulative_usd6 == 1_001
    assert NOW + EXPIRY_MARGIN_SECONDS < needed.until <= NOW + LOCK_SECONDS
    hold(channel, 30)


def test_hold__lock_needed_of_a_poor_payer__covers_no_more_than_there_is() -> None:
    channel = channel_of(lender(120), promised=1_000)
    with pytest.raises(LockNeeded) as refusal:
        hold(channel, 110)
    assert refusal.value.cover_usd6 == 120
    with pytest.raises(PaymentRefused, match="120 can be paid"):
        hold(channel, 121)


def test_hold__session_that_ends_before__names_no_later_second() -> None:
    channel = channel_of(lender(1_000), promised=1_000, expires_at=NOW + 1_000)
    with pytest.raises(LockNeeded) as refusal:
        hold(channel, 101)
    assert refusal.value.until == NOW + 1_000


def test_hold__locked_as_needed__holds_so_much_and_what_is_trusted() -> None:
    payer = lender(1_000 - 211)
    channel = channel_of(payer, promised=1_000, locked=211, locked_until=LATER)
    hold(channel, 311)
    with pytest.raises(LockNeeded) as refusal:
        hold(channel, 1)
    assert refusal.value.until == LATER


def test_take__lock_not_deep__is_no_lock_and_no_less_money() -> None:
    payer = lender(1_000 - 500)
    channel = channel_of(payer, promised=1_000)
    latest = views.Channel(10**9, LATER, 0, 500, LATER)
    channel.take(latest, views.Channel(10**9, LATER, 0, 0, 0))
    assert channel.room_usd6(NOW) == 1_000
    with pytest.raises(LockNeeded):
        hold(channel, 101)
    assert channel.is_locked(500, LATER)
    assert not channel.is_secured(500, LATER)
    channel.take(latest)
    assert channel.is_secured(500, LATER)
    hold(channel, 600)


def test_take__collected_since_it_was_deep__leaves_so_much_of_the_lock() -> None:
    channel = channel_of(lender(0), promised=1_000)
    channel.take(
        views.Channel(10**9, LATER, 200, 300, LATER), views.Channel(10**9, LATER, 50, 450, LATER)
    )
    assert channel.secured_usd6 == 300
    # Of these 300 only 100 were there when it was deep.
    channel.take(
        views.Channel(10**9, LATER, 200, 300, LATER), views.Channel(10**9, LATER, 50, 250, LATER)
    )
    assert channel.secured_usd6 == 100


def test_locked_by_state__served_in_work_and_not_deep__all_of_it_is_told() -> None:
    channel = channel_of(Payer(PAYER, 1_000), promised=1_000)
    deep = views.Channel(10**9, LATER, 100, 500, LATER)
    channel.take(views.Channel(10**9, LATER, 100, 700, LATER), deep)
    channel.spent_usd6 = 100
    assert list(channel.locked_by_state(NOW).values()) == [0, 0, 500, 200]
    hold(channel, 300).charge(80)
    states = channel.locked_by_state(NOW)
    assert states[LockState.OWED] == 80
    assert states[LockState.HELD] == 220
    assert states[LockState.UNUSED] == 200
    # More in work than the lock covers is no part of it.
    hold(channel, 600)
    assert list(channel.locked_by_state(NOW).values()) == [80, 420, 0, 200]
    assert list(channel.locked_by_state(LATER).values()) == [0, 0, 0, 700]


def test_room__lock_about_to_end__is_the_payers_balance_again() -> None:
    payer = lender(400, above=10**9)
    channel = channel_of(payer, promised=1_000, locked=600, locked_until=NOW + 60)
    assert channel.room_usd6(NOW) == 1_000
    hold(channel, 1_000)
