"""The ABIs that `api.chain` works with, taken from the compiled contracts, always in one form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripts._lib import build

PATH = Path(__file__).resolve().parents[2] / "api" / "chain" / "abis.json"

CONTRACTS = (
    "Authority",
    "CapitalProceeds",
    "ClusterRegistry",
    "ClusterShare",
    "Disputes",
    "Enforcement",
    "HolderDesk",
    "IdentityRegistry",
    "InferencePayments",
    "MetricsOracle",
    "ModelRegistry",
    "RelatedParties",
    "ReporterRegistry",
    "Waterfall",
    "X402Settler",
)

# Whatever stablecoin a deployment is made with, this much of it is used.
STABLECOIN = "Stablecoin"
STABLECOIN_ENTRIES = frozenset(
    {
        "name",
        "symbol",
        "decimals",
        "totalSupply",
        "balanceOf",
        "allowance",
        "transfer",
        "transferFrom",
        "approve",
        "Transfer",
        "Approval",
        "version",
        "paused",
        "isBlacklisted",
        "authorizationState",
        "transferWithAuthorization",
        "AuthorizationUsed",
        "AuthorizationCanceled",
    }
)


def render() -> str:
    """The file's text: contracts, entries and fields in a fixed order, so that it changes only
    with an ABI."""
    abis = {name: _entries(name) for name in CONTRACTS}
    abis[STABLECOIN] = [
        entry for entry in _entries("TestUsd") if entry.get("name") in STABLECOIN_ENTRIES
    ]
    return json.dumps(abis, indent=1, sort_keys=True) + "\n"


def is_fresh() -> bool:
    """Whether the committed file is what the contracts give now."""
    return PATH.exists() and PATH.read_text() == render()


def write() -> None:
    """Bring the file up to date."""
    PATH.write_text(render())


def _entries(contract: str) -> list[dict[str, Any]]:
    entries = [
        json.loads(entry.model_dump_json(by_alias=True, exclude_none=True))
        for entry in build.contracts()[contract].contract_type.abi
    ]
    return sorted(entries, key=lambda entry: json.dumps(entry, sort_keys=True))
