from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from api.domain.codec import to_address
from api.domain.eip712 import Eip712Domain
from api.domain.eip3009 import (
    MAX_TIME,
    MAX_VALUE_USD6,
    Authorization,
    ExactPayment,
    batch_id,
    credit_words,
)
from api.domain.signing import Signer
from api.domain.work import Work
from api.errors import Malformed, OutOfRange, Oversized
from api.types import ClusterId, Digest
from tests.support.usd import TYPES
from tests.support.x402 import Authorization as Reference

KEY = b"\x05" * 32
SIGNER = Signer(KEY)
TO = to_address(b"\x0b" * 20)
DOMAIN = Eip712Domain("USDC", "2", 84532, to_address(b"\x0a" * 20))
AUTHORIZATION = Authorization(SIGNER.address, TO, 1_000, 7, 1_700_000_060, Digest(b"\x09" * 32))
PAYMENT = ExactPayment.signed(AUTHORIZATION, DOMAIN, SIGNER)


def changed(**fields: object) -> dict[str, Any]:
    payload = PAYMENT.to_payload()
    return {**payload, "authorization": {**payload["authorization"], **fields}}


def test_signed__by_a_key__is_what_eth_account_signs() -> None:
    kind = "TransferWithAuthorization"
    message = encode_typed_data(
        domain_data={
            "name": "USDC",
            "version": "2",
            "chainId": 84532,
            "verifyingContract": DOMAIN.verifying_contract,
        },
        message_types={kind: [{"name": name, "type": type_} for name, type_ in TYPES[kind]]},
        message_data={
            "from": SIGNER.address,
            "to": TO,
            "value": 1_000,
            "validAfter": 7,
            "validBefore": 1_700_000_060,
            "nonce": b"\x09" * 32,
        },
    )
    assert PAYMENT.signature == bytes(Account.sign_message(message, KEY).signature)


def test_from_payload__written_and_read__is_the_same() -> None:
    assert ExactPayment.from_payload(PAYMENT.to_payload()) == PAYMENT
    long = replace(PAYMENT, signature=b"\x01" * 2_048)
    assert ExactPayment.from_payload(long.to_payload()) == long


@pytest.mark.parametrize(
    "fields",
    [
        {"from": "0x"},
        {"to": None},
        {"value": "-1"},
        {"value": 1.5},
        {"validAfter": ""},
        {"validBefore": "soon"},
        {"nonce": "0x00"},
    ],
)
def test_from_payload__a_field_of_another_kind__is_refused_by_name(
    fields: dict[str, object],
) -> None:
    with pytest.raises(Malformed) as refused:
        ExactPayment.from_payload(changed(**fields))
    assert [refused.value.field] == list(fields)


@pytest.mark.parametrize("signature", [None, "", "0x", "0x0", "0xzz", 5])
def test_from_payload__no_signature__is_refused(signature: object) -> None:
    with pytest.raises(Malformed, match="signature"):
        ExactPayment.from_payload({**PAYMENT.to_payload(), "signature": signature})


def test_from_payload__too_long_a_signature__is_refused() -> None:
    with pytest.raises(Oversized, match="at most 2048"):
        ExactPayment.from_payload({**PAYMENT.to_payload(), "signature": "0x" + "01" * 2_049})


def test_from_payload__value_above_a_word__is_refused() -> None:
    with pytest.raises(OutOfRange, match="value"):
        ExactPayment.from_payload(changed(value=str(2**256)))


def test_packed__any__is_as_the_contract_reads_it() -> None:
    reference = Reference(SIGNER.address, TO, 1_000, b"\x09" * 32, 7, 1_700_000_060)
    assert PAYMENT.packed() == reference.packed(PAYMENT.signature)
    assert list(AUTHORIZATION.entry) == reference.entry


@pytest.mark.parametrize(
    ("field", "most"),
    [("value", MAX_VALUE_USD6), ("valid_after", MAX_TIME), ("valid_before", MAX_TIME)],
)
def test_packed__more_than_fits__is_refused(field: str, most: int) -> None:
    def of(value: int) -> ExactPayment:
        return replace(PAYMENT, authorization=replace(AUTHORIZATION, **{field: value}))  # type: ignore[arg-type]

    of(most).packed()
    with pytest.raises(OutOfRange):
        of(most + 1).packed()


def test_credit_words__of_a_batch__leave_out_what_was_used_whole() -> None:
    assert credit_words([5, 0, 7]) == [5, 2 << 64 | 7]


def test_batch_id__of_entries__is_the_hash_that_solidity_makes() -> None:
    entries = [*AUTHORIZATION.entry, 0, 0]
    work = Work(ClusterId(9), Digest(b"\x03" * 32))
    types = ["address", "(uint32,bytes32)", "uint256[]"]
    assert batch_id(TO, work, entries) == keccak(encode(types, [TO, work, entries]))
