"""Constants that stand both in Python and in Solidity."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api import types

CONTRACTS = Path(__file__).parents[4] / "contracts"


@pytest.mark.parametrize(
    ("value", "source", "spelled"),
    [
        (types.EPOCH_SECONDS, "libraries/Epochs.sol", r"EPOCH_SECONDS = 1 hours"),
        (types.GRACE_SECONDS, "libraries/Epochs.sol", r"GRACE_SECONDS = 1 days"),
        (types.MAX_REPORTERS, "oracle/interfaces/IMetricsOracle.sol", r"1 to (\d+) distinct"),
    ],
)
def test_constants__of_the_contracts__are_the_same(value: int, source: str, spelled: str) -> None:
    found = re.search(spelled, (CONTRACTS / source).read_text(encoding="utf-8"))
    assert found is not None
    units = {"1 hours": 3_600, "1 days": 86_400}
    expected = int(found[1]) if found.groups() else units[found[0].split(" = ")[1]]
    assert value == expected


def test_energy_source__label__is_the_word_in_json() -> None:
    assert [source.label for source in types.EnergySource] == ["metered", "modelled"]
