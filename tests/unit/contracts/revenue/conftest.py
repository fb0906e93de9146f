"""A Live cluster with two tranches, at the start of its first epoch."""

from __future__ import annotations

import pytest
from ape.api import AccountAPI

from tests.support.revenue import Books, open_books
from tests.support.scenario import Scenario


@pytest.fixture(scope="module")
def books(
    scenario: Scenario, oracle_admin: AccountAPI, customer: AccountAPI, holder: AccountAPI
) -> Books:
    return open_books(scenario, oracle_admin, customer, holder)
