"""A gateway as a process in a `Market`, and what its customers ask and pay by x402."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from eth_account import Account

from api.chain import deployments
from api.chain.client import ChainClient
from api.chain.contracts import InferencePayments, Stablecoin, Waterfall
from api.chain.deployments import ContractRecord, Deployment
from api.domain.codec import parse_address
from api.domain.prices import Price, Quote, SignedQuote, gateway_domain
from api.domain.x402 import Offer, Payment, PaymentRequired
from api.types import Address
from scripts._lib.processes import free_ports, service_environment
from tests.support.market import CHAIN_ID, MODEL, PAYER, USDC, Market
from tests.support.ngram import NgramProcess
from tests.support.payments import key_of
from tests.support.selling import GatewayProcess

ODD_MODEL: Final = "odd"
"""The odd server's; see `OddUpstream`."""

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
    market: Market,
    folder: Path,
    database_url: str,
    servers: Mapping[str, str] | None = None,
    **settings: object,
) -> Iterator[GatewayProcess]:
    """A gateway that is up, with a language model behind it and further models by the servers at
    their URLs. `settings` are its own, by name; its files are in `folder`.
    """
    ngram = NgramProcess(folder).start()
    upstreams = {MODEL: ngram.url, **(servers or {})}
    process = _process(market, folder, database_url, upstreams, settings)
    try:
        process.start()
        yield process
    finally:
        process.stop()
        ngram.stop()


def _process(
    market: Market,
    folder: Path,
    database_url: str,
    upstreams: Mapping[str, str],
    settings: Mapping[str, object],
) -> GatewayProcess:
    deployments.save(folder, deployment_of(market))
    owners = {MODEL: market.model_owner}
    quotes = [
        Quote(market.cluster, model, PRICE, PRICE, 0, 2**40 - 1, owners.get(model))
        for model in upstreams
    ]
    domain = gateway_domain(CHAIN_ID, market.payments)
    signed = [
        SignedQuote(
            quote, market.operator.address, market.operator.sign(quote.message(domain).digest)
        ).to_json()
        for quote in quotes
    ]
    servers = [
        {"clusterId": market.cluster, "url": url, "slots": 8, "models": {model: model}}
        for model, url in upstreams.items()
    ]
    fleet = folder / "fleet.json"
    fleet.write_text(json.dumps({"quotes": signed, "upstreams": servers}))
    # Off the local chain no plain key is taken.
    key = key_of("x402 gateway")
    keystore = Account.encrypt(key.key, "secret", kdf="pbkdf2", iterations=2)
    (folder / "key.json").write_text(json.dumps(keystore))
    (folder / "password").write_text("secret\n")
    (port,) = free_ports(1)
    given = {
        "poll_ms": 50,
        "collect_s": 1,
        "confirmations": 0,
        "least_facilitated_usd6": 1,
        **settings,
    }
    return GatewayProcess(
        service_environment(
            RACKSTREAM_CHAIN_ID=str(CHAIN_ID),
            RACKSTREAM_RPC_URL=market.node.url,
            RACKSTREAM_GATEWAY_KEYSTORE=str(folder / "key.json"),
            RACKSTREAM_GATEWAY_KEYSTORE_PASSWORD_FILE=str(folder / "password"),
            RACKSTREAM_GATEWAY_DEPLOYMENTS_DIR=str(folder),
            RACKSTREAM_GATEWAY_DATABASE_URL=database_url,
            RACKSTREAM_GATEWAY_PORT=str(port),
            RACKSTREAM_GATEWAY_FLEET=str(fleet),
            **{f"RACKSTREAM_GATEWAY_{name.upper()}": str(given[name]) for name in given},
        ),
        port,
        folder / "gateway.log",
    )


# -- customers ------------------------------------------------------------------------------------


async def ask(
    http: httpx.AsyncClient,
    gateway: GatewayProcess,
    payment: Payment | None = None,
    **changes: Any,
) -> httpx.Response:
    """A request for ASKED but for the changes, with that payment."""
    headers = {} if payment is None else {"PAYMENT-SIGNATURE": payment.to_header()}
    return await http.post(f"{gateway.url}/v1/completions", json=ASKED | changes, headers=headers)


async def offered(http: httpx.AsyncClient, gateway: GatewayProcess, **changes: Any) -> Offer:
    """How that request can be paid by the scheme `exact`."""
    unpaid = await ask(http, gateway, **changes)
    required = PaymentRequired.from_header(unpaid.headers["PAYMENT-REQUIRED"])
    (offer,) = [one for one in required.accepts if one.scheme == "exact"]
    return offer


async def receipt_of(gateway: GatewayProcess, receipt_id: str) -> dict[str, Any]:
    async with httpx.AsyncClient(timeout=30) as http:
        answer = await http.get(f"{gateway.url}/v1/receipts/{receipt_id}")
    assert answer.status_code == 200, answer.text
    shape: dict[str, Any] = answer.json()
    return shape


# -- the books ------------------------------------------------------------------------------------


async def credit(client: ChainClient, market: Market, account: str = PAYER.address) -> int:
    """What an account has with InferencePayments."""
    payer = parse_address(account, "payer")
    return (await InferencePayments(client, market.payments).account(payer)).balance_usd6


async def settled_credit(client: ChainClient, market: Market, account: str = PAYER.address) -> int:
    """The same once the settler holds nothing more of earlier requests."""
    coin = Stablecoin(client, market.domain.verifying_contract)
    async with asyncio.timeout(30):
        while await coin.balance_of(market.settler):  # noqa: ASYNC110 - a chain has no event
            await asyncio.sleep(0.1)
    return await credit(client, market, account)


async def income(client: ChainClient, market: Market) -> tuple[int, int]:
    """What the cluster's waterfall has received in all, and what the model's owner is owed."""
    state = await Waterfall(client, market.contracts["Waterfall"]).state(market.cluster)
    payments = InferencePayments(client, market.payments)
    return state.received, await payments.royalty_owed_usd6(market.model_owner)


# -- the chain ------------------------------------------------------------------------------------


def spend(market: Market, account: Address, amount_usd6: int) -> None:
    """The account gives so much away."""
    elsewhere = market.node.rpc("eth_accounts")[5]  # type: ignore[index]
    data = "0xa9059cbb" + elsewhere[2:].rjust(64, "0") + f"{amount_usd6:064x}"
    market.node.rpc("anvil_impersonateAccount", account)
    market.node.rpc("eth_sendTransactionSync", {"from": account, "to": USDC, "data": data})
    market.node.rpc("anvil_stopImpersonatingAccount", account)


def mine_until(market: Market, condition: Callable[[], bool]) -> None:
    """Mine blocks until a condition holds. Raises AssertionError after a hundred."""
    for _ in range(100):
        if condition():
            return
        market.node.rpc("evm_mine")
        time.sleep(0.1)
    raise AssertionError("not within a hundred blocks")
