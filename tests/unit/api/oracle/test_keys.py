"""Where a reporter's keys are, as the settings say it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from eth_account import Account

from api.domain.signing import Signer
from api.errors import ConfigurationError, KeyRefused
from api.keys import RemoteKey
from api.settings import OracleSettings, load
from api.types import LOCAL_CHAIN_ID

BASE = 8_453
WELL_KNOWN = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
KEY, OTHER_KEY = b"\x05" * 32, b"\x06" * 32
ADDRESS, OTHER_ADDRESS = Signer(KEY).address, Signer(OTHER_KEY).address
URL = "https://reporter:hidden@signer.example/token"
REMOTE: Final = {"SIGNER_URL": URL, "SIGNER_ADDRESS": ADDRESS.lower()}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> OracleSettingsFrom:
    return OracleSettingsFrom(monkeypatch)


class OracleSettingsFrom:
    """Settings of a reporter with these variables, without the prefix."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, values: Mapping[str, str], chain_id: int = BASE) -> OracleSettings:
        self._monkeypatch.setenv("RACKSTREAM_CHAIN_ID", str(chain_id))
        self._monkeypatch.setenv("RACKSTREAM_RPC_URL", "http://127.0.0.1:8545")
        for name, value in values.items():
            self._monkeypatch.setenv(f"RACKSTREAM_ORACLE_{name}", value)
        return load(OracleSettings)


def address_of(key: Signer | RemoteKey | None) -> str:
    assert key is not None
    return key.address


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of the other key."""
    folder: Path = tmp_path_factory.mktemp("keys")
    content = Account.encrypt(OTHER_KEY, "word", kdf="pbkdf2", iterations=1)
    (folder / "key.json").write_text(json.dumps(content))
    (folder / "word").write_text("word\n")
    return {
        "TRANSMITTER_KEYSTORE": str(folder / "key.json"),
        "TRANSMITTER_KEYSTORE_PASSWORD_FILE": str(folder / "word"),
    }


def test_signing_key__remote_signer__its_url_and_account(given: OracleSettingsFrom) -> None:
    settings = given(REMOTE)
    assert settings.signing_key() == RemoteKey(URL, ADDRESS)
    assert settings.transmitting_key() is None
    for text in (repr(settings), repr(settings.signing_key()), str(settings)):
        assert "hidden" not in text
        assert "token" not in text


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "either a key"),
        ({"SIGNER_URL": URL}, "RACKSTREAM_ORACLE_SIGNER_ADDRESS"),
        ({"SIGNER_ADDRESS": ADDRESS}, "RACKSTREAM_ORACLE_SIGNER_URL"),
        (REMOTE | {"KEY": KEY.hex()}, "either a key, a keystore or"),
        (REMOTE | {"KEYSTORE": "key.json"}, "either a key, a keystore or"),
        (REMOTE | {"SIGNER_ADDRESS": WELL_KNOWN}, "well-known"),
        ({"KEY": KEY.hex(), "KEYSTORE": "key.json"}, "either a key"),
    ],
)
def test_signing_key__not_exactly_one_that_may_be_used__refused(
    given: OracleSettingsFrom, values: dict[str, str], words: str
) -> None:
    with pytest.raises(KeyRefused, match=words) as refusal:
        given(values).signing_key()
    assert "hidden" not in refusal.value.message


@pytest.mark.parametrize(
    ("url", "chain_id", "is_taken"),
    [
        ("http://signer.example:9000", BASE, False),
        ("http://10.0.0.7:9000", BASE, False),
        ("http://127.0.0.1.example", BASE, False),
        ("http://localhost.example", BASE, False),
        ("http://user:hidden@10.0.0.7/127.0.0.1", BASE, False),
        ("http://127.0.0.1:9000", BASE, True),
        ("http://127.8.8.8:9000", BASE, True),
        ("http://[::1]:9000", BASE, True),
        ("http://LOCALHOST:9000", BASE, True),
        ("https://signer.example", BASE, True),
        ("http://signer.example:9000", LOCAL_CHAIN_ID, True),
    ],
)
def test_signing_key__plain_http__on_this_machine_or_the_local_chain_only(
    given: OracleSettingsFrom, url: str, chain_id: int, is_taken: bool
) -> None:
    settings = given({"SIGNER_URL": url, "SIGNER_ADDRESS": ADDRESS}, chain_id)
    if is_taken:
        assert settings.signing_key() == RemoteKey(url, ADDRESS)
    else:
        with pytest.raises(KeyRefused, match="use https") as refusal:
            settings.signing_key()
        assert "hidden" not in refusal.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SIGNER_URL", ""),
        ("SIGNER_URL", "signer.example/hidden"),
        ("SIGNER_URL", "ws://signer.example/hidden"),
        ("SIGNER_URL", "https:///hidden"),
        ("SIGNER_URL", "https://signer.example:port/hidden"),
        ("SIGNER_URL", "https://signer.example/hid\tden"),
        ("SIGNER_ADDRESS", "0x12"),
        ("SIGNER_ADDRESS", ADDRESS.swapcase().replace("0X", "0x")),
        ("SIGNER_TIMEOUT_S", "0"),
        ("TRANSMITTER_SIGNER_URL", "signer.example/hidden"),
        ("TRANSMITTER_SIGNER_ADDRESS", "0x12"),
    ],
)
def test_load__wrong_signer__named_and_not_shown(
    given: OracleSettingsFrom, name: str, value: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"RACKSTREAM_ORACLE_{name}") as refusal:
        given({name: value})
    assert "hidden" not in refusal.value.message


def test_transmitting_key__keystore__apart_from_the_signers(
    given: OracleSettingsFrom, keystore: dict[str, str]
) -> None:
    settings = given(REMOTE | keystore)
    assert address_of(settings.signing_key()) == ADDRESS
    assert address_of(settings.transmitting_key()) == OTHER_ADDRESS


def test_transmitting_key__plain_key__on_the_local_chain_only(given: OracleSettingsFrom) -> None:
    key = {"TRANSMITTER_KEY": OTHER_KEY.hex()}
    assert address_of(given(key, LOCAL_CHAIN_ID).transmitting_key()) == OTHER_ADDRESS
    with pytest.raises(KeyRefused, match="plain key"):
        given(key).transmitting_key()


@pytest.mark.parametrize("own_url", [None, "https://gas.example"])
def test_transmitting_key__remote_signer__at_the_same_url_unless_it_has_its_own(
    given: OracleSettingsFrom, own_url: str | None
) -> None:
    values = {"TRANSMITTER_SIGNER_ADDRESS": str(OTHER_ADDRESS)}
    if own_url is not None:
        values["TRANSMITTER_SIGNER_URL"] = own_url
    key = given(REMOTE | values).transmitting_key()
    assert key == RemoteKey(own_url or URL, OTHER_ADDRESS)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"TRANSMITTER_SIGNER_ADDRESS": OTHER_ADDRESS}, "TRANSMITTER_SIGNER_URL"),
        ({"TRANSMITTER_SIGNER_URL": URL}, "TRANSMITTER_SIGNER_ADDRESS"),
        (
            REMOTE | {"TRANSMITTER_SIGNER_ADDRESS": OTHER_ADDRESS, "TRANSMITTER_KEYSTORE": "x"},
            "either a key, a keystore or",
        ),
        (REMOTE | {"TRANSMITTER_SIGNER_ADDRESS": WELL_KNOWN}, "well-known"),
        (
            {
                "TRANSMITTER_SIGNER_URL": "http://gas.example",
                "TRANSMITTER_SIGNER_ADDRESS": OTHER_ADDRESS,
            },
            "use https",
        ),
        ({"TRANSMITTER_KEYSTORE": "x"}, "a file with its password"),
        ({"TRANSMITTER_KEYSTORE_PASSWORD_FILE": "x"}, "either a key"),
        ({"TRANSMITTER_KEYSTORE": "x", "TRANSMITTER_KEY": OTHER_KEY.hex()}, "either a key"),
    ],
)
def test_transmitting_key__not_exactly_one_that_may_be_used__refused(
    given: OracleSettingsFrom, values: dict[str, str], words: str
) -> None:
    with pytest.raises(KeyRefused, match=words):
        given(values).transmitting_key()
