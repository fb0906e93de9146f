from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_account import Account

from api.errors import ConfigurationError, KeyRefused
from api.settings import AgentSettings, BillableKind, ClockKind, SourceKind, load

ANVIL_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ANVIL_ACCOUNT = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
BASE = {
    "RACKSTREAM_AGENT_KEY": ANVIL_KEY,
    "RACKSTREAM_AGENT_REPORTERS": "http://a:1/, https://b",
    "RACKSTREAM_CHAIN_ID": "31337",
    "RACKSTREAM_ORACLE": "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
    "RACKSTREAM_AGENT_CLUSTER_ID": "1",
    "RACKSTREAM_AGENT_SOURCE": "self-made",
    "RACKSTREAM_AGENT_DATA_DIR": "/tmp/agent",
}


def settings_from(monkeypatch: pytest.MonkeyPatch, **change: str | None) -> AgentSettings:
    for name, value in {**BASE, **change}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return load(AgentSettings)


def test_load__least_needed__has_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_from(monkeypatch)
    assert settings.reporters == ("http://a:1", "https://b")
    assert settings.oracle == "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    assert settings.source is SourceKind.SELF_MADE
    assert settings.clock is ClockKind.SYSTEM
    assert settings.signer(settings.chain_id).address == ANVIL_ACCOUNT


def test_load__own_and_shared_variable__takes_the_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_from(monkeypatch, RACKSTREAM_AGENT_CHAIN_ID="5").chain_id == 5


def test_load__lists_and_words__are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_from(
        monkeypatch,
        RACKSTREAM_AGENT_SOURCE="nvml",
        RACKSTREAM_AGENT_GPUS="GPU-a, GPU-b",
        RACKSTREAM_AGENT_BILLABLE="none",
        RACKSTREAM_CLOCK="chain",
        RACKSTREAM_RPC_URL="http://127.0.0.1:8545",
    )
    assert settings.gpus == ("GPU-a", "GPU-b")
    assert settings.billable is BillableKind.NONE
    assert settings.clock is ClockKind.CHAIN


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"RACKSTREAM_AGENT_REPORTERS": None}, "RACKSTREAM_AGENT_REPORTERS: Field required"),
        ({"RACKSTREAM_CHAIN_ID": None}, "RACKSTREAM_AGENT_CHAIN_ID: Field required"),
        ({"RACKSTREAM_AGENT_REPORTERS": ","}, "RACKSTREAM_AGENT_REPORTERS"),
        ({"RACKSTREAM_AGENT_REPORTERS": "ftp://a"}, "ftp://a is no http or https URL"),
        ({"RACKSTREAM_AGENT_REPORTERS": "http://a,http://a/"}, "a reporter is there twice"),
        ({"RACKSTREAM_ORACLE": "0x12"}, "expected an address"),
        ({"RACKSTREAM_AGENT_CLUSTER_ID": "0"}, "RACKSTREAM_AGENT_CLUSTER_ID"),
        ({"RACKSTREAM_AGENT_SOURCE": "guess"}, "RACKSTREAM_AGENT_SOURCE"),
        ({"RACKSTREAM_AGENT_SOURCE": "trace"}, "the trace source needs a trace"),
        ({"RACKSTREAM_CLOCK": "chain"}, "the chain's clock needs an RPC URL"),
        (
            {"RACKSTREAM_CLOCK": "chain", "RACKSTREAM_AGENT_RPC_URL": "http://a,http://b"},
            "the chain's clock takes one RPC URL",
        ),
        ({"RACKSTREAM_AGENT_PARTITION": "1"}, "partition 1 is not below partitions 1"),
        ({"RACKSTREAM_AGENT_IDLE_WATTS": "800"}, "idle 800 W is above peak 700 W"),
        ({"RACKSTREAM_AGENT_MAX_BATCH_SAMPLES": "10001"}, "less than or equal to 10000"),
        ({"RACKSTREAM_AGENT_SAMPLE_INTERVAL_MS": "999"}, "greater than or equal to 1000"),
    ],
)
def test_load__missing_or_wrong__names_the_variable_and_the_rule(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, str | None], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as refused:
        settings_from(monkeypatch, **change)
    assert ANVIL_KEY[2:] not in str(refused.value)


def test_signer__plain_key_off_the_local_chain__is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(KeyRefused, match="a plain key is accepted on chain 31337 only, this is 1"):
        settings_from(monkeypatch).signer(1)


def keystore(tmp_path: Path, key: str) -> dict[str, str | None]:
    content = Account.encrypt(bytes.fromhex(key[2:]), "word", kdf="pbkdf2", iterations=2)
    (tmp_path / "key.json").write_text(json.dumps(content), encoding="utf-8")
    (tmp_path / "word").write_text("word\n", encoding="utf-8")
    return {
        "RACKSTREAM_AGENT_KEY": None,
        "RACKSTREAM_AGENT_KEYSTORE": str(tmp_path / "key.json"),
        "RACKSTREAM_AGENT_KEYSTORE_PASSWORD_FILE": str(tmp_path / "word"),
    }


def test_signer__keystore__signs_on_any_chain(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = settings_from(monkeypatch, **keystore(tmp_path, "0x" + "01" * 32))
    assert settings.signer(1).address == Account.from_key("0x" + "01" * 32).address


def test_signer__well_known_key_in_a_keystore__is_refused_off_the_local_chain(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = settings_from(monkeypatch, **keystore(tmp_path, ANVIL_KEY))
    assert settings.signer(31337).address == ANVIL_ACCOUNT
    with pytest.raises(KeyRefused, match=f"{ANVIL_ACCOUNT} is a well-known test account"):
        settings.signer(1)


def test_signer__no_key_or_two__is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(KeyRefused, match="either a key"):
        settings_from(monkeypatch, RACKSTREAM_AGENT_KEY=None).signer(31337)
    both = {**keystore(tmp_path, ANVIL_KEY), "RACKSTREAM_AGENT_KEY": ANVIL_KEY}
    with pytest.raises(KeyRefused, match="either a key"):
        settings_from(monkeypatch, **both).signer(31337)


def test_signer__no_keystore_there__is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_from(
        monkeypatch,
        RACKSTREAM_AGENT_KEY=None,
        RACKSTREAM_AGENT_KEYSTORE="/nowhere",
        RACKSTREAM_AGENT_KEYSTORE_PASSWORD_FILE="/nowhere",
    )
    with pytest.raises(KeyRefused, match="cannot be read"):
        settings.signer(1)


def test_settings__shown__do_not_show_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_from(monkeypatch)
    assert ANVIL_KEY[2:] not in f"{settings!r} {settings} {settings.model_dump_json()}"
