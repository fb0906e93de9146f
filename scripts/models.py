"""A model on chain: register it, say what royalty it asks and who gets it, pay that out."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import (
    Reference,
    Wallet,
    account_option,
    command,
    open_record,
    say,
    signer,
)


@command
@account_option("the model's owner; to pay out, anybody")
@click.option("--name", required=True, help="As customers know the model.")
@click.option("--owner", type=Wallet(), help="Who registered it, if not the account.")
@click.option("--register", "is_new", is_flag=True, help="Register it, as the account's.")
@click.option("--royalty", type=click.IntRange(0, 1_000), help="In 1/10,000 of what is paid.")
@click.option("--pay-to", type=Wallet(), help="Who gets it; of a new one, by default the account.")
@click.option("--weights", type=Reference(), default=bytes(32), help="What its weights hash to.")
@click.option("--payout", is_flag=True, help="Pay what is owed to whom the model names.")
def cli(
    account: str | None,
    name: str,
    owner: str | None,
    is_new: bool,
    royalty: int | None,
    pay_to: str | None,
    weights: bytes,
    payout: bool,
    deployments: Path | None,
) -> None:
    """Register a model, change its royalty or who gets it, pay out; without an option, show.

    A royalty falls at once and rises seven days later. A gateway names the model in what it
    collects if the operator's quote does: `ape run quote --model-owner`.
    """
    from api.domain.work import model_id_of
    from api.types import Address
    from scripts._lib import models
    from scripts._lib.money import exact_dollars

    changes = is_new or royalty is not None or pay_to is not None
    if owner is not None and changes:
        raise click.UsageError("--owner is of a model that is shown or paid out")
    record = open_record(deployments)
    system = record.system()
    sender = signer(account) if changes or payout or owner is None else None
    if owner is None:
        assert sender is not None
        owner = str(sender.address)
    model_id = model_id_of(Address(owner), name)
    if is_new:
        assert sender is not None
        models.register(system, name, pay_to or owner, royalty or 0, weights, sender)
    else:
        if royalty is not None:
            system.models.setRoyalty(model_id, royalty, sender=sender)
        if pay_to is not None:
            system.models.setPayTo(model_id, pay_to, sender=sender)
    if payout:
        assert sender is not None
        payee = str(system.models.model(model_id).payTo)
        say(f"{exact_dollars(models.pay_out(system, payee, sender))} paid to {payee}")
    for line in models.in_words(record, system, owner, name):
        say(line)
