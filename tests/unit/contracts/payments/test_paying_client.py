"""What OpenAI's client promised over the paying transport, collected by the contract."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest
from ape import chain
from ape.api import AccountAPI
from eth_account.signers.local import LocalAccount

from api.client.promises import Promises, Terms
from api.client.transport import PayingTransport
from api.domain.codec import parse_address
from api.domain.signing import Signer
from api.domain.vouchers import Split, pack_voucher
from tests.support.payments import Till
from tests.support.scenario import USD
from tests.unit.api.client.gateway_double import GatewayDouble, served
from tests.unit.contracts.payments.conftest import LIMIT


@pytest.fixture
def terms(till: Till) -> Terms:
    addresses = (till.payments, till.gateway, till.payments.STABLECOIN())
    payments, gateway, stablecoin = (
        parse_address(str(getattr(one, "address", one)), "address") for one in addresses
    )
    return Terms(int(chain.chain_id), payments, gateway, stablecoin)


def test_vouchers__of_a_paying_client__bring_the_gateway_what_was_used(
    till: Till, customer: AccountAPI, hot: LocalAccount, terms: Terms
) -> None:
    payer = parse_address(str(customer.address), "payer")
    double = GatewayDouble(terms, limit_usd6=LIMIT, price_usd6=USD)
    promises = Promises(terms, Signer(bytes(hot.key)), payer, limit_usd6=5 * USD, step_usd6=100)
    question: list[Any] = [{"role": "user", "content": "?"}]
    with served(double) as url, httpx.Client(transport=PayingTransport(url, promises)) as http:
        given: Any = http
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="-", http_client=given)
        for _ in range(3):
            client.chat.completions.create(model="m", messages=question, max_tokens=USD)
    spent = 3 * USD // 2
    assert (double.spent_usd6, double.promised_usd6) == (spent, 2 * USD + 100)
    assert double.best is not None

    till.collect(pack_voucher(double.best, Split(0, [(0, spent)])))
    assert till.collected(customer, hot) == spent
    till.collect(pack_voucher(double.best, 0))
    assert till.collected(customer, hot) == double.promised_usd6
