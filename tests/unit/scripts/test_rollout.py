"""scripts/_lib/rollout.py: what `ape run deploy` does, and does not do twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from ape import chain, project
from ape.api import AccountAPI

from scripts._lib import rollout
from scripts._lib.deployment import DeploymentError, RoleHolders
from scripts._lib.record import Record
from scripts._lib.rollout import roll_out


def test_roll_out__again__sends_nothing(
    record: Record, deployer: AccountAPI, role_holders: RoleHolders
) -> None:
    before, addresses = chain.blocks.height, record.addresses()

    lines = list(roll_out(deployer, role_holders, None, record.directory))

    assert chain.blocks.height == before
    assert Record(record.directory).addresses() == addresses
    assert [line.split()[-1] for line in lines[:-1]] == ["recorded"] * len(addresses)


def test_roll_out__tampered_record__sends_nothing_and_says_why(
    record: Record, deployer: AccountAPI, role_holders: RoleHolders, tmp_path: Path
) -> None:
    text = record.path.read_text()
    entry = record.deployment.contracts["Waterfall"]
    (tmp_path / record.path.name).write_text(text.replace(entry.code_hash, "0x" + "11" * 32))
    before = chain.blocks.height

    with pytest.raises(DeploymentError, match="Waterfall: code is"):
        list(roll_out(deployer, role_holders, None, tmp_path))

    assert chain.blocks.height == before


def test_roll_out__record_of_a_chain_that_is_gone__is_kept_until_discarded(
    record: Record, deployer: AccountAPI, role_holders: RoleHolders, tmp_path: Path
) -> None:
    text = record.path.read_text()
    for number, address in enumerate(record.addresses().values(), start=1):
        text = text.replace(address, f"0x{number:040x}")
    (tmp_path / record.path.name).write_text(text)

    with pytest.raises(DeploymentError, match="--discard-record"):
        list(roll_out(deployer, role_holders, None, tmp_path))
    lines = list(roll_out(deployer, role_holders, None, tmp_path, discard=True))

    assert [line.split()[-1] for line in lines[:-1]] == ["deployed"] * len(record.contracts())
    assert Record(tmp_path).findings() == []


def test_roll_out__own_stablecoin__is_used_and_remembered(
    deployer: AccountAPI, role_holders: RoleHolders, tmp_path: Path
) -> None:
    coin = deployer.deploy(project.TestUsd)

    list(roll_out(deployer, role_holders, coin.address, tmp_path))

    record = Record(tmp_path)
    assert "TestUsd" not in record.contracts()
    assert record.system().waterfall.STABLECOIN() == coin.address
    # The next run need not name it again, and may not name another.
    list(roll_out(deployer, role_holders, None, tmp_path))
    other = deployer.deploy(project.TestUsd)
    with pytest.raises(DeploymentError, match=f"on record, not {other.address}"):
        list(roll_out(deployer, role_holders, other.address, tmp_path))


def test_roll_out__stablecoin_that_is_no_contract__is_refused(
    deployer: AccountAPI, role_holders: RoleHolders, holder: AccountAPI, tmp_path: Path
) -> None:
    with pytest.raises(DeploymentError, match="is no contract on this chain"):
        list(roll_out(deployer, role_holders, holder.address, tmp_path))

    assert not list(tmp_path.iterdir())


def test_roll_out__no_stablecoin_off_the_local_chain__is_refused_before_anything(
    deployer: AccountAPI,
    role_holders: RoleHolders,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rollout, "LOCAL_CHAIN_ID", 1)

    with pytest.raises(DeploymentError, match="chain 31337 is not local: name its --stablecoin"):
        list(roll_out(deployer, role_holders, None, tmp_path))

    assert not list(tmp_path.iterdir())


def test_rehearse__chain_of_this_very_process__leaves_no_record(
    deployer: AccountAPI,
    role_holders: RoleHolders,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rollout, "DIRECTORY", tmp_path)
    assert rollout.ends_with_this_process()

    lines = list(rollout.rehearse(deployer, role_holders, None))

    assert "a rehearsal" in lines[0]
    assert len(lines) == 18
    assert not list(tmp_path.iterdir())
