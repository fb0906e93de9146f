"""Whether an authorisation has moved its money, by the stablecoin's own events."""

from __future__ import annotations

import pytest

from api.chain.client import ChainClient
from api.chain.contracts import Stablecoin
from api.chain.views import Log
from api.domain.eip712 import address_word, word
from api.domain.eip3009 import Authorization
from api.types import Address, Digest

USD, PAYER, SHOP = (Address("0x" + digit * 40) for digit in "123")
FIRST, SECOND = (
    Authorization(PAYER, SHOP, 1_000, 0, 2**40 - 1, Digest(bytes([number]) * 32))
    for number in (7, 8)
)


@pytest.fixture
def coin() -> Stablecoin:
    return Stablecoin(ChainClient("http://127.0.0.1:1", chain_id=1), USD)


def told(coin: Stablecoin, name: str, *topics: bytes, data: bytes = b"", by: Address = USD) -> Log:
    topic = coin.abi.events[name].topic
    return Log(by, (topic, *topics), data, 1, bytes(32), bytes(32), 0, removed=False)


def used(coin: Stablecoin, one: Authorization) -> Log:
    return told(coin, "AuthorizationUsed", address_word(one.payer), one.nonce)


def moved(coin: Stablecoin, to: Address, amount: int, *, by: Address = USD) -> Log:
    return told(coin, "Transfer", address_word(PAYER), address_word(to), data=word(amount), by=by)


def test_has_moved__transfer_told_next__moved_it(coin: Stablecoin) -> None:
    logs = [used(coin, FIRST), moved(coin, SHOP, 1_000)]
    assert coin.has_moved(logs, FIRST)
    assert not coin.has_moved(logs, SECOND)


def test_has_moved__one_transfer_for_two_authorisations__counts_for_one(coin: Stablecoin) -> None:
    """A payer uses each nonce up on a payment of nothing to itself, and pays once."""
    logs = [
        used(coin, FIRST),
        moved(coin, PAYER, 0),
        used(coin, SECOND),
        moved(coin, PAYER, 0),
        moved(coin, SHOP, 1_000),
    ]
    assert not coin.has_moved(logs, FIRST)
    assert not coin.has_moved(logs, SECOND)


@pytest.mark.parametrize("amount", [999, 1_001])
def test_has_moved__another_amount__has_not(coin: Stablecoin, amount: int) -> None:
    assert not coin.has_moved([used(coin, FIRST), moved(coin, SHOP, amount)], FIRST)


def test_has_moved__another_contracts_transfer__has_not(coin: Stablecoin) -> None:
    assert not coin.has_moved([used(coin, FIRST), moved(coin, SHOP, 1_000, by=SHOP)], FIRST)
