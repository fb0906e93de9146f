"""A remote signer: a real Anvil, and one on the way to it that answers as it likes."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from structlog.testing import capture_logs

from api.chain.transactions import Transaction, sign_transaction
from api.chain.views import Fees
from api.domain.codec import to_hex
from api.domain.eip712 import oracle_domain, reporter_registry_domain
from api.domain.figures import ClusterFigures
from api.domain.reports import ClusterReport, Report, possession_message
from api.domain.signing import Signer
from api.errors import SignerRefused, SignerUnavailable, SignerUntrue, Unavailable
from api.sending import remote_signer
from api.sending.remote_signer import RemoteSigner
from api.sending.signers import LocalSigner
from api.types import LOCAL_CHAIN_ID, ZERO_DIGEST, Address, ClusterId, Epoch
from scripts._lib import cast
from tests.support.oracle import malleated
from tests.support.own_node import Node
from tests.support.relay import Behaviour, Forward, Message, Relay, honest

KEY = cast.keeper()
OTHER = Signer(b"\x07" * 32)
CONTRACT = Address("0x" + "22" * 20)
REPORT = Report(
    3,
    Epoch(480_000),
    1,
    [ClusterReport(ClusterFigures(ClusterId(5), 700, 3_600, 3_500, 1_800, 900), ZERO_DIGEST)],
)
MESSAGE = REPORT.message(oracle_domain(LOCAL_CHAIN_ID, CONTRACT))
TRANSACTION = Transaction(
    LOCAL_CHAIN_ID, 7, CONTRACT, b"\x12\x34", 90_000, Fees(2_000_000_000, 1_000_000_000)
)
RAW = sign_transaction(KEY, TRANSACTION).raw


@pytest.fixture(scope="module")
def anvil() -> Iterator[Node]:
    node = Node()
    node.start(accounts=20)
    yield node
    node.kill()


@pytest.fixture
async def relay(anvil: Node) -> AsyncIterator[Relay]:
    relay = Relay(anvil.port)
    await relay.start()
    yield relay
    await relay.close()


@pytest.fixture
async def signer(relay: Relay) -> AsyncIterator[RemoteSigner]:
    signer = RemoteSigner(relay.url, KEY.address, timeout_seconds=2)
    yield signer
    await signer.close()


def page(status: str, body: bytes) -> Message:
    head = f"HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {len(body)}\r\n\r\n"
    return Message(head.encode(), body)


def result(answer: object) -> Message:
    return page("200 OK", json.dumps({"jsonrpc": "2.0", "id": 1, "result": answer}).encode())


def answering(answer: object) -> Behaviour:
    """One that gives this result, whatever it is asked."""

    async def behaviour(request: Message, forward: Forward) -> Message:
        return result(answer)

    return behaviour


def refusing(reason: str, status: str = "200 OK") -> Behaviour:
    error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32_000, "message": reason}}

    async def behaviour(request: Message, forward: Forward) -> Message:
        return page(status, json.dumps(error).encode())

    return behaviour


def serving(status: str, body: bytes) -> Behaviour:
    async def behaviour(request: Message, forward: Forward) -> Message:
        return page(status, body)

    return behaviour


async def silent(request: Message, forward: Forward) -> Message:
    await asyncio.sleep(60)
    raise AssertionError("nobody waits so long")


async def broken(request: Message, forward: Forward) -> None:
    return None


async def dripping(request: Message, forward: Forward) -> Message:
    """The head of an answer, and never the rest."""
    return Message(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", b"{")


async def test_sign__anvil_has_the_key__as_the_key_itself_signs(signer: RemoteSigner) -> None:
    registry = reporter_registry_domain(LOCAL_CHAIN_ID, CONTRACT)
    for message in (MESSAGE, possession_message(registry, OTHER.address, KEY.address)):
        assert await signer.sign(message) == await LocalSigner(KEY).sign(message)
    assert signer.failure is None


async def test_sign_transaction__anvil_has_the_key__as_the_key_itself_signs(
    signer: RemoteSigner,
) -> None:
    assert await signer.sign_transaction(TRANSACTION) == sign_transaction(KEY, TRANSACTION)


async def test_sign__web3signer__sees_the_typed_data_and_is_asked_once(
    relay: Relay, signer: RemoteSigner
) -> None:
    asked: list[Any] = []

    async def web3signer(request: Message, forward: Forward) -> Message:
        call = json.loads(request.body)
        asked.append(call)
        account, data = call["params"]
        assert account == KEY.address
        # It takes the data as a string, and reads it as eth_account does.
        message = encode_typed_data(full_message=json.loads(data))
        signature = Account.from_key(cast.Account(cast.KEEPER, "keeper").key).sign_message(message)
        return result(to_hex(bytes(signature.signature)))

    relay.become(web3signer)
    signature = await signer.sign(MESSAGE)
    assert signature == KEY.sign(MESSAGE.digest)
    assert [call["method"] for call in asked] == ["eth_signTypedData"]
    told = json.loads(asked[0]["params"][1])
    assert told["primaryType"] == "Report"
    assert told["domain"]["verifyingContract"] == CONTRACT
    assert told["message"]["epoch"] == 480_000
    assert told["message"]["root"] == to_hex(REPORT.root)


async def test_sign__anvil__asked_by_the_name_that_worked(
    relay: Relay, signer: RemoteSigner
) -> None:
    asked: list[str] = []

    async def noting(request: Message, forward: Forward) -> Message:
        asked.append(json.loads(request.body)["method"])
        return await forward(request)

    relay.become(noting)
    await signer.sign(MESSAGE)
    await signer.sign(MESSAGE)
    assert asked == ["eth_signTypedData", "eth_signTypedData_v4", "eth_signTypedData_v4"]


@pytest.mark.parametrize("offset", [0, 27])
async def test_sign__v_from_0_or_27_on__is_27_or_28(
    relay: Relay, signer: RemoteSigner, offset: int
) -> None:
    own = KEY.sign(MESSAGE.digest)
    relay.become(answering(to_hex(own[:64] + bytes([own[64] - 27 + offset]))))
    assert await signer.sign(MESSAGE) == own


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (to_hex(OTHER.sign(MESSAGE.digest)), f"signed by {OTHER.address}"),
        (to_hex(KEY.sign(REPORT.root)), "signed by"),
        (to_hex(malleated(KEY.sign(MESSAGE.digest))), "upper half"),
        (to_hex(KEY.sign(MESSAGE.digest)[:64] + b"\x1d"), "v is 29"),
        (to_hex(KEY.sign(MESSAGE.digest)[:64]), "130 hex digits"),
        (to_hex(bytes(65)), "signature"),
        ("signed", "130 hex digits"),
        (None, "130 hex digits"),
        ({"signature": "0x"}, "130 hex digits"),
    ],
    ids=["account", "digest", "high s", "v", "short", "zero", "word", "null", "object"],
)
async def test_sign__something_else_signed__refused_and_held_against_it(
    relay: Relay, signer: RemoteSigner, answer: object, words: str
) -> None:
    relay.become(answering(answer))
    with pytest.raises(SignerUntrue, match=words):
        await signer.sign(MESSAGE)
    assert isinstance(signer.failure, SignerUntrue)


def transaction_of(**change: Any) -> bytes:
    """The transaction with something else in it, signed by the right key."""
    fields = {
        "type": 2,
        "chainId": LOCAL_CHAIN_ID,
        "nonce": 7,
        "to": CONTRACT,
        "data": b"\x12\x34",
        "gas": 90_000,
        "maxFeePerGas": 2_000_000_000,
        "maxPriorityFeePerGas": 1_000_000_000,
        "value": 0,
    } | change
    key = cast.Account(cast.KEEPER, "keeper").key
    return bytes(Account.sign_transaction(fields, key).raw_transaction)


def test_transaction_of__nothing_changed__is_the_one_asked_for() -> None:
    assert transaction_of() == RAW


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (transaction_of(value=1), "value is not"),
        (transaction_of(to=OTHER.address), "to is not"),
        (sign_transaction(OTHER, TRANSACTION).raw, f"signed by {OTHER.address}"),
        (RAW[:-1], "EIP-1559"),
    ],
    ids=["value", "to", "account", "cut"],
)
async def test_sign_transaction__another_one_signed__refused(
    relay: Relay, signer: RemoteSigner, raw: bytes, words: str
) -> None:
    relay.become(answering(to_hex(raw)))
    with pytest.raises(SignerUntrue, match=words):
        await signer.sign_transaction(TRANSACTION)
    assert isinstance(signer.failure, SignerUntrue)


@pytest.mark.parametrize("answer", [None, 5, "0x", "raw", {"tx": {}}, ["0x"]])
async def test_sign_transaction__no_transaction__refused(
    relay: Relay, signer: RemoteSigner, answer: object
) -> None:
    relay.become(answering(answer))
    with pytest.raises(SignerUntrue):
        await signer.sign_transaction(TRANSACTION)


async def test_sign_transaction__bytes_beside_the_fields__taken(
    relay: Relay, signer: RemoteSigner
) -> None:
    relay.become(answering({"raw": to_hex(RAW), "tx": {"nonce": "0x7"}}))
    assert (await signer.sign_transaction(TRANSACTION)).raw == RAW


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (serving("200 OK", b"<html>Welcome</html>"), "HTTP 200, is none of JSON-RPC"),
        (serving("500 Internal Server Error", b"no"), "HTTP 500"),
        (serving("302 Found", b""), "HTTP 302"),
        (serving("401 Unauthorized", b""), "HTTP 401"),
        (serving("200 OK", b"[]"), "none of JSON-RPC"),
        (serving("200 OK", b'{"id": 1}'), "none of JSON-RPC"),
        (serving("200 OK", b"[" * 100_000), "none of JSON-RPC"),
        (broken, "cannot be asked"),
    ],
    ids=["html", "500", "redirect", "401", "list", "nothing", "deep", "broken off"],
)
async def test_sign__no_signer_there__unavailable(
    relay: Relay, signer: RemoteSigner, behaviour: Behaviour, words: str
) -> None:
    relay.become(behaviour)
    with pytest.raises(SignerUnavailable, match=words):
        await signer.sign(MESSAGE)
    with pytest.raises(SignerUnavailable, match=words):
        await signer.sign_transaction(TRANSACTION)


async def test_sign__answer_without_end__unavailable(
    relay: Relay, signer: RemoteSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_signer, "MAX_ANSWER_BYTES", 1_000)
    relay.become(answering("0x" + "00" * 1_000))
    with pytest.raises(SignerUnavailable, match="more than 1000 bytes"):
        await signer.sign(MESSAGE)


@pytest.mark.parametrize("behaviour", [silent, dripping], ids=["silent", "dripping"])
async def test_sign__no_answer_in_time__unavailable(relay: Relay, behaviour: Behaviour) -> None:
    relay.become(behaviour)
    signer = RemoteSigner(relay.url, KEY.address, timeout_seconds=0.2)
    with pytest.raises(SignerUnavailable, match=r"within 0\.2 s"):
        await signer.sign(MESSAGE)
    await signer.close()


@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden"])
async def test_sign__rule_against_it__refused_in_its_words(
    relay: Relay, signer: RemoteSigner, status: str
) -> None:
    relay.become(refusing("epoch too old", status))
    with pytest.raises(SignerRefused, match="epoch too old"):
        await signer.sign(MESSAGE)
    with pytest.raises(SignerRefused, match="eth_signTransaction: epoch too old"):
        await signer.sign_transaction(TRANSACTION)


async def test_sign__reason_without_end_and_for_terminals__cut_and_printable(
    relay: Relay, signer: RemoteSigner
) -> None:
    relay.become(refusing("\x1b[2Jno\n" * 10_000))
    with pytest.raises(SignerRefused) as refusal:
        await signer.sign(MESSAGE)
    assert len(refusal.value.message) < 600
    assert refusal.value.message.isprintable()


async def test_check__account_there__says_nothing(signer: RemoteSigner) -> None:
    await signer.check()
    assert signer.failure is None


async def test_check__account_not_there__refused(anvil: Node) -> None:
    signer = RemoteSigner(anvil.url, OTHER.address, timeout_seconds=2)
    with pytest.raises(SignerRefused, match=f"no account {OTHER.address}"):
        await signer.check()
    await signer.close()


@pytest.mark.parametrize("answer", [None, "0x", {}, [None, 5]])
async def test_check__no_list_of_accounts__refused(
    relay: Relay, signer: RemoteSigner, answer: object
) -> None:
    relay.become(answering(answer))
    with pytest.raises(SignerRefused):
        await signer.check()


async def lost(call: Callable[[], Any]) -> Unavailable:
    with pytest.raises(Unavailable) as failure:
        await call()
    return failure.value


async def test_failure__away_and_back__forgotten_and_logged_once(
    relay: Relay, signer: RemoteSigner
) -> None:
    with capture_logs() as logs:
        relay.become(broken)
        for _ in range(2):
            error = await lost(signer.check)
            assert signer.failure is error
        relay.become(honest)
        await signer.check()
    assert signer.failure is None
    assert [line["event"] for line in logs] == ["signer lost", "signer is back"]


async def test_failure__it_answers_and_does_not_sign__stands_until_it_signs(
    relay: Relay, signer: RemoteSigner
) -> None:
    relay.become(refusing("not this"))
    refusal = await lost(lambda: signer.sign(MESSAGE))
    relay.become(honest)
    await signer.check()
    assert signer.failure is refusal
    await signer.sign(MESSAGE)
    assert signer.failure is None


async def test_sign__password_in_the_url__sent_and_never_shown(relay: Relay) -> None:
    heads: list[bytes] = []

    async def noting(request: Message, forward: Forward) -> Message:
        heads.append(request.head)
        return page("500 Internal Server Error", b"")

    relay.become(noting)
    url = relay.url.replace("http://", "http://reporter:top%2Fsecret@") + "/path-token"
    signer = RemoteSigner(url, KEY.address, timeout_seconds=2)
    with capture_logs() as logs:
        error = await lost(lambda: signer.sign(MESSAGE))
    await signer.close()
    credentials = base64.b64encode(b"reporter:top/secret")
    assert b"Basic " + credentials in heads[0]
    assert heads[0].startswith(b"POST /path-token ")
    for text in (str(error), repr(error), str(error.value), signer.place, repr(signer), str(logs)):
        assert "secret" not in text
        assert "path-token" not in text
