"""The client's wallet and its commands, on the deployed contracts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from ape import chain, networks
from ape.api import AccountAPI
from eth_account.signers.local import LocalAccount

from api.chain import deployments
from api.chain.client import ChainClient
from api.chain.deployments import ContractRecord, Deployment
from api.client.promises import Terms
from api.client.wallet import Wallet
from api.domain.api_key import ApiKey
from api.domain.codec import parse_address
from api.domain.deposits import deposit_nonce
from api.domain.eip712 import Eip712Domain
from api.domain.signing import Signer
from api.domain.vouchers import Split, pack_voucher
from api.errors import ContractReverted
from api.types import Address
from tests.support.payments import DAY, Till, key_of
from tests.support.scenario import USD, Scenario
from tests.unit.api.client.gateway_double import GatewayDouble, served

ROOT = Path(__file__).resolve().parents[4]
OWN = 1_000 * USD


def _address(account: object) -> Address:
    return parse_address(str(getattr(account, "address", account)), "account")


@pytest.fixture
def terms(till: Till) -> Terms:
    payments, coin = _address(till.payments), _address(till.payments.STABLECOIN())
    return Terms(int(chain.chain_id), payments, _address(till.gateway), coin)


@pytest.fixture
def owner(scenario: Scenario, till: Till, deployer: AccountAPI) -> LocalAccount:
    """An account that ape does not know, with dollars and something for gas."""
    owner = key_of("owner")
    scenario.give_usd(owner.address, OWN)
    deployer.transfer(owner.address, "1 ether")
    return owner


@pytest.fixture
async def client() -> AsyncIterator[ChainClient]:
    uri = str(networks.active_provider.http_uri)
    client = ChainClient(uri, chain_id=int(chain.chain_id))
    yield client
    await client.close()


@pytest.fixture
def wallet(client: ChainClient, owner: LocalAccount, terms: Terms) -> Wallet:
    return Wallet(client, Signer(bytes(owner.key)), terms)


async def test_deposit__for_itself_and_another__is_approved_and_arrives(
    wallet: Wallet, till: Till, terms: Terms
) -> None:
    await wallet.deposit(30 * USD)
    await wallet.deposit(5 * USD, _address(key_of("friend")))
    assert (await wallet.account()).balance_usd6 == 30 * USD == till.balance(wallet.address)
    assert till.balance(key_of("friend")) == 5 * USD
    assert await wallet.dollars() == OWN - 35 * USD


async def test_deposit__more_than_it_has__is_refused_with_the_contracts_word(
    wallet: Wallet,
) -> None:
    with pytest.raises(ContractReverted):
        await wallet.deposit(OWN + 1)


async def test_deposit__signed__is_brought_by_somebody_else_to_its_payer_alone(
    wallet: Wallet, till: Till, terms: Terms, client: ChainClient, scenario: Scenario
) -> None:
    coin = scenario.system.stablecoin
    token = Eip712Domain(str(coin.name()), "2", terms.chain_id, terms.stablecoin)
    authorization, signature = wallet.sign_deposit(
        7 * USD, valid_before=await wallet.now() + DAY, token=token
    )
    nonce = till.payments.depositNonce(wallet.address, authorization.salt)
    assert deposit_nonce(wallet.address, authorization.salt) == nonce
    courier_key = key_of("courier")
    scenario.deployer.transfer(courier_key.address, "1 ether")
    courier = Wallet(client, Signer(bytes(courier_key.key)), terms)
    stolen = type(authorization)(
        authorization.owner, courier.address, 7 * USD, 0, authorization.valid_before,
        authorization.salt,
    )  # fmt: skip
    with pytest.raises(ContractReverted):
        await courier.bring_deposit(stolen, signature)
    await courier.bring_deposit(authorization, signature)
    assert till.balance(wallet.address) == 7 * USD
    assert await wallet.dollars() == OWN - 7 * USD


async def test_session__by_transaction_and_by_signature__may_spend_until_revoked(
    wallet: Wallet, till: Till, terms: Terms, client: ChainClient, scenario: Scenario
) -> None:
    until = await wallet.now() + DAY
    first, second = _address(key_of("first")), _address(key_of("second"))
    await wallet.authorise(first, 3 * USD, until)
    authorization, signature = await wallet.sign_session(second, 4 * USD, until, deadline=until)
    await wallet.bring_session(authorization, signature)
    channels = [till.channel(wallet.address, key) for key in (first, second)]
    assert [one.limitUsd6 for one in channels] == [3 * USD, 4 * USD]
    assert [one.expiresAt for one in channels] == [until, until]
    with pytest.raises(ContractReverted, match="WrongNonce"):
        await wallet.bring_session(authorization, signature)
    await wallet.revoke(first)
    assert till.channel(wallet.address, first).limitUsd6 == 0


async def test_withdrawal__announced__is_paid_a_day_later_and_not_before(wallet: Wallet) -> None:
    await wallet.deposit(10 * USD)
    await wallet.request_withdrawal(4 * USD)
    account = await wallet.account()
    assert account.requested_usd6 == 4 * USD
    with pytest.raises(ContractReverted, match="TooEarly"):
        await wallet.withdraw()
    chain.mine(timestamp=account.withdrawable_at)
    await wallet.withdraw()
    assert (await wallet.account()).balance_usd6 == 6 * USD
    assert await wallet.dollars() == OWN - 6 * USD


def test_commands__from_deposit_to_an_answer__pay_what_the_contract_collects(
    till: Till, owner: LocalAccount, terms: Terms, tmp_path: Path
) -> None:
    record = ContractRecord(
        terms.payments, 1, "0x" + "00" * 32, {}, "0x" + "00" * 32, "0x" + "00" * 32
    )
    deployments.save(
        tmp_path, Deployment(terms.chain_id, terms.stablecoin, {"InferencePayments": record})
    )

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "RACKSTREAM_CHAIN_ID": str(terms.chain_id),
            "RACKSTREAM_RPC_URL": str(networks.active_provider.http_uri),
            "RACKSTREAM_CLIENT_DEPLOYMENTS_DIR": str(tmp_path),
            "RACKSTREAM_CLIENT_GATEWAY": terms.gateway,
            **{f"RACKSTREAM_CLIENT_{name}": value for name, value in settings.items()},
        }
        return subprocess.run(
            [sys.executable, "-m", "api.client", *arguments], cwd=ROOT,
            env={**os.environ, **environment}, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip

    key = "0x" + bytes(owner.key).hex()
    told = run("deposit", "12.5", KEY=key)
    assert (told.returncode, "$12.500000 for inference" in told.stdout) == (0, True), told
    told = run("session", "--limit", "2", "--days", "1", KEY=key)
    assert told.returncode == 0, told
    api_key = told.stdout.strip()
    session = ApiKey.parse(api_key).signer.address
    assert till.channel(owner, session).limitUsd6 == 2 * USD
    assert key[2:] not in told.stdout + told.stderr

    double = GatewayDouble(terms, limit_usd6=2 * USD)
    with served(double) as url:
        chat = ("chat", "--gateway", url, "--model", "m", "--max-tokens", str(USD))
        told = run(*chat, "--limit", "1.50", "Why?", API_KEY=api_key)
        assert told.returncode == 0, told
        assert told.stdout == f"paid {USD // 2}\n"
        assert told.stderr == "charge $0.500000, receipt receipt-1\n"
        told = run(*chat, "--limit", "0.999999", "Why?", API_KEY=api_key)
        assert (told.returncode, told.stderr.startswith("spend-limit-reached")) == (1, True), told
    told = run("chat", "--gateway", url, "--limit", "1.50", "--model", "m", "Why?", API_KEY=api_key)
    assert (told.returncode, told.stderr.startswith("gateway-unavailable")) == (1, True), told
    told = run("chat", "--gateway", url, "--limit", "1", "Why?", API_KEY=api_key[:-1])
    assert (told.returncode, api_key[3:30] in told.stderr) == (2, False), told

    assert double.best is not None
    till.collect(pack_voucher(double.best, Split(0, [(0, double.spent_usd6)])))
    assert till.collected(owner, session) == USD // 2 == double.spent_usd6
