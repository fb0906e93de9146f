"""A request is paid for, served, charged and collected: by voucher and by API key."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import httpx
import pytest

from api.chain.abi import contract_abi
from api.domain.codec import to_hex
from api.domain.merkle import verify_proof
from api.domain.prices import gateway_domain
from api.domain.receipts import Receipt
from api.domain.signing import recover
from api.domain.x402 import PaymentRequired, PaymentResponse
from api.types import LOCAL_CHAIN_ID, Digest
from scripts._lib.anvil import RpcRefused, rpc
from tests.support.selling import FLOOR, MODEL, USD, Shop, until

ASKED = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "What is a rack?"}],
    "max_tokens": 40,
    "seed": 7,
}


def post(shop: Shop, headers: dict[str, str], **changes: Any) -> httpx.Response:
    return httpx.post(
        f"{shop.gateway.url}/v1/chat/completions",
        json=ASKED | changes,
        headers=headers,
        timeout=30,
    )


def receipt_of(shop: Shop, answer: httpx.Response) -> dict[str, Any]:
    found = httpx.get(f"{shop.gateway.url}/v1/receipts/{answer.headers['Receipt-Id']}")
    assert found.status_code == 200, found.text
    shape: dict[str, Any] = found.json()
    return shape


def hash_of(data: bytes) -> str:
    return "0x" + hashlib.sha256(data).hexdigest()


def test_post_chat__nothing_brought__says_how_to_pay(shop: Shop) -> None:
    answer = post(shop, {})

    assert answer.status_code == 402
    assert answer.headers["cache-control"] == "no-store"
    required = PaymentRequired.from_header(answer.headers["PAYMENT-REQUIRED"])
    (offer,) = [one for one in required.accepts if one.scheme == "voucher"]
    assert offer.pay_to == shop.payments
    assert offer.extra["gateway"] == shop.gateway.address
    assert offer.amount > 0
    assert answer.json()["error"]["code"] == "payment_required"


def test_post_chat__voucher__charged_by_the_tokens_and_collected(shop: Shop) -> None:
    customer = shop.customer(0, 5 * USD)
    before = shop.income()

    answer = post(shop, customer.pay())

    assert answer.status_code == 200, answer.text
    usage = answer.json()["usage"]
    charge = FLOOR.charge_up_usd6(usage["prompt_tokens"], usage["completion_tokens"])
    response = PaymentResponse.from_header(answer.headers["PAYMENT-RESPONSE"])
    assert (response.payer, response.amount) == (customer.account.address, charge)
    until(lambda: shop.collected(customer) == charge, "the charge collected")
    assert shop.income() - before == charge
    shape = receipt_of(shop, answer)
    receipt = Receipt.from_json(shape["receipt"])
    message = receipt.message(gateway_domain(LOCAL_CHAIN_ID, shop.payments))
    assert recover(message.digest, bytes.fromhex(shape["signature"][2:])) == shop.gateway.address
    assert receipt.charge_usd6 == charge
    assert shape["receipt"]["answerHash"] == hash_of(answer.content)
    assert shape["receipt"]["requestHash"] == hash_of(answer.request.content)
    collection = shape["collection"]
    assert verify_proof(
        Digest(bytes.fromhex(collection["root"][2:])),
        Digest(message.struct_hash),
        [Digest(bytes.fromhex(node[2:])) for node in collection["proof"]],
    )


def test_post_chat__api_key__charged_what_was_used_and_no_more_promised(shop: Shop) -> None:
    customer = shop.customer(1, 5 * USD)

    answer = post(shop, {"authorization": f"Bearer {customer.api_key}"})

    assert answer.status_code == 200, answer.text
    charge = int(receipt_of(shop, answer)["receipt"]["chargeUsd6"])
    until(lambda: shop.collected(customer) == charge, "the charge collected")
    path = f"/v1/channels/{customer.account.address}/{customer.session.address}"
    channel = httpx.get(shop.gateway.url + path).json()
    assert channel["promisedUsd6"] == channel["spentUsd6"] == str(charge)
    assert customer.api_key not in shop.gateway.log()


def test_post_chat__streamed__charged_like_the_whole(shop: Shop) -> None:
    customer = shop.customer(2, 5 * USD)
    whole = post(shop, customer.pay())

    streamed = post(shop, customer.pay(), stream=True)

    assert streamed.status_code == 200, streamed.text
    events = [line[6:] for line in streamed.text.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    texts = [
        choice["delta"].get("content") or ""
        for event in events[:-1]
        for choice in json.loads(event)["choices"]
    ]
    assert "".join(texts) == whole.json()["choices"][0]["message"]["content"]
    first, second = receipt_of(shop, whole)["receipt"], receipt_of(shop, streamed)["receipt"]
    assert second["chargeUsd6"] == first["chargeUsd6"]
    assert second["answerHash"] == hash_of(streamed.content)


def test_post_chat__voucher_brought_twice__not_served(shop: Shop) -> None:
    customer = shop.customer(3, 5 * USD)
    headers = customer.pay(5_000)
    assert post(shop, headers).status_code == 200

    again = post(shop, headers)

    assert again.status_code == 402
    assert again.json()["reason"] == "voucher_used"
    required = PaymentRequired.from_header(again.headers["PAYMENT-REQUIRED"])
    assert required.accepts[0].extra["cumulativeUsd6"] == "5001"


def test_post_chat__voucher_that_may_be_public__not_served(shop: Shop) -> None:
    customer = shop.customer(4, 5 * USD)
    answer = post(shop, customer.pay(5_000))
    charge = int(receipt_of(shop, answer)["receipt"]["chargeUsd6"])
    until(lambda: shop.collected(customer) == charge, "the charge collected")

    again = post(shop, customer.voucher(4_000))

    assert again.status_code == 402
    assert again.json()["reason"] == "voucher_used"


def test_post_chat__no_money__not_served(shop: Shop) -> None:
    customer = shop.customer(5, 3)

    answer = post(shop, customer.pay())

    assert answer.status_code == 402
    assert answer.json()["reason"] == "insufficient_funds"
    shop.fund(customer, USD)
    until(lambda: post(shop, customer.pay()).status_code == 200, "served once there is money")


def test_post_chat__unknown_model__not_found_and_free(shop: Shop) -> None:
    answer = post(shop, shop.customer(6, USD).pay(), model="gpt-17")

    assert answer.status_code == 404
    assert answer.json()["code"] == "unknown-model"


def test_post_chat__payer_blacklisted__pays_by_its_balance_and_cannot_add_to_it(
    shop: Shop,
) -> None:
    customer, other = shop.customer(7, 5 * USD), shop.customer(11, 5 * USD)
    payer = customer.account.address
    shop.mint(payer, USD)
    shop.blacklist(payer)

    answers = [post(shop, one.pay()) for one in (customer, other)]

    assert [answer.status_code for answer in answers] == [200, 200]
    charges = [int(receipt_of(shop, answer)["receipt"]["chargeUsd6"]) for answer in answers]
    until(
        lambda: [shop.collected(one) for one in (customer, other)] == charges,
        "what is with the contract already is collected as ever",
    )
    deposit = contract_abi("InferencePayments").functions["deposit"].encode([USD])
    call = {"from": payer, "to": shop.payments, "data": to_hex(deposit)}
    with pytest.raises(RpcRefused, match="blacklisted"):
        rpc(shop.anvil.port, "eth_call", call, "latest")
    account = shop.read("InferencePayments", shop.payments, "account", payer)
    assert account[0] == 5 * USD - charges[0]
