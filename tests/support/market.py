"""A chain that official clients of x402 know: Base Sepolia's id, with the test stablecoin's code at
its USDC's address; a Live cluster on it, and a gateway's part for payments of the scheme `exact`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from eth_account import Account
from eth_account.signers.local import LocalAccount

from api.chain.client import ChainClient
from api.chain.contracts import InferencePayments, Stablecoin, X402Settler
from api.clock import SystemClock
from api.domain.codec import parse_address, to_hex
from api.domain.eip712 import Eip712Domain
from api.domain.eip3009 import Authorization, ExactPayment
from api.domain.hashing import keccak256
from api.domain.signing import Signer
from api.domain.x402 import Offer, Payment
from api.gateway.exact import Exact
from api.gateway.fronting import Fronting
from api.gateway.holding import Holding
from api.gateway.metrics import Metrics
from api.gateway.refunding import Refunding
from api.gateway.settling import Settling
from api.sending.sender import Sender
from api.sending.signers import LocalSigner
from api.store.database import Database
from api.store.exact_payments import ExactPaymentStore
from api.store.exact_refunds import RefundStore
from api.store.journal import JournalStore
from api.store.transactions import TransactionStore
from api.types import Address, ClusterId, Digest
from scripts._lib import cast
from scripts._lib.deployment import RoleHolders, deploy_system
from scripts._lib.opening import connected
from tests.support.own_node import Node
from tests.support.payments import key_of
from tests.support.scenario import SHARE, USD, Scenario

ROOT: Final = Path(__file__).resolve().parents[2]
CHAIN_ID: Final = 84532
USDC: Final = "0x036CbD53842c5426634e7929541eC2318f3dCF7e"
GATEWAY: Final = Signer(bytes(key_of("x402 gateway").key))
PAYER: Final[LocalAccount] = key_of("x402 customer")
MERCHANT: Final = parse_address(Account.from_key(b"\x0d" * 32).address, "merchant")
MODEL: Final = "rackstream-ngram"
ROYALTY_BPS: Final = 1_000
MOST: Final = 1_000
"""What a request comes to at most, in 10⁻⁶ dollars."""


_DEPLOYER, _ADMIN = 0, 1


@dataclass(frozen=True)
class Market:
    """What stands on the chain."""

    node: Node
    cluster: ClusterId
    settler: Address
    payments: Address
    pay_to: Address
    model_owner: Address
    """Who registered MODEL, and asks ROYALTY_BPS."""
    wallets: Mapping[str, Address]
    """Payers that are contracts: all that is signed is good for one, the other burns its gas."""
    contracts: Mapping[str, Address]
    """The system's, by their names."""
    operator: Signer
    """Who runs the cluster's machines."""

    @property
    def domain(self) -> Eip712Domain:
        return Eip712Domain("USDC", "2", CHAIN_ID, parse_address(USDC, "USDC"))

    def signed(
        self, offer: Offer, nonce: bytes, payer: LocalAccount = PAYER, *, lasts_seconds: int = 60
    ) -> Payment:
        """A payment for that offer, as an official client makes it."""
        authorization = Authorization(
            parse_address(payer.address, "payer"),
            offer.pay_to,
            offer.amount,
            0,
            SystemClock().now() + lasts_seconds,
            Digest(nonce),
        )
        payment = ExactPayment.signed(authorization, self.domain, Signer(bytes(payer.key)))
        return Payment(offer, payment.to_payload())

    def fund(self, account: str, amount_usd6: int) -> None:
        """With stablecoin."""
        self.transact(USDC, "transfer(address,uint256)", account, amount_usd6)

    def blacklist(self, account: str, *, is_listed: bool = True) -> None:
        """As the stablecoin's issuer does, or takes it back."""
        name = "blacklist" if is_listed else "unBlacklist"
        self.transact(USDC, f"{name}(address)", account)

    @contextmanager
    def inflow_paused(self) -> Iterator[None]:
        """No deposits meanwhile: the guardian has paused them."""
        self.transact(self.payments, "pauseInflow(uint256)", 86_400, sender=_ADMIN)
        try:
            yield
        finally:
            self.transact(self.payments, "resumeInflow()", sender=_ADMIN)

    def transact(
        self, to: str, signature: str, *values: str | int, sender: int = _DEPLOYER
    ) -> None:
        """A transaction, mined when this returns: of the deployer, who issues the stablecoin, or
        another of the node's accounts.
        """
        words = [value if isinstance(value, int) else int(value, 16) for value in values]
        selector = keccak256(signature.encode())[:4]
        self.send(to, selector + b"".join(word.to_bytes(32) for word in words), sender=sender)

    def send(self, to: str, data: bytes, *, sender: int = _DEPLOYER) -> None:
        """The same with calldata."""
        accounts = self.node.rpc("eth_accounts")
        assert isinstance(accounts, list)
        call = {"from": accounts[sender], "to": to, "data": to_hex(data)}
        receipt = self.node.rpc("eth_sendTransactionSync", call)
        assert isinstance(receipt, dict)
        assert receipt["status"] == "0x1", receipt


def open_market(node: Node) -> Market:
    """On a fresh node of CHAIN_ID: the system, a Live cluster, customers with money.

    In a process of its own: ape remembers what stands at an address, whatever the chain.
    """
    command = [sys.executable, "-m", "tests.support.market", node.url]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout.splitlines()[-1])
    return Market(
        node,
        ClusterId(found["cluster"]),
        Address(found["settler"]),
        Address(found["payments"]),
        Address(found["payTo"]),
        Address(found["modelOwner"]),
        found["wallets"],
        found["contracts"],
        cast.operator(),
    )


def _rpc(url: str, method: str, *parameters: object) -> None:
    answer = httpx.post(
        url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
    )
    assert "error" not in answer.json(), answer.text


def _open(url: str) -> dict[str, Any]:
    with connected(url):
        from ape import accounts, chain, project

        actors = accounts.test_accounts
        deployer, admin, issuer = actors[_DEPLOYER], actors[_ADMIN], actors[7]
        code = chain.provider.get_code(deployer.deploy(project.TestUsd).address)
        _rpc(url, "anvil_setCode", USDC, "0x" + bytes(code).hex())
        usd = project.TestUsd.at(USDC)
        usd.configureMinter(deployer, 2**256 - 1, sender=deployer)
        system = deploy_system(deployer, RoleHolders.all_to(admin.address), stablecoin=USDC)
        scenario = Scenario(system, deployer, admin, admin, issuer, actors[8], actors[9])
        system.models.register(MODEL, issuer, ROYALTY_BPS, bytes(32), sender=issuer)
        cluster, _ = scenario.live_cluster([actors[2]], [SHARE])
        for account in (PAYER.address, deployer.address):
            usd.mint(account, 1_000 * USD, sender=deployer)
        _rpc(url, "anvil_setBalance", GATEWAY.address, hex(10**20))
        good, burning = (deployer.deploy(project.HostileWallet) for _ in range(2))
        burning.setVice(1, sender=deployer)
        contracts = {
            "Authority": system.authority,
            "ClusterRegistry": system.registry,
            "MetricsOracle": system.oracle,
            "Waterfall": system.waterfall,
            "ModelRegistry": system.models,
            "InferencePayments": system.payments,
            "X402Settler": system.settler,
        }
        return {
            "cluster": int(cluster),
            "settler": str(system.settler.address),
            "payments": str(system.payments.address),
            "payTo": str(system.settler.payTo(cluster, GATEWAY.address)),
            "modelOwner": str(issuer.address),
            "wallets": {"good": str(good.address), "burning": str(burning.address)},
            "contracts": {name: str(one.address) for name, one in contracts.items()},
        }


class NoMetrics:
    """Counts nothing."""

    def transaction(self, event: str) -> None:
        pass

    def paid(self, purpose: str, gas: int, price: int) -> None:
        pass


class Cashier:
    """A gateway's `exact`, with the contracts and the store that it works with."""

    def __init__(
        self,
        market: Market,
        database: Database,
        *,
        confirmations: int = 0,
        refund_day_usd6: int = 10**12,
    ) -> None:
        self.market = market
        self.client = ChainClient(market.node.url, chain_id=CHAIN_ID, timeout_seconds=5)
        self.stablecoin = Stablecoin(self.client, market.domain.verifying_contract)
        self.settler = X402Settler(self.client, market.settler)
        self.payments = InferencePayments(self.client, market.payments)
        self.store = ExactPaymentStore(database)
        self.transactions = TransactionStore(database)
        clock = SystemClock()
        sender = Sender(
            account=LocalSigner(GATEWAY),
            client=self.client,
            clock=clock,
            store=self.transactions,
            metrics=NoMetrics(),
            max_fee_per_gas=1_000 * 10**9,
        )
        self.journal = JournalStore(database)
        self.holding = Holding(self.store, self.journal)
        self.settling = Settling(
            client=self.client,
            stablecoin=self.stablecoin,
            settler=self.settler,
            store=self.store,
            holding=self.holding,
            transactions=self.transactions,
            sender=sender,
            gateway=GATEWAY.address,
            clock=clock,
            confirmations=confirmations,
        )
        self.exact = Exact(
            client=self.client,
            stablecoin=self.stablecoin,
            settler=self.settler,
            payments=self.payments,
            domain=market.domain,
            gateway=GATEWAY.address,
            pay_to={market.cluster: market.pay_to},
            store=self.store,
            holding=self.holding,
            settling=self.settling,
            fronting=Fronting(
                client=self.client,
                stablecoin=self.stablecoin,
                settler=self.settler,
                confirmations=confirmations,
            ),
            clock=clock,
        )
        self.refunds = RefundStore(database)
        self.metrics = Metrics()
        self.refunding = Refunding(
            client=self.client,
            stablecoin=self.stablecoin,
            payments=self.payments,
            signer=GATEWAY,
            store=self.refunds,
            transactions=self.transactions,
            sender=sender,
            clock=clock,
            metrics=self.metrics,
            confirmations=confirmations,
            day_usd6=refund_day_usd6,
        )

    @property
    def offer(self) -> Offer:
        return self.exact.offer(self.market.cluster, MOST, 60)

    async def balance(self, account: Address) -> int:
        return await self.stablecoin.balance_of(account)

    async def credit(self, payer: LocalAccount = PAYER) -> int:
        """What the payer has with InferencePayments."""
        state = await self.payments.account(parse_address(payer.address, "payer"))
        return state.balance_usd6

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """While its loops run."""
        loops = [asyncio.create_task(one.run()) for one in (self.settling, self.refunding)]
        try:
            yield
        finally:
            for loop in loops:
                loop.cancel()
                with suppress(asyncio.CancelledError):
                    await loop

    async def close(self) -> None:
        await self.client.close()


if __name__ == "__main__":
    print(json.dumps(_open(sys.argv[1])))
