"""Admit a wallet: the KYC provider signs an attestation and puts it in force."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import Wallet, account_option, command, open_record, say, signer


@command
@account_option("a KYC provider")
@click.option("--wallet", type=Wallet(), required=True)
@click.option("--investor-id", metavar="HEX", help="16 bytes; or give --reference and --salt.")
@click.option("--reference", help="The provider's reference of the person, digested with the salt.")
@click.option("--salt", help="The provider's secret; wallets of one person get one id from it.")
@click.option("--country", type=click.IntRange(1, 999), required=True, help="ISO 3166-1 numeric.")
@click.option(
    "--class",
    "investor_class",
    type=click.Choice(["retail", "professional", "institution"]),
    required=True,
)
@click.option("--days", type=click.IntRange(1, 3_650), default=365, show_default=True)
@click.option("--renew", is_flag=True, help="Attest again although the wallet is admitted.")
def cli(
    account: str | None,
    wallet: str,
    investor_id: str | None,
    reference: str | None,
    salt: str | None,
    country: int,
    investor_class: str,
    days: int,
    renew: bool,
    deployments: Path | None,
) -> None:
    """Admit a wallet: the KYC provider signs an attestation (EIP-712) and puts it in force."""
    from api.domain.codec import parse_hex
    from scripts._lib import attestations
    from scripts._lib.operations import newest_time

    provider = signer(account)
    if investor_id is not None:
        investor = parse_hex(investor_id, "investor id", 16)
    elif reference and salt:
        investor = attestations.investor_id_of(reference, salt)
    else:
        raise click.UsageError("name the investor: --investor-id, or --reference and --salt")
    system = open_record(deployments).system()
    now = newest_time()
    admission = attestations.Admission(
        wallet,
        investor,
        country,
        attestations.InvestorClass[investor_class.upper()],
        now,
        now + days * 86_400,
    )
    if not renew and attestations.is_admitted(system, admission):
        say(
            f"{wallet} is admitted already as investor 0x{investor.hex()} (--renew to attest again)"
        )
        return
    attestations.admit(system, admission, provider)
    say(f"{wallet} is admitted as investor 0x{investor.hex()} for {days} days")
