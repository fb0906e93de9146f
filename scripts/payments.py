"""A customer's balance for inference and its session keys."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import (
    SixDecimals,
    UtcTime,
    Wallet,
    account_option,
    command,
    open_record,
    say,
    signer,
)


@command
@account_option("the customer; to release, anybody")
@click.option("--deposit", type=SixDecimals(), help="Dollars.")
@click.option("--for", "payer", type=Wallet(), help="Whose balance, if not the account's own.")
@click.option("--request", type=SixDecimals(), help="Dollars to be withdrawn; 0 takes it back.")
@click.option("--withdraw", is_flag=True, help="Take out what was requested one to two days ago.")
@click.option("--release", is_flag=True, help="Free what is left of locks that are over.")
@click.option("--authorise", type=Wallet(), help="A key that may sign vouchers for the account.")
@click.option("--revoke", type=Wallet(), help="A key that may no longer.")
@click.option("--gateway", type=Wallet(), help="Where the key may, or may no longer.")
@click.option("--limit", type=SixDecimals(), help="Dollars that the key may spend in all.")
@click.option("--until", type=UtcTime(), help="When the key ends.")
def cli(
    account: str | None,
    deposit: int | None,
    payer: str | None,
    request: int | None,
    withdraw: bool,
    release: bool,
    authorise: str | None,
    revoke: str | None,
    gateway: str | None,
    limit: int | None,
    until: int | None,
    deployments: Path | None,
) -> None:
    """Deposit for inference, withdraw, free what was locked, let a key sign or stop it; without an
    option, show."""
    from scripts._lib import payments
    from scripts._lib.money import exact_dollars
    from scripts._lib.times import utc

    acts = (
        deposit is not None, request is not None, withdraw, release, bool(authorise), bool(revoke)
    )  # fmt: skip
    if sum(acts) > 1:
        raise click.UsageError(
            "one of --deposit, --request, --withdraw, --release, --authorise and --revoke at a time"
        )
    if (authorise or revoke) and gateway is None:
        raise click.UsageError("name the --gateway at which the key may sign")
    if authorise and (limit is None or until is None):
        raise click.UsageError("a key that is authorised has a --limit and ends: --until")
    customer = signer(account)
    record = open_record(deployments)
    system = record.system()
    if deposit is not None:
        arrived = payments.deposit(system, deposit, payer or str(customer.address), customer)
        say(f"{exact_dollars(arrived)} deposited")
    elif request is not None:
        due_at = payments.request_withdrawal(system, request, customer)
        say(f"may be withdrawn from {utc(due_at)}" if due_at else "taken back")
    elif withdraw:
        say(f"{exact_dollars(payments.withdraw(system, customer))} withdrawn")
    elif release:
        whose = payer or str(customer.address)
        freed = payments.release(record, system, whose, customer)
        say(f"{exact_dollars(freed)} is free balance again" if freed else "no lock is over")
    elif authorise:
        system.payments.authorise(authorise, gateway, limit, until, sender=customer)
    elif revoke:
        system.payments.revoke(revoke, gateway, sender=customer)
    for line in payments.in_words(record, system, payer or str(customer.address)):
        say(line)
