from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.client.promises import Promises, Terms
from api.domain.signing import Signer
from api.types import Address
from tests.unit.api.client.gateway_double import GatewayDouble, served

PAYER = Signer(b"\x01" * 32)
KEY = Signer(b"\x02" * 32)
TERMS = Terms(
    chain_id=31337,
    payments=Address("0x5FbDB2315678afecb367f032d93F642f64180aa3"),
    gateway=Address("0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"),
    stablecoin=Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
)


def promises(
    *,
    limit_usd6: int = 1_000_000,
    step_usd6: int = 10_000,
    most_usd6: int | None = None,
    known_spent_usd6: int = 0,
) -> Promises:
    return Promises(
        TERMS,
        KEY,
        PAYER.address,
        limit_usd6=limit_usd6,
        step_usd6=step_usd6,
        most_usd6=most_usd6,
        known_spent_usd6=known_spent_usd6,
    )


@pytest.fixture
def double() -> GatewayDouble:
    return GatewayDouble(TERMS)


@pytest.fixture
def url(double: GatewayDouble) -> Iterator[str]:
    with served(double) as url:
        yield url
