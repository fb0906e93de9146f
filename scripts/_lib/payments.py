"""Customers of InferencePayments: their balance, their session keys, what is locked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ape import chain
from ape.api import AccountAPI

from scripts._lib.deployment import System
from scripts._lib.events import newest_first
from scripts._lib.money import exact_dollars
from scripts._lib.operations import events_of
from scripts._lib.record import Record
from scripts._lib.times import utc


@dataclass(frozen=True)
class Session:
    """A key that may sign for a payer at a gateway. In 10⁻⁶ dollars and Unix seconds."""

    key: str
    gateway: str
    limit_usd6: int
    expires_at: int
    collected_usd6: int
    locked_usd6: int
    locked_until: int


def deposit(system: System, amount_usd6: int, payer: str, sender: AccountAPI) -> int:
    """Add to a payer's balance out of the sender's dollars, approved if they have to be; what
    arrived."""
    coin, payments = system.stablecoin, system.payments
    if int(coin.allowance(sender, payments)) < amount_usd6:
        coin.approve(payments, amount_usd6, sender=sender)
    receipt = payments.depositFor(payer, amount_usd6, sender=sender)
    return int(events_of(payments, receipt, "Deposited")[-1].amountUsd6)


def request_withdrawal(system: System, amount_usd6: int, payer: AccountAPI) -> int:
    """Announce a withdrawal, or take it back with 0; the second from which it may be made."""
    receipt = system.payments.requestWithdrawal(amount_usd6, sender=payer)
    return int(events_of(system.payments, receipt, "WithdrawalRequested")[-1].withdrawableAt)


def withdraw(system: System, payer: AccountAPI) -> int:
    """Pay the payer what it has announced; how much."""
    receipt = system.payments.withdraw(sender=payer)
    return int(events_of(system.payments, receipt, "Withdrawn")[-1].amountUsd6)


def release(record: Record, system: System, payer: str, sender: AccountAPI) -> int:
    """Free what is left of a payer's locks that are over, one after the other; how much in all.
    Anybody may.
    """
    # By the pending block: the newest one can be long ago on a chain where little happens.
    now = int(chain.pending_timestamp)
    freed = 0
    for session in sessions(record, system, payer):
        if session.locked_usd6 and session.locked_until <= now:
            receipt = system.payments.release(payer, session.key, session.gateway, sender=sender)
            freed += int(events_of(system.payments, receipt, "Released")[-1].amountUsd6)
    return freed


def sessions(record: Record, system: System, payer: str) -> list[Session]:
    """Every key that the payer ever authorised, as it stands now, the newest first.

    The payer itself is one at each gateway that has locked something with its signature.
    """
    found: dict[tuple[str, str], Session] = {}
    for event in newest_first(
        "InferencePayments",
        str(system.payments.address),
        ["SessionAuthorised", "Locked"],
        from_block=record.deployment.contracts["InferencePayments"].block,
        first_indexed=payer,
    ):
        key, gateway = str(event.fields["key"]), str(event.fields["gateway"])
        if (key, gateway) in found:
            continue
        channel = system.payments.channel(payer, key, gateway)
        found[key, gateway] = Session(
            key,
            gateway,
            int(channel.limitUsd6),
            int(channel.expiresAt),
            int(channel.collectedUsd6),
            int(channel.lockedUsd6),
            int(channel.lockedUntil),
        )
    return list(found.values())


def in_words(record: Record, system: System, payer: str) -> Iterator[str]:
    """A payer's balance and its session keys, a line each."""
    account = system.payments.account(payer)
    words = f"{payer} has {exact_dollars(int(account.balanceUsd6))}"
    if int(account.requestedUsd6):
        due_at = int(account.withdrawableAt)
        words += (
            f"; {exact_dollars(int(account.requestedUsd6))} may be withdrawn from"
            f" {utc(due_at)} until {utc(due_at + int(system.payments.WITHDRAWAL_WINDOW_SECONDS()))}"
        )
    yield words
    for session in sessions(record, system, payer):
        yield "  " + _of_session(session, is_payer=session.key == payer)


def _of_session(session: Session, *, is_payer: bool) -> str:
    words = [f"{'itself' if is_payer else session.key} at {session.gateway}"]
    spent = f"spent {exact_dollars(session.collected_usd6)}"
    if is_payer:
        words.append(spent)
    else:
        words.append(f"{spent} of {exact_dollars(session.limit_usd6)}")
        words.append(f"until {utc(session.expires_at)}" if session.expires_at else "revoked")
    if session.locked_usd6:
        words.append(
            f"{exact_dollars(session.locked_usd6)} locked until {utc(session.locked_until)}"
        )
    return ", ".join(words)
