"""What is deployed where: `deployments/<chain-id>.json`, one file a chain, written by the scripts.

```json
{"chainId": 31337,
 "stablecoin": "0x…",
 "contracts": {"ClusterRegistry": {"address": "0x…", "block": 7, "txHash": "0x…",
               "constructorArguments": {"authority_": "0x…"},
               "sourceHash": "0x…", "codeHash": "0x…"}},
 "shares": {"1": {…the same…}},
 "pending": {"deployer": "0x…", "nonce": 9, "fromBlock": 8}}
```

- `sourceHash`: keccak256 of the creation code, whose metadata commits to every source file and
  setting that the compiler read.
- `codeHash`: keccak256 of the code at the address when it was deployed, immutables included.
- `pending`: a deployment is under way; every contract that `deployer` created with a nonce below
  `nonce` is recorded. It stays only if the deployment died, and then tells whoever continues where
  to look for a contract that was created and not recorded.

A file is replaced as a whole or not at all, so that a reader never sees half of one.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api.domain.codec import json_integer, parse_address
from api.errors import DeploymentMalformed, DeploymentMissing, InvalidInput
from api.types import Address

Argument = str | int


@dataclass(frozen=True, slots=True)
class ContractRecord:
    """One deployed contract, mined in `block`. Hashes are 0x and 64 hexadecimal digits."""

    address: Address
    block: int
    tx_hash: str
    constructor_arguments: Mapping[str, Argument]
    source_hash: str
    code_hash: str


@dataclass(frozen=True, slots=True)
class PendingRecord:
    """A deployment under way: see `deployer`'s transactions from `nonce`, after `from_block`."""

    deployer: Address
    nonce: int
    from_block: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """Everything that is deployed on one chain. `stablecoin` is None until it was chosen."""

    chain_id: int
    stablecoin: Address | None = None
    contracts: Mapping[str, ContractRecord] = field(default_factory=dict)
    shares: Mapping[int, ContractRecord] = field(default_factory=dict)
    pending: PendingRecord | None = None

    def address_of(self, contract: str) -> Address:
        """The address of a singleton; DeploymentMissing if it is not deployed."""
        record = self.contracts.get(contract)
        if record is None:
            raise DeploymentMissing(self.chain_id, contract)
        return record.address

    def stablecoin_address(self) -> Address:
        """What everything is paid in; DeploymentMissing if it was not chosen yet."""
        if self.stablecoin is None:
            raise DeploymentMissing(self.chain_id, "the stablecoin")
        return self.stablecoin

    def share_of(self, cluster_id: int) -> Address:
        """The address of a cluster's ClusterShare; DeploymentMissing if it is not deployed."""
        record = self.shares.get(cluster_id)
        if record is None:
            raise DeploymentMissing(self.chain_id, f"ClusterShare of cluster {cluster_id}")
        return record.address


def path_of(directory: Path, chain_id: int) -> Path:
    """The file of a chain."""
    return directory / f"{chain_id}.json"


def load(directory: Path, chain_id: int) -> Deployment:
    """What is deployed on a chain.

    Raises DeploymentMissing if there is no file, DeploymentMalformed if it cannot be understood.
    """
    path = path_of(directory, chain_id)
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise DeploymentMissing(chain_id, str(path)) from None
    try:
        deployment = _deployment(json.loads(text))
    except (InvalidInput, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DeploymentMalformed(str(path), f"{type(error).__name__}: {error}") from error
    if deployment.chain_id != chain_id:
        raise DeploymentMalformed(str(path), f"it is of chain {deployment.chain_id}")
    return deployment


def save(directory: Path, deployment: Deployment) -> Path:
    """Replace a chain's file with `deployment`, durably; returns its path."""
    directory.mkdir(parents=True, exist_ok=True)
    path = path_of(directory, deployment.chain_id)
    text = json.dumps(_document(deployment), indent=2) + "\n"
    descriptor, temporary = tempfile.mkstemp(prefix=path.name, dir=directory)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def _deployment(document: Mapping[str, Any]) -> Deployment:
    pending = document.get("pending")
    return Deployment(
        int(document["chainId"]),
        _address(document["stablecoin"]) if document.get("stablecoin") else None,
        {name: _contract(entry) for name, entry in document["contracts"].items()},
        {int(key): _contract(entry) for key, entry in document["shares"].items()},
        _pending(pending) if pending else None,
    )


def _contract(entry: Mapping[str, Any]) -> ContractRecord:
    return ContractRecord(
        _address(entry["address"]),
        int(entry["block"]),
        entry["txHash"],
        _arguments(entry["constructorArguments"]),
        entry["sourceHash"],
        entry["codeHash"],
    )


def _pending(entry: Mapping[str, Any]) -> PendingRecord:
    return PendingRecord(_address(entry["deployer"]), int(entry["nonce"]), int(entry["fromBlock"]))


def _address(text: object) -> Address:
    return parse_address(text, "address")


def _arguments(values: Mapping[str, Any]) -> dict[str, Argument]:
    for name, value in values.items():
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise TypeError(f"constructor argument {name} is {value!r}")
    return dict(values)


def _document(deployment: Deployment) -> dict[str, Any]:
    document: dict[str, Any] = {
        "chainId": deployment.chain_id,
        "stablecoin": deployment.stablecoin,
        "contracts": {name: _entry(record) for name, record in deployment.contracts.items()},
        "shares": {str(key): _entry(record) for key, record in sorted(deployment.shares.items())},
    }
    pending = deployment.pending
    if pending is not None:
        document["pending"] = {
            "deployer": pending.deployer,
            "nonce": pending.nonce,
            "fromBlock": pending.from_block,
        }
    return document


def _entry(record: ContractRecord) -> dict[str, Any]:
    return {
        "address": record.address,
        "block": record.block,
        "txHash": record.tx_hash,
        "constructorArguments": _plain(record.constructor_arguments),
        "sourceHash": record.source_hash,
        "codeHash": record.code_hash,
    }


def _plain(values: Mapping[str, Argument]) -> dict[str, Argument]:
    """Integers that JSON's readers would round are written as strings."""
    return {
        name: json_integer(value) if isinstance(value, int) else value
        for name, value in values.items()
    }
