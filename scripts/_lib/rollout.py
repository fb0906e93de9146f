"""Deploy on record: what `ape run deploy` does, apart from its command line."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
from ape import chain
from ape.api import AccountAPI

from api.types import LOCAL_CHAIN_ID
from scripts._lib.deployment import DeploymentError, RoleHolders, deploy_system
from scripts._lib.network import connected_chain_id
from scripts._lib.record import DIRECTORY, Record


def holders_of(
    deployer: AccountAPI, named: Mapping[str, str | None], kyc_providers: tuple[str, ...]
) -> RoleHolders:
    """The holders of the system's powers; on the local chain the deployer stands in for any.

    Raises a usage error elsewhere, naming the options that are missing.
    """
    everybody = {**named, "kyc_provider": kyc_providers or None}
    missing = [f"--{role.replace('_', '-')}" for role, who in everybody.items() if not who]
    chain_id = connected_chain_id()
    if missing and chain_id != LOCAL_CHAIN_ID:
        raise click.UsageError(f"chain {chain_id} is not local: name {', '.join(missing)}")

    def holder(role: str) -> str:
        return str(named[role] or deployer.address)

    return RoleHolders(
        admin=holder("admin"),
        registrar=holder("registrar"),
        guardian=holder("guardian"),
        compliance=holder("compliance"),
        oracle_admin=holder("oracle_admin"),
        arbiter=holder("arbiter"),
        kyc_providers=kyc_providers or (str(deployer.address),),
    )


def ends_with_this_process() -> bool:
    """Whether the connected chain was started by this very command and dies with it."""
    return getattr(chain.provider, "process", None) is not None


def roll_out(
    deployer: AccountAPI,
    holders: RoleHolders,
    stablecoin: str | None,
    directory: Path | None,
    *,
    discard: bool = False,
) -> Iterator[str]:
    """Deploy what is not on record, check what is, and say so line by line.

    1. Continue a deployment that died: look for what it created and did not record.
    2. Hold the record against the chain and the sources; stop at any difference.
    3. Deploy the rest, each contract on record before the next; set the roles that are missing.
    4. Hold the whole against the chain once more.
    """
    record = Record(directory or DIRECTORY)
    if discard:
        record.discard()
    for key in record.recover():
        yield f"{key}: found on chain, where an interrupted run had left it"
    record.verify()
    before = set(record.contracts())
    if stablecoin is not None:
        if not chain.provider.get_code(stablecoin):
            raise DeploymentError(f"the stablecoin {stablecoin} is no contract on this chain")
        record.choose_stablecoin(stablecoin)
    known_coin = record.deployment.stablecoin
    if known_coin is None and record.chain_id != LOCAL_CHAIN_ID:
        raise DeploymentError(f"chain {record.chain_id} is not local: name its --stablecoin")
    with record.deploying(deployer):
        deploy_system(
            deployer,
            holders,
            stablecoin=str(known_coin) if known_coin else None,
            recorded=record.addresses(),
            on_deployed=record.on_deployed,
        )
    record.verify()
    for key, entry in record.contracts().items():
        yield f"{key:20} {entry.address}  {'as recorded' if key in before else 'deployed'}"
    yield f"on record in {record.path}"


def rehearse(deployer: AccountAPI, holders: RoleHolders, stablecoin: str | None) -> Iterator[str]:
    """The same on a chain that ends with this command: on no record that would outlive it."""
    yield (
        "This chain ends with this command: a rehearsal, kept on no record. To stay, start"
        " `anvil` and add --network ethereum:local:http://127.0.0.1:8545"
    )
    with tempfile.TemporaryDirectory() as scratch:
        yield from roll_out(deployer, holders, stablecoin, Path(scratch))
