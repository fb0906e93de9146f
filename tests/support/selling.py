"""A gateway as a real process, between real customers and a real chain.

A `Shop` has a chain on a copy of the stage, a language model, a gateway with a database of its own,
and customers with money in InferencePayments and session keys for the gateway.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from api.chain import deployments
from api.chain.abi import contract_abi
from api.chain.deployments import Deployment
from api.domain.api_key import ApiKey
from api.domain.codec import address_bytes, to_hex
from api.domain.eip712 import Eip712Domain
from api.domain.hashing import keccak256
from api.domain.prices import Price, Quote, SignedQuote, gateway_domain
from api.domain.vouchers import Voucher, pack_voucher, payments_domain
from api.domain.work import Work
from api.domain.x402 import Offer, Payment, network_of
from api.types import LOCAL_CHAIN_ID, Address, ClusterId
from scripts._lib import cast
from scripts._lib.anvil import Anvil, rpc
from scripts._lib.cast import Account
from scripts._lib.processes import Program, service_environment
from tests.support.ngram import NgramProcess
from tests.support.reporting import CLUSTER, ROOT, Stage, standing_ports

MODEL = "rackstream-ngram"
USD = 10**6
FOREVER = 2**40 - 1
FLOOR, CEILING = Price(200_000, 800_000), Price(400_000, 1_600_000)
"""$0.20 and $0.80 for a million tokens in and out, twice that without room."""

OPERATOR = Account(cast.OPERATOR, "operator")
MODEL_OWNER = Account(59, "model owner")

Stablecoin = "TestUsd"


def quote(
    domain: Eip712Domain,
    cluster_id: ClusterId = CLUSTER,
    model: str = MODEL,
    floor: Price = FLOOR,
    ceiling: Price = CEILING,
    operator: Account = OPERATOR,
    model_owner: Address | None = None,
) -> SignedQuote:
    """What the operator asks for a model, for ever."""
    asked = Quote(cluster_id, model, floor, ceiling, 0, FOREVER, model_owner)
    return SignedQuote(asked, operator.address, operator.signer.sign(asked.message(domain).digest))


@dataclass
class Customer:
    """Who pays, and a session key that signs for it at the gateway."""

    account: Account
    session: Account
    shop: Shop
    promised: int = 0

    @property
    def api_key(self) -> str:
        return ApiKey(self.account.address, self.session.key).text()

    def voucher(self, cumulative_usd6: int) -> dict[str, str]:
        """The headers of a payment by voucher."""
        shop = self.shop
        voucher = Voucher.signed(
            shop.payments_domain,
            self.session.signer,
            self.account.address,
            shop.gateway.address,
            cumulative_usd6,
        )
        offer = Offer(
            "voucher", network_of(LOCAL_CHAIN_ID), 0, shop.stablecoin, shop.payments, 60, {}
        )
        return {"PAYMENT-SIGNATURE": Payment(offer, voucher.payload()).to_header()}

    def pay(self, more_usd6: int = 1_000) -> dict[str, str]:
        """A voucher for so much more than the last."""
        self.promised += more_usd6
        return self.voucher(self.promised)

    def channel(self) -> dict[str, Any]:
        """What its gateway says of it."""
        path = f"/v1/channels/{self.account.address}/{self.session.address}"
        found: dict[str, Any] = httpx.get(self.shop.gateway.url + path, timeout=10).json()
        return found

    def at(self, shop: Shop) -> Customer:
        """The same payer and key at another gateway of the chain."""
        guest = Customer(self.account, self.session, shop)
        shop.authorise(guest)
        return guest


class GatewayProcess:
    """`python -m api.gateway`, or a module in its place, at a port of its own."""

    def __init__(
        self,
        environment: Mapping[str, str],
        port: int,
        log: Path,
        module: str = "api.gateway",
        account: Account = cast.GATEWAY,
    ) -> None:
        self.port = port
        self.account = account
        self.address = account.address
        self.url = f"http://127.0.0.1:{port}"
        self.environment = dict(environment)
        self._log = log
        self._module = module
        self._program = self._new()

    def _new(self) -> Program:
        return Program(
            "gateway",
            [sys.executable, "-m", self._module],
            self.environment,
            self._log,
            self._is_ready,
            directory=ROOT,
        )

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def start(self) -> None:
        """Start it and wait until it is ready. Raises ProcessFailure."""
        self._program = self._new()
        self._program.start()

    def launch(self) -> None:
        """Start it without waiting."""
        self._program = self._new()
        self._program.launch()

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self._program.pid is not None:
            os.kill(self._program.pid, signal.SIGKILL)
        self._program.stop()

    def stop(self) -> None:
        self._program.stop()

    @property
    def is_alive(self) -> bool:
        return self._program.is_alive()

    @property
    def pid(self) -> int | None:
        return self._program.pid

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def figure(self, name: str) -> float:
        """One of its metrics, by its name after `rackstream_gateway_` and its labels."""
        text = httpx.get(f"{self.url}/metrics", timeout=10).text
        (line,) = [
            line for line in text.splitlines() if line.startswith(f"rackstream_gateway_{name} ")
        ]
        return float(line.split()[1])


@dataclass
class Shop:
    """Everything that is sold with, for one module of tests."""

    stage: Stage
    anvil: Anvil
    upstreams: list[NgramProcess]
    gateway: GatewayProcess
    payments: Address
    stablecoin: Address
    folder: Path
    fleet: Path
    customers: list[Customer] = field(default_factory=list)

    @classmethod
    def open(
        cls,
        stage: Stage,
        folder: Path,
        database_url: str,
        *,
        upstream: Mapping[str, object] | None = None,
        upstreams: Sequence[str] = (),
        clusters: Sequence[ClusterId] = (CLUSTER,),
        slots: int = 64,
        has_model: bool = True,
        royalty_bps: int | None = None,
        **settings: object,
    ) -> Shop:
        """A shop whose gateway is up. `upstreams` are servers before the language model;
        `royalty_bps` what MODEL_OWNER asks for it, if anything; `settings` the gateway's, by their
        names.
        """
        state = folder / "anvil.json"
        shutil.copyfile(stage.state, state)
        port, gateway_port = standing_ports(2)
        anvil = Anvil(port, state, folder / "anvil.log", genesis_time=stage.newest_time)
        anvil.start()
        ngrams = [NgramProcess(folder, **(upstream or {})).start()] if has_model else []
        known = deployments.load(stage.deployments, LOCAL_CHAIN_ID)
        # The stage's begins where reporters have to look; who follows a payment looks further back.
        deployment = replace(
            known,
            contracts={name: replace(one, block=0) for name, one in known.contracts.items()},
        )
        deployments.save(folder, deployment)
        payments = deployment.address_of("InferencePayments")
        domain = gateway_domain(LOCAL_CHAIN_ID, payments)
        servers = [
            {
                "clusterId": int(cluster_id),
                "url": url,
                "slots": slots,
                "models": {MODEL: MODEL},
                "tokenizer": MODEL,
            }
            for cluster_id in clusters
            for url in (*upstreams, *(ngram.url for ngram in ngrams))
        ]
        owner = None if royalty_bps is None else MODEL_OWNER.address
        quotes = [quote(domain, cluster_id, model_owner=owner).to_json() for cluster_id in clusters]
        fleet = folder / "fleet.json"
        fleet.write_text(json.dumps({"quotes": quotes, "upstreams": servers}))
        environment = service_environment(
            RACKSTREAM_CHAIN_ID=str(LOCAL_CHAIN_ID),
            RACKSTREAM_RPC_URL=anvil.url,
            RACKSTREAM_CLOCK="chain",
            RACKSTREAM_GATEWAY_KEY="0x" + cast.GATEWAY.key.hex(),
            RACKSTREAM_GATEWAY_DEPLOYMENTS_DIR=str(folder),
            RACKSTREAM_GATEWAY_DATABASE_URL=database_url,
            RACKSTREAM_GATEWAY_PORT=str(gateway_port),
            RACKSTREAM_GATEWAY_FLEET=str(fleet),
            **_environment({"poll_ms": 50, "collect_s": 1, **settings}),
        )
        gateway = GatewayProcess(environment, gateway_port, folder / "gateway.log")
        assert deployment.stablecoin is not None
        shop = cls(stage, anvil, ngrams, gateway, payments, deployment.stablecoin, folder, fleet)
        rpc(port, "anvil_setBalance", cast.GATEWAY.address, hex(10**20))
        if royalty_bps is not None:
            shop.register_model(MODEL, royalty_bps)
        gateway.start()
        return shop

    def beside(self, account: Account, database_url: str, **settings: object) -> Shop:
        """Another gateway on the same chain before the same servers; to be stopped by itself."""
        (port,) = standing_ports(1)
        environment = self.gateway.environment | _environment(
            {
                "key": "0x" + account.key.hex(),
                "database_url": database_url,
                "port": port,
                **settings,
            }
        )
        log = self.folder / f"{account.name}.log"
        gateway = GatewayProcess(environment, port, log, account=account)
        rpc(self.anvil.port, "anvil_setBalance", account.address, hex(10**20))
        gateway.start()
        return replace(self, gateway=gateway, upstreams=[], customers=[])

    def close(self) -> None:
        self.gateway.stop()
        for upstream in self.upstreams:
            upstream.stop()
        self.anvil.stop()

    @property
    def payments_domain(self) -> Eip712Domain:
        return payments_domain(LOCAL_CHAIN_ID, self.payments)

    @property
    def deployment(self) -> Deployment:
        return deployments.load(self.folder, LOCAL_CHAIN_ID)

    # -- the chain --------------------------------------------------------------------------------

    def transact(
        self, sender: Address, contract: str, to: Address, name: str, *values: object
    ) -> Any:
        """A transaction in anybody's name; its receipt."""
        data = contract_abi(contract).functions[name].encode(values)
        port = self.anvil.port
        rpc(port, "anvil_impersonateAccount", sender)
        return self._send(sender, to, to_hex(data))

    def _send(self, sender: Address, to: Address, data: str) -> Any:
        port = self.anvil.port
        transaction = {"from": sender, "to": to, "data": data, "gas": hex(2_000_000)}
        tx_hash = rpc(port, "eth_sendTransaction", transaction)
        until(
            lambda: rpc(port, "eth_getTransactionReceipt", tx_hash) is not None, f"{tx_hash} mined"
        )
        receipt = rpc(port, "eth_getTransactionReceipt", tx_hash)
        assert int(receipt["status"], 16) == 1, receipt
        return receipt

    def register_model(self, name: str, royalty_bps: int) -> None:
        """As MODEL_OWNER's, who is paid itself."""
        owner, models = MODEL_OWNER.address, self.deployment.address_of("ModelRegistry")
        rpc(self.anvil.port, "anvil_setBalance", owner, hex(10**20))
        values = (name, owner, royalty_bps, bytes(32))
        self.transact(owner, "ModelRegistry", models, "register", *values)

    def read(self, contract: str, to: Address, name: str, *values: object) -> Any:
        """What a view function answers now."""
        function = contract_abi(contract).functions[name]
        call = {"to": to, "data": to_hex(function.encode(values))}
        answer = rpc(self.anvil.port, "eth_call", call, "latest")
        decoded = function.decode(bytes.fromhex(answer[2:]))
        return decoded[0] if len(decoded) == 1 else decoded

    def customer(self, number: int, balance_usd6: int, limit_usd6: int = 10**12) -> Customer:
        """The next one, with so much in InferencePayments and a session key that may spend it."""
        account = Account(60 + number, f"customer-{number}")
        (session,) = cast.session_keys(number + 1)[number:]
        customer = Customer(account, session, self)
        port = self.anvil.port
        rpc(port, "anvil_setBalance", account.address, hex(10**20))
        self.transact(
            account.address, "Stablecoin", self.stablecoin, "approve", self.payments, 2**255
        )
        self.fund(customer, balance_usd6)
        self.authorise(customer, limit_usd6)
        self.customers.append(customer)
        return customer

    def authorise(self, customer: Customer, limit_usd6: int = 10**12) -> None:
        """Let the customer's session key spend at this gateway."""
        self.transact(
            customer.account.address,
            "InferencePayments",
            self.payments,
            "authorise",
            customer.session.address,
            self.gateway.address,
            limit_usd6,
            FOREVER,
        )

    def fund(self, customer: Customer, amount_usd6: int) -> None:
        """Deposit so much more."""
        self.mint(customer.account.address, amount_usd6)
        self.transact(
            customer.account.address, "InferencePayments", self.payments, "deposit", amount_usd6
        )

    def mint(self, to: Address, amount_usd6: int) -> None:
        self._issue("mint(address,uint256)", to, amount_usd6)

    def blacklist(self, account: Address) -> None:
        """As the stablecoin's issuer does."""
        self._issue("blacklist(address)", account)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No dollar moves meanwhile: the stablecoin's issuer has paused it."""
        self._issue("pause()")
        try:
            yield
        finally:
            self._issue("unpause()")

    def _issue(self, signature: str, account: Address | None = None, *amounts: int) -> None:
        """A local chain's own way, in no deployed interface."""
        data = keccak256(signature.encode())[:4]
        if account is not None:
            data += address_bytes(account).rjust(32, b"\0")
        data += b"".join(amount.to_bytes(32) for amount in amounts)
        self._send(Account(cast.DEPLOYER, "deployer").address, self.stablecoin, to_hex(data))

    def collected(self, customer: Customer) -> int:
        """What the chain has collected from a customer's session key."""
        channel = self.read(
            "InferencePayments",
            self.payments,
            "channel",
            customer.account.address,
            customer.session.address,
            self.gateway.address,
        )
        return int(channel[2])

    def income(self, cluster_id: ClusterId = CLUSTER) -> int:
        """What a cluster's waterfall has received in all."""
        waterfall = self.deployment.address_of("Waterfall")
        return int(self.read("Waterfall", waterfall, "state", cluster_id)[0])


def balance_of(customer: Customer) -> int:
    """What the payer has with InferencePayments and nobody has locked."""
    shop, payer = customer.shop, customer.account.address
    return int(shop.read("InferencePayments", shop.payments, "account", payer)[0])


def take_all(customer: Customer) -> None:
    """The payer collects its balance itself, for a cluster that may be its own."""
    shop, payer = customer.shop, customer.account.address
    voucher = Voucher.signed(
        shop.payments_domain, customer.account.signer, payer, payer, balance_of(customer)
    )
    packed, works, root = pack_voucher(voucher, 0), [Work(CLUSTER)], b"\x77" * 32
    shop.transact(payer, "InferencePayments", shop.payments, "collect", packed, works, root)


def _environment(settings: Mapping[str, object]) -> dict[str, str]:
    """A gateway's settings, given by their names."""
    return {f"RACKSTREAM_GATEWAY_{name.upper()}": str(value) for name, value in settings.items()}


@contextmanager
def unmined(port: int) -> Iterator[None]:
    """A chain on which nothing is mined meanwhile."""
    rpc(port, "evm_setAutomine", False)
    try:
        yield
    finally:
        rpc(port, "evm_setAutomine", True)
        rpc(port, "evm_mine")


def until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)
