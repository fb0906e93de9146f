"""Signed transactions against eth_account's, which encodes them by itself."""

from __future__ import annotations

from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from api.chain.transactions import Transaction, sign_transaction
from api.chain.views import Fees
from api.domain.codec import to_address
from api.domain.signing import Signer
from api.types import UINT64_MAX

KEY = b"\x42" * 32


@given(
    chain_id=st.integers(1, 2**53),
    nonce=st.integers(0, UINT64_MAX - 1),
    to=st.binary(min_size=20, max_size=20),
    data=st.binary(max_size=300),
    gas_limit=st.integers(21_000, 2**40),
    max_fee=st.integers(0, 2**60),
    tip=st.integers(0, 2**60),
    value=st.integers(0, 2**120),
)
def test_sign_transaction__any_fields__equals_eth_accounts(
    chain_id: int,
    nonce: int,
    to: bytes,
    data: bytes,
    gas_limit: int,
    max_fee: int,
    tip: int,
    value: int,
) -> None:
    signed = sign_transaction(
        Signer(KEY),
        Transaction(chain_id, nonce, to_address(to), data, gas_limit, Fees(max_fee, tip), value),
    )

    expected = Account.sign_transaction(
        {
            "type": 2,
            "chainId": chain_id,
            "nonce": nonce,
            "to": to_address(to),
            "data": data,
            "gas": gas_limit,
            "maxFeePerGas": max_fee,
            "maxPriorityFeePerGas": tip,
            "value": value,
        },
        KEY,
    )
    assert signed.raw == bytes(expected.raw_transaction)
    assert signed.hash == bytes(expected.hash)
    assert signed.nonce == nonce
