"""`pytest tests/gas --update-ledger` writes the ledger anew instead of comparing with it."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-ledger", action="store_true", help="write tests/gas/ledger.json")


@pytest.fixture(scope="session")
def updating(pytestconfig: pytest.Config) -> bool:
    # Known only where pytest was called with this folder.
    return bool(pytestconfig.getoption("--update-ledger", default=False))
