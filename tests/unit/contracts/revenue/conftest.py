"""A Live cluster with two tranches, in its first epoch; and one that is to be retired."""

from __future__ import annotations

import pytest
from ape.api import AccountAPI

from tests.support.capital import Ending, open_ending
from tests.support.revenue import Books, open_books
from tests.support.scenario import SHARE, Scenario


@pytest.fixture(scope="module")
def books(
    scenario: Scenario, oracle_admin: AccountAPI, customer: AccountAPI, holder: AccountAPI
) -> Books:
    return open_books(scenario, oracle_admin, customer, holder)


@pytest.fixture(scope="module")
def live(
    scenario: Scenario,
    customer: AccountAPI,
    deployer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> Ending:
    """Live, three quarters `holder`'s and one `other_holder`'s; the deployer enforces, the customer
    pays proceeds."""
    return open_ending(
        scenario, customer, deployer, {holder: 300 * SHARE, other_holder: 100 * SHARE}
    )


@pytest.fixture
def ending(live: Ending) -> Ending:
    """Retired, its books open yet."""
    live.retire()
    return live
