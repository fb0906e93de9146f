"""A hundred dollars for the holder."""

from __future__ import annotations

import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.scenario import USD


@pytest.fixture(scope="module")
def usd(stablecoin: ContractInstance, deployer: AccountAPI, holder: AccountAPI) -> ContractInstance:
    stablecoin.mint(holder, 100 * USD, sender=deployer)
    return stablecoin
