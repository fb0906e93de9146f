from __future__ import annotations

import json

import pytest
from eth_account import Account
from eth_keys.datatypes import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from api.domain.hashing import keccak256
from api.domain.signing import Signer, recover, require_signer
from api.errors import BadSignature, KeyRefused
from api.types import Digest
from tests.support.search import searched

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
keys = st.integers(min_value=1, max_value=ORDER - 1).map(lambda key: key.to_bytes(32, "big"))
digests = st.binary(min_size=32, max_size=32).map(Digest)
DIGEST = keccak256(b"something")


@pytest.mark.property
@searched(100)
@given(keys, digests)
def test_sign__any_key_and_digest__is_what_eth_keys_signs(key: bytes, digest: Digest) -> None:
    signer = Signer(key)
    reference = PrivateKey(key)
    expected = reference.sign_msg_hash(digest).to_bytes()
    assert str(signer.address) == reference.public_key.to_checksum_address()
    assert signer.sign(digest) == expected[:64] + bytes([27 + expected[64]])
    assert recover(digest, signer.sign(digest)) == signer.address


def test_recover__another_digest__is_another_account() -> None:
    signer = Signer(b"\x01" * 32)
    assert recover(keccak256(b"else"), signer.sign(DIGEST)) != signer.address


def test_recover__upper_half_s__is_refused() -> None:
    signature = Signer(b"\x01" * 32).sign(DIGEST)
    flipped = ORDER - int.from_bytes(signature[32:64], "big")
    other = signature[:32] + flipped.to_bytes(32, "big") + bytes([55 - signature[64]])
    with pytest.raises(BadSignature, match="upper half"):
        recover(DIGEST, other)


@pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
def test_recover__other_v__is_refused(v: int) -> None:
    signature = Signer(b"\x01" * 32).sign(DIGEST)
    with pytest.raises(BadSignature, match=f"v is {v}, 27 or 28"):
        recover(DIGEST, signature[:64] + bytes([v]))


@pytest.mark.parametrize("length", [0, 64, 66])
def test_recover__other_length__is_refused(length: int) -> None:
    with pytest.raises(BadSignature, match=f"{length} bytes, 65"):
        recover(DIGEST, bytes(length))


@pytest.mark.parametrize("rs", [bytes(64), b"\xff" * 32 + bytes(31) + b"\x01"])
def test_recover__no_point_on_the_curve__is_refused(rs: bytes) -> None:
    with pytest.raises(BadSignature, match="recovers to no account"):
        recover(DIGEST, rs + b"\x1b")


def test_require_signer__another_account__is_refused_naming_both() -> None:
    signer, other = Signer(b"\x01" * 32), Signer(b"\x02" * 32)
    require_signer(DIGEST, signer.sign(DIGEST), signer.address)
    with pytest.raises(BadSignature, match=f"signed by {signer.address}, not by {other.address}"):
        require_signer(DIGEST, signer.sign(DIGEST), other.address)


@pytest.mark.parametrize("key", [bytes(32), ORDER.to_bytes(32, "big"), b"\x01" * 31, b""])
def test_signer__no_private_key__is_refused_without_showing_it(key: bytes) -> None:
    with pytest.raises(KeyRefused) as refused:
        Signer(key)
    assert key.hex() not in str(refused.value) or not key


def test_from_hex__not_hex__is_refused_without_showing_it() -> None:
    with pytest.raises(KeyRefused) as refused:
        Signer.from_hex("0xsecret")
    assert "secret" not in str(refused.value)


def test_from_hex__with_and_without_prefix__is_the_same() -> None:
    assert Signer.from_hex("0x" + "01" * 32).address == Signer.from_hex("01" * 32).address


def test_repr__of_a_signer__shows_the_account_only() -> None:
    signer = Signer(b"\x01" * 32)
    assert repr(signer) == f"Signer({signer.address})"


def test_from_keystore__right_password__opens_it() -> None:
    keystore = json.dumps(Account.encrypt(b"\x01" * 32, "word", kdf="pbkdf2", iterations=2))
    assert Signer.from_keystore(keystore, "word").address == Signer(b"\x01" * 32).address
    with pytest.raises(KeyRefused, match="cannot be opened"):
        Signer.from_keystore(keystore, "other")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"crypto": 1, "version": 3}'])
def test_from_keystore__no_keystore__is_refused(text: str) -> None:
    with pytest.raises(KeyRefused, match="cannot be opened"):
        Signer.from_keystore(text, "word")
