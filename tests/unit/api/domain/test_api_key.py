from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.domain.api_key import API_KEY_CHARS, ApiKey
from api.domain.codec import address_bytes, to_address
from api.domain.hashing import keccak256
from api.domain.signing import Signer
from api.errors import BadApiKey, KeyRefused
from tests.support.search import searched

PAYER = Signer(b"\x01" * 32).address
SECRET = bytes(range(1, 33))
KEY = ApiKey(PAYER, SECRET)


@pytest.mark.property
@searched(100)
@given(st.binary(min_size=20, max_size=20), st.integers(1, 2**255))
def test_parse__of_any_key_that_was_written__gives_it_back(payer: bytes, number: int) -> None:
    secret = number.to_bytes(32)
    text = ApiKey(to_address(payer), secret).text()
    back = ApiKey.parse(text)
    assert (back.payer, back.signer.address) == (to_address(payer), Signer(secret).address)
    assert back.text() == text
    assert len(text) == API_KEY_CHARS


def test_text__as_laid_down__is_payer_key_and_check() -> None:
    content = base64.urlsafe_b64decode(KEY.text().removeprefix("rk_") + "=")
    checked = address_bytes(PAYER) + SECRET
    assert content == checked + keccak256(checked)[:4]


@pytest.mark.parametrize("place", [3, 20, 40, 60, 76])
def test_parse__one_character_miscopied__is_refused(place: int) -> None:
    text = KEY.text()
    other = "A" if text[place] != "A" else "B"
    with pytest.raises(BadApiKey, match="miscopied"):
        ApiKey.parse(text[:place] + other + text[place + 1 :])


def test_parse__another_spelling_of_the_same_bytes__is_refused() -> None:
    text = KEY.text()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # The last character has two bits that say nothing.
    last = alphabet[alphabet.index(text[-1]) + 1]
    with pytest.raises(BadApiKey, match="base64url"):
        ApiKey.parse(text[:-1] + last)


@pytest.mark.parametrize(
    "text",
    ["", "rk_", "sk-" + KEY.text()[3:], KEY.text()[:-1], KEY.text() + "=", "rk_" + "ä" * 75],
)
def test_parse__not_of_its_form__is_refused(text: str) -> None:
    with pytest.raises(BadApiKey):
        ApiKey.parse(text)


def test_parse__a_private_key_of_zero__is_refused() -> None:
    checked = address_bytes(PAYER) + bytes(32)
    content = checked + keccak256(checked)[:4]
    text = "rk_" + base64.urlsafe_b64encode(content).decode().rstrip("=")
    with pytest.raises(BadApiKey, match="holds no key"):
        ApiKey.parse(text)
    with pytest.raises(KeyRefused):
        ApiKey(PAYER, bytes(32))


def test_repr__and_errors__do_not_show_the_key() -> None:
    text = KEY.text()
    assert repr(KEY) == f"ApiKey(payer={PAYER}, key={Signer(SECRET).address})"
    with pytest.raises(BadApiKey) as refused:
        ApiKey.parse(text[:-1])
    assert text[3:20] not in str(refused.value)
    assert refused.value.value is None
