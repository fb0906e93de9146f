"""What was deployed, written down as it happens and held against the chain before it is trusted.

The file is `deployments/<chain-id>.json` (`api.chain.deployments` describes it). Nothing recorded
is ever deployed again: whatever does not agree is an error that says what was found and what was
expected.

A deployment that died is continued: what it recorded is taken over; a contract that it created and
had no time to record is found through the deployer's nonces (`Record.recover`) and recorded then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import rlp  # type: ignore[import-untyped]
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from api.chain import deployments
from api.chain.abi import decode, encode
from api.chain.deployments import Argument, ContractRecord, Deployment, PendingRecord
from api.domain.codec import address_bytes, parse_address, to_address, to_hex
from api.domain.hashing import keccak256
from api.errors import DeploymentMissing
from api.types import LOCAL_CHAIN_ID, Address
from scripts._lib import build
from scripts._lib.deployment import DeploymentError, System
from scripts._lib.network import connected_chain_id

DIRECTORY = Path(__file__).resolve().parents[2] / "deployments"

# What each singleton was built upon, in the order of its constructor; the Authority's own argument
# is whoever deployed it, TestUsd has none, and three have their treasury before these.
WIRING: Mapping[str, tuple[str, ...]] = {
    "IdentityRegistry": ("Authority",),
    "ClusterRegistry": ("Authority",),
    "MetricsOracle": ("Authority", "ClusterRegistry"),
    "Waterfall": ("Authority", "ClusterRegistry", "MetricsOracle", "stablecoin"),
    "CapitalProceeds": ("ClusterRegistry", "Waterfall", "stablecoin"),
    "HolderDesk": ("ClusterRegistry",),
    "Enforcement": ("Authority", "ClusterRegistry", "IdentityRegistry"),
    "ShareExtension": (
        "Authority",
        "ClusterRegistry",
        "IdentityRegistry",
        "Waterfall",
        "stablecoin",
        "Enforcement",
        "HolderDesk",
        "CapitalProceeds",
    ),
    "ReporterRegistry": ("Authority", "MetricsOracle", "stablecoin"),
    "Disputes": (
        "Authority",
        "ClusterRegistry",
        "MetricsOracle",
        "ReporterRegistry",
        "stablecoin",
    ),
    "ModelRegistry": (),
    "InferencePayments": (
        "Authority",
        "ClusterRegistry",
        "Waterfall",
        "ModelRegistry",
        "stablecoin",
    ),
    "X402Settler": ("InferencePayments", "stablecoin"),
    "RelatedParties": ("Authority", "ClusterRegistry"),
}
SHARE_WIRING = ("ShareExtension",)
SHARE = "ClusterShare"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as recorded. `what` is one of code, source, arguments, transaction."""

    key: str
    what: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.key}: {self.what} is {self.found}, expected {self.expected}"


class RecordMismatch(DeploymentError):
    """The record, the sources and the chain do not agree; `findings` says where."""

    def __init__(self, path: Path, findings: list[Finding]) -> None:
        if all(finding.what == "source" for finding in findings):
            advice = (
                "Check out the release that was deployed, or deploy the new one with a record of"
                " its own (--deployments)."
            )
        else:
            advice = "Nothing was sent. Find out which of them is right before going on."
        lines = "\n".join(f"  - {finding}" for finding in findings)
        super().__init__(f"{path} does not agree with the chain or the sources:\n{lines}\n{advice}")
        self.findings = findings


class OtherLocalChain(DeploymentError):
    """The record is of a local chain that is gone, or of another one than is connected."""

    def __init__(self, path: Path, count: int) -> None:
        super().__init__(
            f"None of the {count} contracts in {path} is on this chain: it is the record of another"
            " local chain.\nIf that one still runs, name it: --network"
            " ethereum:local:http://127.0.0.1:8545\nIf it is gone, forget it: `ape run deploy"
            " --discard-record`"
        )


def share_key(cluster_id: int) -> str:
    """The key of a cluster's share, as `deploy_share` names it."""
    return f"{SHARE}:{cluster_id}"


class Record:
    """The record of the connected chain."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        """Reads the file if there is one. Raises DeploymentMalformed if it cannot be understood."""
        self.directory = directory
        self.chain_id = connected_chain_id()
        self.path = deployments.path_of(directory, self.chain_id)
        try:
            self.deployment = deployments.load(directory, self.chain_id)
        except DeploymentMissing:
            self.deployment = Deployment(self.chain_id)

    # -- reading ----------------------------------------------------------------------------------

    def contracts(self) -> dict[str, ContractRecord]:
        """Every recorded contract by key: singletons by name, shares as `ClusterShare:<id>`."""
        shares = {share_key(key): record for key, record in self.deployment.shares.items()}
        return {**self.deployment.contracts, **shares}

    def addresses(self) -> dict[str, str]:
        """Every recorded address by key, as `deploy_system` and `deploy_share` take them over."""
        return {key: str(record.address) for key, record in self.contracts().items()}

    def system(self) -> System:
        """The recorded contracts. Raises DeploymentMissing naming the first that is not there."""
        at = self.deployment.address_of
        if not self.deployment.contracts:
            raise DeploymentMissing(self.chain_id, f"there is no {self.path}")
        if self.deployment.stablecoin is None:
            raise DeploymentMissing(self.chain_id, "stablecoin")
        return System(
            authority=instance("Authority", at("Authority")),
            stablecoin=instance("TestUsd", self.deployment.stablecoin),
            identity=instance("IdentityRegistry", at("IdentityRegistry")),
            registry=instance("ClusterRegistry", at("ClusterRegistry")),
            oracle=instance("MetricsOracle", at("MetricsOracle")),
            waterfall=instance("Waterfall", at("Waterfall")),
            capital=instance("CapitalProceeds", at("CapitalProceeds")),
            desk=instance("HolderDesk", at("HolderDesk")),
            enforcement=instance("Enforcement", at("Enforcement")),
            extension=instance("ShareExtension", at("ShareExtension")),
            reporter_registry=instance("ReporterRegistry", at("ReporterRegistry")),
            disputes=instance("Disputes", at("Disputes")),
            models=instance("ModelRegistry", at("ModelRegistry")),
            payments=instance("InferencePayments", at("InferencePayments")),
            settler=instance("X402Settler", at("X402Settler")),
            related=instance("RelatedParties", at("RelatedParties")),
        )

    # -- verifying --------------------------------------------------------------------------------

    def findings(self, *, sources: bool = True) -> list[Finding]:
        """Everything that is not as recorded; with `sources`, also what the compiler says now.

        For each contract: the code at its address; the transaction that created it, whose input
        must be the recorded creation code and constructor arguments; the contracts it was built on.
        """
        found: list[Finding] = []
        for key, record in self.contracts().items():
            found += self._code_findings(key, record)
            if sources:
                found += self._source_findings(key, record)
                found += self._creation_findings(key, record)
            found += self._wiring_findings(key, record)
        return found

    def verify(self, *, sources: bool = True) -> None:
        """Raises RecordMismatch if anything is not as recorded, OtherLocalChain if nothing is."""
        if self.is_of_another_local_chain():
            raise OtherLocalChain(self.path, len(self.contracts()))
        findings = self.findings(sources=sources)
        if findings:
            raise RecordMismatch(self.path, findings)

    def is_of_another_local_chain(self) -> bool:
        """Whether nothing that is recorded is there: a local chain that was started anew."""
        records = self.contracts().values()
        return (
            self.chain_id == LOCAL_CHAIN_ID
            and bool(records)
            and not any(chain.provider.get_code(record.address) for record in records)
        )

    def discard(self) -> None:
        """Forget a record of a local chain that is gone. Refused for any other."""
        if not self.is_of_another_local_chain():
            raise DeploymentError(
                f"{self.path} is not the record of a local chain that is gone; it is kept"
            )
        self.path.unlink()
        self.deployment = Deployment(self.chain_id)

    def _code_findings(self, key: str, record: ContractRecord) -> list[Finding]:
        code = bytes(chain.provider.get_code(record.address))
        if not code:
            return [Finding(key, "code", "none", f"a contract at {record.address}")]
        if _hash(code) != record.code_hash:
            return [Finding(key, "code", _hash(code), record.code_hash)]
        return []

    def _source_findings(self, key: str, record: ContractRecord) -> list[Finding]:
        compiled = source_hash(key)
        if compiled == record.source_hash:
            return []
        return [Finding(key, "source", compiled, record.source_hash)]

    def _creation_findings(self, key: str, record: ContractRecord) -> list[Finding]:
        transaction = _rpc("eth_getTransactionByHash", record.tx_hash)
        if transaction is None:
            return [Finding(key, "transaction", "unknown to the node", record.tx_hash)]
        arguments = encode(_constructor_types(key), list(_values(key, record)))
        sent = bytes.fromhex(transaction["input"].removeprefix("0x"))
        creation = sent[: len(sent) - len(arguments)]
        if sent[len(creation) :] != arguments:
            return [Finding(key, "arguments", _shown(record), "those that it was created with")]
        if _hash(creation) != record.source_hash:
            return [Finding(key, "transaction", f"of code {_hash(creation)}", record.source_hash)]
        return []

    def _wiring_findings(self, key: str, record: ContractRecord) -> list[Finding]:
        wiring = SHARE_WIRING if key.startswith(SHARE) else WIRING.get(key, ())
        # What else there is, a share's name for one, comes before the contracts it stands on.
        values = list(record.constructor_arguments.values())[-len(wiring) :] if wiring else []
        expected = [self._address_of(name) for name in wiring]
        if values == expected:
            return []
        return [Finding(key, "arguments", _shown(record), f"to end with {', '.join(expected)}")]

    def _address_of(self, name: str) -> str:
        if name == "stablecoin":
            return str(self.deployment.stablecoin)
        record = self.deployment.contracts.get(name)
        return str(record.address) if record else f"a recorded {name}"

    # -- writing ----------------------------------------------------------------------------------

    @contextmanager
    def deploying(self, deployer: AccountAPI) -> Iterator[None]:
        """Within, every deployment reported to `on_deployed` is on disk before the next is sent."""
        self.recover()
        self._note_progress(deployer.address)
        yield
        self._save(replace(self.deployment, pending=None))

    def choose_stablecoin(self, address: str) -> None:
        """Note the stablecoin; DeploymentError if another one was chosen before."""
        chosen = parse_address(address, "stablecoin")
        known = self.deployment.stablecoin
        if known is not None and known != chosen:
            raise DeploymentError(f"the stablecoin is {known} on record, not {chosen}")
        if known is None:
            self._save(replace(self.deployment, stablecoin=chosen))

    def on_deployed(self, key: str, instance: ContractInstance, arguments: tuple[Any, ...]) -> None:
        """Write down a contract just deployed: `deploy_system` and `deploy_share` call it."""
        receipt = chain.get_receipt(instance.txn_hash)
        names = [parameter.name for parameter in _constructor_inputs(key)]
        values = [_plain(argument) for argument in arguments]
        self._add(
            key,
            Address(instance.address),
            int(receipt.block_number),
            str(receipt.txn_hash),
            dict(zip(names, values, strict=True)),
        )
        self._note_progress(receipt.sender)

    def recover(self) -> list[str]:
        """Record what an interrupted deployment created and did not record; returns the keys.

        1. The deployer's nonces since the last recorded contract each give one possible address.
        2. For those with code, the block is found by bisecting the deployer's nonce over blocks.
        3. Its transaction tells the contract by its creation code, and the constructor arguments.
        """
        pending = self.deployment.pending
        if pending is None:
            return []
        recovered = []
        for nonce in range(pending.nonce, int(chain.provider.get_nonce(pending.deployer))):
            address = created_address(pending.deployer, nonce)
            if not chain.provider.get_code(address):
                continue
            block = _block_of(pending.deployer, nonce, pending.from_block)
            transaction = _transaction_of(pending.deployer, nonce, block)
            key = self._adopt(address, block, transaction)
            if key is not None:
                recovered.append(key)
        self._save(replace(self.deployment, pending=None))
        return recovered

    def _adopt(self, address: Address, block: int, transaction: Mapping[str, str]) -> str | None:
        sent = bytes.fromhex(transaction["input"].removeprefix("0x"))
        for name in ("Authority", "TestUsd", *WIRING, SHARE):
            creation = _creation_code(name)
            if not sent.startswith(creation) or name in self.deployment.contracts:
                continue
            inputs = _constructor_inputs(name)
            values = decode(_constructor_types(name), sent[len(creation) :])
            names = [parameter.name for parameter in inputs]
            arguments = dict(zip(names, values, strict=True))
            # The third argument of a share is its cluster.
            key = share_key(int(values[2])) if name == SHARE else name
            if key not in self.contracts():
                self._add(key, address, block, transaction["hash"], arguments)
                return key
        # Something else of the deployer's, which is none of ours.
        return None

    def _add(
        self,
        key: str,
        address: Address,
        block: int,
        tx_hash: str,
        arguments: Mapping[str, Argument],
    ) -> None:
        code = bytes(chain.provider.get_code(address))
        entry = ContractRecord(address, block, tx_hash, arguments, source_hash(key), _hash(code))
        deployment = self.deployment
        if key.startswith(SHARE):
            cluster_id = int(key.partition(":")[2])
            changed = replace(deployment, shares={**deployment.shares, cluster_id: entry})
        else:
            changed = replace(deployment, contracts={**deployment.contracts, key: entry})
        if key == "TestUsd":
            changed = replace(changed, stablecoin=address)
        self._save(changed)

    def _note_progress(self, deployer: str) -> None:
        pending = PendingRecord(
            parse_address(deployer, "deployer"),
            int(chain.provider.get_nonce(deployer)),
            int(chain.blocks.height),
        )
        self._save(replace(self.deployment, pending=pending))

    def _save(self, deployment: Deployment) -> None:
        deployments.save(self.directory, deployment)
        self.deployment = deployment


def instance(name: str, address: str) -> ContractInstance:
    """The contract called `name` in the sources, at an address."""
    return build.contracts()[name].at(address)


def source_hash(key: str) -> str:
    """What the compiler makes of a contract's sources now; see `api.chain.deployments`."""
    return _hash(_creation_code(key))


def created_address(deployer: Address, nonce: int) -> Address:
    """Where the transaction with this nonce creates its contract."""
    return to_address(keccak256(rlp.encode([address_bytes(deployer), nonce]))[12:])


def _creation_code(key: str) -> bytes:
    bytecode = build.contracts()[key.partition(":")[0]].contract_type.deployment_bytecode
    return bytes.fromhex(str(bytecode.bytecode).removeprefix("0x"))


def _constructor_inputs(key: str) -> list[Any]:
    return list(build.contracts()[key.partition(":")[0]].contract_type.constructor.inputs)


def _constructor_types(key: str) -> list[str]:
    return [str(parameter.canonical_type) for parameter in _constructor_inputs(key)]


def _values(key: str, record: ContractRecord) -> Iterator[Argument]:
    """The recorded arguments as the ABI takes them: large integers are strings on disk."""
    for kind, value in zip(
        _constructor_types(key), record.constructor_arguments.values(), strict=True
    ):
        yield int(value) if kind.startswith("uint") else value


def _plain(argument: object) -> Argument:
    if isinstance(argument, ContractInstance | AccountAPI):
        return str(argument.address)
    if isinstance(argument, int):
        return argument
    return str(argument)


def _shown(record: ContractRecord) -> str:
    return ", ".join(f"{name}={value}" for name, value in record.constructor_arguments.items())


def _hash(data: bytes) -> str:
    return to_hex(keccak256(data))


def _rpc(method: str, *parameters: object) -> Any:
    return chain.provider.make_request(method, list(parameters))


def _block_of(deployer: Address, nonce: int, after: int) -> int:
    """The block in which `deployer` used `nonce`: the first with more transactions than that."""
    low, high = after, int(chain.blocks.height)
    while low < high:
        middle = (low + high) // 2
        if int(_rpc("eth_getTransactionCount", deployer, hex(middle)), 16) > nonce:
            high = middle
        else:
            low = middle + 1
    return low


def _transaction_of(deployer: Address, nonce: int, block: int) -> Mapping[str, str]:
    for transaction in _rpc("eth_getBlockByNumber", hex(block), True)["transactions"]:
        is_senders = str(transaction["from"]).lower() == deployer.lower()
        if is_senders and int(transaction["nonce"], 16) == nonce:
            found: Mapping[str, str] = transaction
            return found
    raise DeploymentError(
        f"nonce {nonce} of {deployer} is not in block {block}: the node cannot tell what it did"
    )
