"""Who is measured: a gateway, the same one for nothing, x402's own server, all before one language
model's server and one chain.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from api.clock import SystemClock
from api.domain.codec import to_hex
from api.domain.eip712 import Eip712Domain
from api.domain.eip3009 import Authorization, ExactPayment
from api.domain.tokens import MESSAGE_TOKENS, PromptSource
from api.domain.x402 import PAYMENT_SIGNATURE_HEADER, Offer, Payment, network_of
from api.files import corpus
from api.store.embedded import EmbeddedPostgres
from api.types import LOCAL_CHAIN_ID, Digest
from scripts._lib.anvil import rpc
from scripts._lib.cast import Account
from scripts._lib.processes import Program, free_ports, service_environment
from tests.bench.gateway.official import Settings
from tests.support.reporting import ROOT, Stage, standing_ports
from tests.support.selling import MODEL, USD, Customer, GatewayProcess, Shop

CUSTOMERS = 64
BALANCE_USD6 = 1_000 * USD
OFFICIAL_USD6 = 1_000
"""What a request costs at x402's own server, whatever it takes."""

SIGNED_AHEAD_USD6 = 50_000
"""Of each voucher more than the last: above what any request may come to."""

_MERCHANT, _FACILITATOR = Account(150, "merchant"), Account(151, "facilitator")


@dataclass(frozen=True)
class Shape:
    """A kind of request: a chat's, with so many tokens in and out."""

    name: str
    tokens_in: int
    tokens_out: int
    is_stream: bool

    def body(self, prompts: PromptSource, number: int) -> str:
        text = prompts.prompt(number, self.tokens_in - MESSAGE_TOKENS)
        return json.dumps(
            {
                "model": MODEL,
                "messages": [{"role": "user", "content": text}],
                "max_tokens": self.tokens_out,
                "ignore_eos": True,
                "seed": number,
                "stream": self.is_stream,
            }
        )


def prompts() -> PromptSource:
    """Of the project's own texts, which the model has learned from."""
    return PromptSource.of(corpus(ROOT))


@dataclass
class Scene:
    shop: Shop
    free: GatewayProcess
    official: Sequence[Program]
    official_port: int
    database: EmbeddedPostgres
    closing: ExitStack = field(repr=False)

    @classmethod
    def open(cls, stage: Stage, folder: Path, database: EmbeddedPostgres) -> Scene:
        """Everybody is up, and each customer has money and a session key.

        The gateways have the settings that they have by default, but the clock: the stage's chain
        begins long ago.
        """
        with ExitStack() as stack:
            shop = Shop.open(
                stage,
                folder,
                database.url("bench_paid"),
                slots=4 * CUSTOMERS,
                clock="system",
                poll_ms=500,
                collect_s=30,
            )
            stack.callback(shop.close)
            free = _free(shop, folder, database.url("bench_free"))
            free.start()
            stack.callback(free.stop)
            official, port = _official(shop, folder)
            for program in official:
                program.start()
                stack.callback(program.stop)
            for number in range(CUSTOMERS):
                shop.customer(number, BALANCE_USD6)
                shop.mint(shop.customers[number].account.address, BALANCE_USD6)
            return cls(shop, free, official, port, database, stack.pop_all())

    def close(self) -> None:
        self.closing.close()

    @property
    def customers(self) -> Sequence[Customer]:
        return self.shop.customers

    def restart_gateway(self, **settings: object) -> None:
        """With other settings, by their names."""
        gateway = self.shop.gateway
        gateway.stop()
        for name, value in settings.items():
            gateway.environment[f"RACKSTREAM_GATEWAY_{name.upper()}"] = str(value)
        gateway.start()

    def vouchers(self, customer: Customer) -> Iterator[str]:
        """Payments by voucher, each for more than the last, without end."""
        while True:
            yield customer.pay(SIGNED_AHEAD_USD6)[PAYMENT_SIGNATURE_HEADER]

    def exact_payments(self, customer: Customer) -> Iterator[str]:
        """Payments for a request at x402's own server, without end."""
        offer = Offer(
            "exact",
            network_of(LOCAL_CHAIN_ID),
            OFFICIAL_USD6,
            self.shop.stablecoin,
            _MERCHANT.address,
            600,
            {"name": "USDC", "version": "2"},
        )
        domain = Eip712Domain("USDC", "2", LOCAL_CHAIN_ID, self.shop.stablecoin)
        while True:
            authorization = Authorization(
                customer.account.address,
                offer.pay_to,
                offer.amount,
                0,
                SystemClock().now() + 600,
                Digest(secrets.token_bytes(32)),
            )
            signed = ExactPayment.signed(authorization, domain, customer.account.signer)
            yield Payment(offer, signed.to_payload()).to_header()


def _free(shop: Shop, folder: Path, database_url: str) -> GatewayProcess:
    (port,) = standing_ports(1)
    own = {
        "RACKSTREAM_GATEWAY_DATABASE_URL": database_url,
        "RACKSTREAM_GATEWAY_PORT": str(port),
    }
    environment = {**shop.gateway.environment, **own}
    return GatewayProcess(environment, port, folder / "free.log", "tests.bench.gateway.free")


def _official(shop: Shop, folder: Path) -> tuple[list[Program], int]:
    server_port, facilitator_port = free_ports(2)
    rpc(shop.anvil.port, "anvil_setBalance", _FACILITATOR.address, hex(10**22))
    settings = Settings(
        LOCAL_CHAIN_ID,
        shop.anvil.url,
        shop.upstreams[0].url,
        to_hex(_FACILITATOR.key),
        shop.stablecoin,
        _MERCHANT.address,
        OFFICIAL_USD6,
        server_port,
        facilitator_port,
    )

    def program(part: str, url: str) -> Program:
        def answers() -> bool:
            try:
                return httpx.get(url, timeout=2).status_code == 200
            except httpx.TransportError:
                return False

        command = [sys.executable, "-m", "tests.bench.gateway.official", part, settings.to_json()]
        environment = service_environment()
        return Program(part, command, environment, folder / f"{part}.log", answers, directory=ROOT)

    parts = [
        program("facilitator", f"http://127.0.0.1:{facilitator_port}/supported"),
        program("server", f"http://127.0.0.1:{server_port}/health"),
    ]
    return parts, server_port
