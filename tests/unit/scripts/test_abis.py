"""api/chain/abis.json is what the contracts give."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts._lib import abis


def test_abis__committed_file__is_fresh() -> None:
    assert abis.is_fresh(), "run `ape run export_abis`"


def test_render__twice__is_the_same_text() -> None:
    assert abis.render() == abis.render()
    assert set(json.loads(abis.render())) == {*abis.CONTRACTS, abis.STABLECOIN}


def test_render__stablecoin__has_nothing_of_the_test_token() -> None:
    entries = json.loads(abis.render())[abis.STABLECOIN]

    assert {entry["name"] for entry in entries} == abis.STABLECOIN_ENTRIES


def test_write__outdated_file__becomes_fresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abis, "PATH", tmp_path / "abis.json")
    assert not abis.is_fresh()
    abis.PATH.write_text("{}")
    assert not abis.is_fresh()

    abis.write()

    assert abis.is_fresh()
