"""A deployment on record, made by the code behind `ape run deploy`, once a test file."""

from __future__ import annotations

from pathlib import Path

import pytest
from ape.api import AccountAPI

from scripts._lib.deployment import RoleHolders
from scripts._lib.record import Record
from scripts._lib.rollout import roll_out


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the record."""
    return tmp_path_factory.mktemp("deployments")


@pytest.fixture(scope="module")
def record(deployer: AccountAPI, role_holders: RoleHolders, records: Path) -> Record:
    list(roll_out(deployer, role_holders, None, records))
    return Record(records)
