"""A gateway as a process on the market's chain, and what its customers ask of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from eth_account import Account

from api.chain import deployments
from api.chain.deployments import ContractRecord, Deployment
from api.domain.codec import parse_address
from api.domain.prices import Price, Quote, SignedQuote, gateway_domain
from api.domain.x402 import Offer, PaymentRequired
from api.types import Address
from scripts._lib.processes import free_ports, service_environment
from tests.support.market import CHAIN_ID, USDC, Market
from tests.support.ngram import NgramProcess
from tests.support.payments import key_of
from tests.support.selling import GatewayProcess

MODEL: Final = "rackstream-ngram"
ASKED: Final[dict[str, Any]] = {
    "model": MODEL,
    "prompt": "What is a rack",
    "max_tokens": 20,
    "seed": 3,
}
PRICE: Final = Price(2_000_000, 8_000_000)


def deployment_of(market: Market) -> Deployment:
    """The market's contracts on record."""
    blank = "0x" + "00" * 32
    records = {
        name: ContractRecord(address, 1, blank, {}, blank, blank)
        for name, address in market.contracts.items()
    }
    return Deployment(CHAIN_ID, parse_address(USDC, "USDC"), contracts=records)


@contextmanager
def selling(
    market: Market, folder: Path, database_url: str, **settings: object
) -> Iterator[GatewayProcess]:
    """A gateway that is up, with a language model behind it. `settings` are its own, by name."""
    ngram = NgramProcess(folder).start()
    deployments.save(folder, deployment_of(market))
    quote = Quote(market.cluster, MODEL, PRICE, PRICE, 0, 2**40 - 1)
    message = quote.message(gateway_domain(CHAIN_ID, market.payments))
    signed = SignedQuote(quote, market.operator.address, market.operator.sign(message.digest))
    server = {"clusterId": market.cluster, "url": ngram.url, "slots": 8, "models": {MODEL: MODEL}}
    fleet = folder / "fleet.json"
    fleet.write_text(json.dumps({"quotes": [signed.to_json()], "upstreams": [server]}))
    # Off the local chain no plain key is taken.
    key = key_of("x402 gateway")
    keystore = Account.encrypt(key.key, "secret", kdf="pbkdf2", iterations=2)
    (folder / "key.json").write_text(json.dumps(keystore))
    (folder / "password").write_text("secret\n")
    (port,) = free_ports(1)
    given = {
        f"RACKSTREAM_GATEWAY_{name.upper()}": str(value)
        for name, value in {"poll_ms": 50, "confirmations": 0, **settings}.items()
    }
    process = GatewayProcess(
        service_environment(
            RACKSTREAM_CHAIN_ID=str(CHAIN_ID),
            RACKSTREAM_RPC_URL=market.node.url,
            RACKSTREAM_GATEWAY_KEYSTORE=str(folder / "key.json"),
            RACKSTREAM_GATEWAY_KEYSTORE_PASSWORD_FILE=str(folder / "password"),
            RACKSTREAM_GATEWAY_DEPLOYMENTS_DIR=str(folder),
            RACKSTREAM_GATEWAY_DATABASE_URL=database_url,
            RACKSTREAM_GATEWAY_PORT=str(port),
            RACKSTREAM_GATEWAY_FLEET=str(fleet),
            **given,
        ),
        port,
        folder / "gateway.log",
    )
    try:
        process.start()
        yield process
    finally:
        process.stop()
        ngram.stop()


def offer_of(gateway: GatewayProcess, asked: dict[str, Any]) -> Offer:
    """What the gateway asks for a request by the scheme `exact`."""
    unpaid = httpx.post(f"{gateway.url}/v1/completions", json=asked, timeout=30)
    required = PaymentRequired.from_header(unpaid.headers["PAYMENT-REQUIRED"])
    (offer,) = [one for one in required.accepts if one.scheme == "exact"]
    return offer


def from_deployer(market: Market, to: str, data: str) -> None:
    """A transaction of the account that deployed, which is mined at once."""
    sender = market.node.rpc("eth_accounts")[0]  # type: ignore[index]
    sent = market.node.rpc("eth_sendTransaction", {"from": sender, "to": to, "data": data})
    receipt: Any = market.node.rpc("eth_getTransactionReceipt", sent)
    assert int(receipt["status"], 16) == 1, receipt


def spend(market: Market, account: Address, amount_usd6: int) -> None:
    """The account gives so much away."""
    elsewhere = market.node.rpc("eth_accounts")[5]  # type: ignore[index]
    data = "0xa9059cbb" + elsewhere[2:].rjust(64, "0") + f"{amount_usd6:064x}"
    market.node.rpc("anvil_impersonateAccount", account)
    market.node.rpc("eth_sendTransaction", {"from": account, "to": USDC, "data": data})
    market.node.rpc("anvil_stopImpersonatingAccount", account)


def mine_until(market: Market, condition: Callable[[], bool]) -> None:
    """Mine blocks until a condition holds. Raises AssertionError after a hundred."""
    for _ in range(100):
        if condition():
            return
        market.node.rpc("evm_mine")
        time.sleep(0.1)
    raise AssertionError("not within a hundred blocks")
