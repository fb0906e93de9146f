"""One stage and one database server a session; each module makes a world on them."""

from __future__ import annotations

import pytest

from tests.support.database import postgres
from tests.support.reporting import GPU_SETS, Stage
from tests.support.stage import make_stage

__all__ = ["postgres"]


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Two clusters live, four reporters named."""
    return make_stage(tmp_path_factory.mktemp("stage"), GPU_SETS)
