"""A cluster as its issuer describes it: a JSON or TOML file, held against the contract's fields.

```toml
name = "Rackstream Node 1"        # of the share
symbol = "RACK1"
issuer = "0x…"
authorisedShares = "1000000"      # in shares, up to six decimals
gpuManifest = "gpus.json"         # gives gpuSetRoot, and gpuCount if it is not named
documents = ["title.pdf"]         # gives documentsRoot: Merkle root of the files' SHA-256 digests

[spec]                            # fields and units of ClusterSpec in IClusterRegistry.sol
gpuModel = "H100-SXM5-80GB"
region = "eu-north-1"
gpuMaxPowerWatts = 700
# …
```

Ranges are the contract's to check: it names the field, the value and the limits.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.chain.views import word_of
from api.domain.codec import parse_address, parse_digest, parse_uint
from api.domain.gpu_set import GpuSet
from api.domain.hashing import hash_leaf
from api.domain.merkle import MerkleTree
from api.errors import Incoherent, InvalidInput, Malformed
from api.types import Address, Digest
from scripts._lib.money import parse_six_decimals

TEXT_FIELDS = ("gpuModel", "region")
ROOT_FIELDS = ("gpuSetRoot", "documentsRoot")
NUMBER_FIELDS = (
    "gpuCount",
    "gpuMaxPowerWatts",
    "gpuIdlePowerWatts",
    "pueBps",
    "tariffUsd6PerKwh",
    "contractedRateUsd6PerGpuHour",
    "reserveShareBps",
    "depreciationLifeSeconds",
    "pricePaidUsd6",
    "reserveTargetUsd6",
)
SPEC_FIELDS = (*TEXT_FIELDS, *ROOT_FIELDS, *NUMBER_FIELDS)
_TOP_FIELDS = frozenset(
    {"name", "symbol", "issuer", "authorisedShares", "gpuManifest", "documents", "spec"}
)


@dataclass(frozen=True)
class ClusterFile:
    """What a cluster is registered with. `spec` has the contract's field names and types."""

    name: str
    symbol: str
    issuer: Address | None
    authorised_shares: int
    spec: Mapping[str, bytes | int]
    gpus: GpuSet | None


def read(path: Path | None, changes: Sequence[str] = ()) -> ClusterFile:
    """The cluster in a file, with `FIELD=VALUE` changes (`spec` fields or top ones) on top.

    Raises InvalidInput's subclasses naming the field, or the file that cannot be read.
    """
    document = _load(path) if path is not None else {}
    spec = document.setdefault("spec", {})
    if not isinstance(spec, dict):
        raise Malformed("spec", spec, "a table of fields")
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise Malformed("change", change, "FIELD=VALUE")
        (spec if name in SPEC_FIELDS else document)[name] = value
    for unknown in (document.keys() - _TOP_FIELDS) | (spec.keys() - set(SPEC_FIELDS)):
        raise Malformed(
            "field", unknown, f"one of {', '.join(sorted({*_TOP_FIELDS, *SPEC_FIELDS}))}"
        )
    folder = path.parent if path is not None else Path.cwd()
    gpus = _gpus(document, folder)
    return ClusterFile(
        _text(document, "name"),
        _text(document, "symbol"),
        parse_address(document["issuer"], "issuer") if document.get("issuer") else None,
        _authorised_shares(document),
        _spec(document, gpus, folder),
        gpus,
    )


def documents_root(paths: Sequence[Path]) -> Digest:
    """Merkle root over keccak256(keccak256(SHA-256 digest)) of each document; zero without one."""
    return MerkleTree(hash_leaf(hashlib.sha256(_bytes(path)).digest()) for path in paths).root


def _load(path: Path) -> dict[str, Any]:
    content = _bytes(path)
    try:
        text = content.decode()
        document = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except ValueError as error:
        raise Malformed(str(path), "its content", f"JSON or TOML ({error})") from None
    if not isinstance(document, dict):
        raise Malformed(str(path), document, "an object")
    return document


def _spec(document: Mapping[str, Any], gpus: GpuSet | None, folder: Path) -> dict[str, bytes | int]:
    given = dict(document["spec"])
    if gpus is not None:
        if "gpuSetRoot" in given and parse_digest(given["gpuSetRoot"], "gpuSetRoot") != gpus.root:
            raise Incoherent(
                "gpuSetRoot is not the root of the manifest", value=given["gpuSetRoot"]
            )
        given["gpuSetRoot"] = "0x" + gpus.root.hex()
        given.setdefault("gpuCount", len(gpus))
    if "documents" in document:
        root = documents_root([folder / name for name in document["documents"]])
        given["documentsRoot"] = "0x" + root.hex()
    given.setdefault("documentsRoot", "0x" + bytes(32).hex())
    spec: dict[str, bytes | int] = {}
    for field in SPEC_FIELDS:
        if field not in given:
            raise Malformed(field, None, "a value")
        value = given[field]
        if field in TEXT_FIELDS:
            spec[field] = _word(field, value)
        elif field in ROOT_FIELDS:
            spec[field] = parse_digest(value, field)
        else:
            spec[field] = parse_uint(value, field)
    return spec


def _gpus(document: Mapping[str, Any], folder: Path) -> GpuSet | None:
    name = document.get("gpuManifest")
    if name is None:
        return None
    path = folder / str(name)
    try:
        return GpuSet.from_manifest(_bytes(path))
    except InvalidInput as error:
        raise Malformed("gpuManifest", str(path), f"a manifest: {error}") from error


def _authorised_shares(document: Mapping[str, Any]) -> int:
    value = document.get("authorisedShares")
    try:
        return parse_six_decimals(str(value))
    except ValueError as error:
        raise Malformed("authorisedShares", value, f"a number of shares ({error})") from None


def _word(field: str, value: object) -> bytes:
    if not isinstance(value, str) or not value:
        raise Malformed(field, value, "a text")
    try:
        return word_of(value)
    except ValueError as error:
        raise Malformed(field, value, f"at most 31 bytes ({error})") from None


def _text(document: Mapping[str, Any], field: str) -> str:
    value = document.get(field)
    if not isinstance(value, str) or not value.strip():
        raise Malformed(field, value, "a text")
    return value


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Malformed("file", str(path), f"readable ({error.strerror})") from None
