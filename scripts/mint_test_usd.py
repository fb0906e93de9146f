"""Give a wallet test dollars; only where the stablecoin is the local chain's TestUsd."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import (
    SixDecimals,
    Wallet,
    account_option,
    command,
    open_record,
    say,
    signer,
)


@command
@account_option("the deployer, who owns the test token")
@click.option("--to", "wallet", type=Wallet(), required=True)
@click.option("--dollars", "amount", type=SixDecimals(), required=True)
def cli(account: str | None, wallet: str, amount: int, deployments: Path | None) -> None:
    """Give a wallet test dollars; only where the stablecoin is the local chain's TestUsd."""
    from scripts._lib.deployment import DeploymentError
    from scripts._lib.money import exact_dollars

    minter = signer(account)
    record = open_record(deployments)
    if "TestUsd" not in record.contracts():
        raise DeploymentError(
            f"the stablecoin of chain {record.chain_id} is {record.deployment.stablecoin},"
            " not a test token"
        )
    record.system().stablecoin.mint(wallet, amount, sender=minter)
    say(f"{wallet} has {exact_dollars(amount)} more")
