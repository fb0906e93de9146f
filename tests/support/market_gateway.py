"""A gateway as a process in a `Market`, and what its customers ask and pay by x402."""

from __future__ import annotations

import asyncio
import json
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
from scripts._lib.processes import free_ports, service_environment
from tests.support.market import CHAIN_ID, PAYER, USDC, Market
from tests.support.payments import key_of
from tests.support.selling import GatewayProcess

MODEL: Final = "rackstream-ngram"
ODD_MODEL: Final = "odd"
"""The odd server's; see `OddUpstream`."""

ASKED: Final[dict[str, Any]] = {
    "model": MODEL,
    "prompt": "What is a rack",
    "max_tokens": 20,
    "seed": 3,
}
PRICE: Final = Price(2_000_000, 8_000_000)


def start_gateway(
    market: Market, database_url: str, folder: Path, upstreams: dict[str, str]
) -> GatewayProcess:
    """A gateway that serves each model by the server at its URL. Its files are in `folder`."""
    blank = "0x" + "00" * 32
    records = {
        name: ContractRecord(address, 1, blank, {}, blank, blank)
        for name, address in market.contracts.items()
    }
    deployments.save(folder, Deployment(CHAIN_ID, parse_address(USDC, "USDC"), contracts=records))
    quotes = [Quote(market.cluster, model, PRICE, PRICE, 0, 2**40 - 1) for model in upstreams]
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
            RACKSTREAM_GATEWAY_POLL_MS="50",
            RACKSTREAM_GATEWAY_COLLECT_S="1",
            RACKSTREAM_GATEWAY_CONFIRMATIONS="0",
        ),
        port,
        folder / "gateway.log",
    )
    process.start()
    return process


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


async def income(client: ChainClient, market: Market) -> int:
    """What the cluster's waterfall has received in all."""
    state = await Waterfall(client, market.contracts["Waterfall"]).state(market.cluster)
    return state.received
