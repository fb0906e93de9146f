"""What each payer has left here, so that nothing is served that nobody has promised and can pay.

In 10⁻⁶ dollars, of a channel (a key of a payer at this gateway):

    room = min(promised, limit) − spent − held
    uncovered = max(0, spent + held − collected − locked)
    a payer's room = min(balance − requested, credit) − Σ uncovered over its channels

`promised` is the largest voucher's, `limit` and what stands under `collected`, `locked`, `balance`
and `requested` the chain's; `spent` is what was charged here, `held` the most that requests in work
may come to. A request is served if its maximum fits into both rooms; what a lock still covers
beyond what is spent is the channel's own. Beyond `lock_above` uncovered it takes a lock.

A lock counts as such while it is deep in the chain and not about to end. Else what is in it counts
as balance, which it becomes when it is over, or was if its block is taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from api.chain import views
from api.domain.vouchers import MAX_USD6, Voucher
from api.errors import PaymentRefused
from api.types import Address, Signature

EXPIRY_MARGIN_SECONDS: Final = 900
"""A key must last so much longer than a request, so that what it spends can still be collected; so
must a lock to count.
"""

LOCK_SECONDS: Final = 6 * 3_600
"""For so long a lock is asked for: a transaction is worth some hours, and a day is the most."""

WITHDRAWAL_WINDOW_SECONDS: Final = 86_400
"""As InferencePayments has it: so long after it is due, a withdrawal has lapsed."""

_LOCK_STEP_SECONDS: Final = 600

_MOST_USED: Final = 4_096


class PromiseTooLow(PaymentRefused):
    """The voucher does not cover the request, or was brought before; one for `cumulative_usd6`
    would do.
    """

    def __init__(self, reason: str, promised_usd6: int, cumulative_usd6: int) -> None:
        super().__init__(
            reason,
            f"the voucher promises {promised_usd6}, a new one for {cumulative_usd6} is needed",
            value=promised_usd6,
            limit=cumulative_usd6,
        )
        self.cumulative_usd6 = cumulative_usd6


class LockNeeded(PaymentRefused):
    """The request would leave too much uncovered; a lock up to `cover_usd6` until then, and a new
    voucher for `cumulative_usd6`, would do. Less than `least_usd6` would not.
    """

    def __init__(
        self, most_usd6: int, least_usd6: int, cover_usd6: int, until: int, cumulative_usd6: int
    ) -> None:
        super().__init__(
            "lock_needed",
            f"a lock that covers {cover_usd6} until {until} is needed",
            limit=cover_usd6,
        )
        self.most_usd6 = most_usd6
        self.least_usd6 = least_usd6
        self.cover_usd6 = cover_usd6
        self.until = until
        self.cumulative_usd6 = cumulative_usd6

    def is_met_by(self, cover_usd6: int, until: int) -> bool:
        """Whether such a lock is worth its transaction: it covers the request and lasts as long as
        one that was asked for a moment ago.
        """
        return cover_usd6 >= self.least_usd6 and until >= self.until - _LOCK_STEP_SECONDS


class LockState(StrEnum):
    """What a part of a lock stands for. OWED: what was served and is not collected; HELD: what
    requests in work may come to; UNUSED: nothing yet; UNCOUNTED: nothing, as it is not deep in the
    chain, about to end, or over.
    """

    OWED = "owed"
    HELD = "held"
    UNUSED = "unused"
    UNCOUNTED = "uncounted"


@dataclass(slots=True)
class Payer:
    """A payer as the chain has it, and its channels here. `credit_usd6` is the most that it may
    owe here beyond what is locked: another gateway could take its balance before this one.
    `lock_above_usd6` is the most of that on one channel; more takes a lock.
    """

    address: Address
    balance_usd6: int = 0
    requested_usd6: int = 0
    withdrawable_at: int = 0
    credit_usd6: int = MAX_USD6
    lock_above_usd6: int = MAX_USD6
    channels: list[Channel] = field(default_factory=list)

    def free_usd6(self, now: int) -> int:
        """What of its balance nothing here was served for yet."""
        # A request lapses without an event.
        is_lapsed = now >= self.withdrawable_at + WITHDRAWAL_WINDOW_SECONDS
        requested = 0 if is_lapsed else self.requested_usd6
        balance = self.balance_usd6 + sum(channel.loose_usd6(now) for channel in self.channels)
        return min(balance - requested, self.credit_usd6) - self.uncovered_usd6(now)

    def uncovered_usd6(self, now: int) -> int:
        """What was served or may be, and nothing but its free balance can pay."""
        return sum(channel.uncovered_usd6(now) for channel in self.channels)

    def take(self, account: views.PayerAccount) -> None:
        """What the chain says of it now."""
        self.balance_usd6 = account.balance_usd6
        self.requested_usd6 = account.requested_usd6
        self.withdrawable_at = account.withdrawable_at


@dataclass(slots=True)
class Channel:
    """One key of a payer. `signature` is None until there is a voucher, and where the gateway signs
    itself.
    """

    payer: Payer
    key: Address
    promised_usd6: int = 0
    signature: Signature | None = field(default=None, repr=False)
    spent_usd6: int = 0
    held_usd6: int = 0
    held_by_vouchers_usd6: int = 0
    # What requests may come to that wait for a lock.
    waiting_usd6: int = 0
    limit_usd6: int = 0
    expires_at: int = 0
    collected_usd6: int = 0
    locked_usd6: int = 0
    locked_until: int = 0
    # Of what is locked, as much as is deep in the chain, and until when.
    secured_usd6: int = 0
    secured_until: int = 0
    # Amounts of vouchers that were brought, and the one from which on they are remembered.
    used: set[int] = field(default_factory=set, repr=False)
    used_above_usd6: int = 0

    @property
    def is_account(self) -> bool:
        """The payer's own key, which has neither limit nor expiry."""
        return self.key == self.payer.address

    def take(self, state: views.Channel, deep: views.Channel | None = None) -> None:
        """What the chain says of it now, and what it said at the newest block that counts as deep;
        None if that is the same.
        """
        deep = deep or state
        self.limit_usd6 = MAX_USD6 if self.is_account else state.limit_usd6
        self.expires_at = state.expires_at
        self.collected_usd6 = state.collected_usd6
        self.locked_usd6 = state.locked_usd6
        self.locked_until = state.locked_until
        self.secured_until = min(state.locked_until, deep.locked_until)
        # What was collected since came out of it.
        covered = deep.collected_usd6 + deep.locked_usd6 - state.collected_usd6
        self.secured_usd6 = min(state.locked_usd6, max(0, covered))

    def use(self, voucher: Voucher, most_usd6: int) -> None:
        """Take a voucher whose signature was checked, for a request that comes to `most_usd6`.

        Each amount counts once, as the proof that its key wants this very request: vouchers become
        public when they are collected, and what they promise beyond what was used is not for
        whoever reads them there. Raises PromiseTooLow.
        """
        amount = voucher.cumulative_usd6
        if amount <= self.used_above_usd6 or amount in self.used:
            raise PromiseTooLow("voucher_used", amount, self.needed_usd6(most_usd6))
        self.used.add(amount)
        if len(self.used) > _MOST_USED:
            self.used_above_usd6 = min(self.used)
            self.used.remove(self.used_above_usd6)
        if amount > self.promised_usd6:
            self.promised_usd6, self.signature = amount, voucher.signature

    def forget_used(self) -> None:
        """What was promised until now may be public: only a larger amount is a new voucher."""
        self.used.clear()
        self.used_above_usd6 = self.promised_usd6

    def needed_usd6(self, most_usd6: int) -> int:
        """What a new voucher has to promise for a request that comes to `most_usd6` at most."""
        return max(self.spent_usd6 + self.held_usd6 + most_usd6, self.promised_usd6 + 1)

    def uncovered_usd6(self, now: int) -> int:
        """What was served or may be, and only the payer's free balance can pay."""
        return max(0, self.spent_usd6 + self.held_usd6 - self.collected_usd6 - self._lock(now))

    def owed_usd6(self, now: int) -> int:
        """What was served, and is neither collected nor locked."""
        return max(0, self.spent_usd6 - self.collected_usd6 - self._lock(now))

    def room_usd6(self, now: int) -> int:
        """Most that the payer can pay for more, whatever was promised."""
        outstanding = self.spent_usd6 + self.held_usd6 - self.collected_usd6
        own = max(0, self._lock(now) - outstanding)
        return min(
            self.limit_usd6 - self.spent_usd6 - self.held_usd6, own + self.payer.free_usd6(now)
        )

    def require_covered(self, most_usd6: int, now: int) -> None:
        """Raises LockNeeded if `most_usd6` more would leave too much uncovered."""
        total = self.spent_usd6 + self.held_usd6 + most_usd6
        trusted = self.payer.lock_above_usd6
        if total - self.collected_usd6 - self._lock(now) <= trusted:
            return
        # A lock is worth a transaction: it is to do for others that wait, and for more of the like.
        ahead = max(0, min(self.waiting_usd6 + trusted, self.room_usd6(now) - most_usd6))
        cover = max(total + ahead, self.collected_usd6 + self.locked_usd6)
        # Those who ask at the same time are to name the same second.
        until = (now + LOCK_SECONDS) // _LOCK_STEP_SECONDS * _LOCK_STEP_SECONDS
        until = max(until, self.locked_until)
        if not self.is_account:
            until = min(until, self.expires_at)
        raise LockNeeded(most_usd6, total, cover, until, self.needed_usd6(most_usd6))

    def is_locked(self, cover_usd6: int, until: int) -> bool:
        """Whether that is collected or locked, at whatever depth."""
        return self.collected_usd6 + self.locked_usd6 >= cover_usd6 and self.locked_until >= until

    def is_secured(self, cover_usd6: int, until: int) -> bool:
        """The same, deep in the chain."""
        return self.collected_usd6 + self.secured_usd6 >= cover_usd6 and self.secured_until >= until

    def locked_by_state(self, now: int) -> Mapping[LockState, int]:
        """All that is locked, in 10⁻⁶ dollars, by what it stands for."""
        lock = self._lock(now)
        owed = min(lock, max(0, self.spent_usd6 - self.collected_usd6))
        held = min(lock - owed, self.held_usd6)
        return {
            LockState.OWED: owed,
            LockState.HELD: held,
            LockState.UNUSED: lock - owed - held,
            LockState.UNCOUNTED: self.loose_usd6(now),
        }

    def loose_usd6(self, now: int) -> int:
        """What is locked and does not count as such."""
        return self.locked_usd6 - self._lock(now)

    def _lock(self, now: int) -> int:
        return self.secured_usd6 if self.secured_until > now + EXPIRY_MARGIN_SECONDS else 0

    def require_alive(self, now: int) -> None:
        """Raises PaymentRefused if nothing that it signs could be collected for long enough."""
        if self.is_account:
            return
        if self.limit_usd6 == 0:
            raise PaymentRefused(
                "no_session",
                f"{self.key} is no session key of {self.payer.address} for this gateway",
                value=self.key,
            )
        least = now + EXPIRY_MARGIN_SECONDS
        if self.expires_at <= least:
            raise PaymentRefused(
                "session_expired",
                f"the session key ends at {self.expires_at}, {least} is needed",
                value=self.expires_at,
                limit=least,
            )


class Hold:
    """A part of a channel's room that a request in work may use up.

    Raises:
        PromiseTooLow: The voucher does not cover it.
        LockNeeded: More has to be locked before.
        PaymentRefused: The key or the payer's balance does not.
    """

    __slots__ = ("_channel", "_charged", "_is_promised", "_most")

    def __init__(self, channel: Channel, most_usd6: int, now: int, *, is_promised: bool) -> None:
        channel.require_alive(now)
        if (
            is_promised
            and channel.spent_usd6 + channel.held_usd6 + most_usd6 > channel.promised_usd6
        ):
            raise PromiseTooLow(
                "voucher_too_low", channel.promised_usd6, channel.needed_usd6(most_usd6)
            )
        room = channel.room_usd6(now)
        if most_usd6 > room:
            raise PaymentRefused(
                "insufficient_funds",
                f"the request may come to {most_usd6}, {max(room, 0)} can be paid",
                value=most_usd6,
                limit=max(room, 0),
            )
        channel.require_covered(most_usd6, now)
        self._channel, self._most, self._charged = channel, most_usd6, 0
        self._is_promised = is_promised
        self._set_aside(most_usd6)

    def _set_aside(self, more_usd6: int) -> None:
        self._channel.held_usd6 += more_usd6
        if self._is_promised:
            self._channel.held_by_vouchers_usd6 += more_usd6

    def charge(self, total_usd6: int) -> int:
        """The request has come to `total_usd6`, at most what was held; how much more than before.

        An answer that is on its way may be charged for more than it has come to in the end.
        """
        total = min(total_usd6, self._most)
        added = total - self._charged
        self._set_aside(-added)
        self._channel.spent_usd6 += added
        self._charged = total
        return added

    @property
    def charged_usd6(self) -> int:
        """What the request has come to."""
        return self._charged

    def release(self) -> None:
        """Nothing more will be charged."""
        self._set_aside(self._charged - self._most)
        self._most = self._charged
