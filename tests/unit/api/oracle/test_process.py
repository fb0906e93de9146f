"""What keeps a reporter going and tells what is wrong: loops, problem documents, logs, settings."""

from __future__ import annotations

import asyncio
import json
import socket
from http import HTTPStatus

import httpx
import pytest
from fastapi import FastAPI

from api.errors import (
    Backdated,
    BadSignature,
    ChainUnavailable,
    ConfigurationError,
    ContractReverted,
    GpuSetUnknown,
    KeyRefused,
    Malformed,
    NodeRefused,
    Oversized,
    PortTaken,
    ProposalRefused,
    RackstreamError,
    SequenceReused,
    StoreUnavailable,
    UndecodableAnswer,
    UnknownGpu,
    WrongAgent,
    WrongChain,
)
from api.oracle.metrics import Metrics
from api.serving import loops, problems
from api.serving.listening import listen
from api.serving.logs import RequestLog
from api.settings import ClockKind, OracleSettings, load
from api.types import LOCAL_CHAIN_ID

PEER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


async def test_supervise__loop_crashes__started_again_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loops, "_FIRST_PAUSE_SECONDS", 0.001)
    starts = 0
    is_third = asyncio.Event()
    others = asyncio.Event()

    async def crashing() -> None:
        nonlocal starts
        starts += 1
        if starts == 3:
            is_third.set()
        raise ValueError("a fault")

    async def steady() -> None:
        others.set()
        await asyncio.Event().wait()

    metrics = Metrics()
    work = asyncio.create_task(loops.supervise({"crashing": crashing, "steady": steady}, metrics))
    await asyncio.wait_for(is_third.wait(), timeout=5)
    assert others.is_set()
    assert not work.done()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert b'rackstream_loop_crashes_total{loop="crashing"}' in metrics.render()


async def test_supervise__node_misled_for_a_while__goes_on_and_is_no_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loops, "_FIRST_PAUSE_SECONDS", 0.001)
    passing: list[RackstreamError] = [
        NodeRefused("eth_call", -32_000, "header not found"),
        UndecodableAnswer("clusterCount()", b""),
        WrongChain(1, LOCAL_CHAIN_ID),
    ]
    is_working = asyncio.Event()

    async def misled() -> None:
        if passing:
            raise passing.pop()
        is_working.set()
        await asyncio.Event().wait()

    metrics = Metrics()
    work = asyncio.create_task(loops.supervise({"misled": misled}, metrics))
    await asyncio.wait_for(is_working.wait(), timeout=5)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert b'rackstream_loop_crashes_total{loop="misled"} 0.0' in metrics.render()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Malformed("x", 1, "y"), HTTPStatus.BAD_REQUEST),
        (Oversized("bytes", 2, 1), HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        (Backdated("atMs", 1, 2), HTTPStatus.UNPROCESSABLE_ENTITY),
        (BadSignature("no"), HTTPStatus.UNPROCESSABLE_ENTITY),
        (WrongAgent("g", "a", "b"), HTTPStatus.FORBIDDEN),
        (UnknownGpu("g", 1), HTTPStatus.NOT_FOUND),
        (SequenceReused(1, "0x"), HTTPStatus.CONFLICT),
        (ProposalRefused("differs", "x"), HTTPStatus.CONFLICT),
        (StoreUnavailable("x"), HTTPStatus.SERVICE_UNAVAILABLE),
        (GpuSetUnknown(1, "0x"), HTTPStatus.SERVICE_UNAVAILABLE),
        (ChainUnavailable("http://x", "y"), HTTPStatus.SERVICE_UNAVAILABLE),
        (ContractReverted("X", {}), HTTPStatus.BAD_GATEWAY),
        (RackstreamError("x"), HTTPStatus.INTERNAL_SERVER_ERROR),
    ],
    ids=lambda value: type(value).__name__,
)
def test_status_of__error__its_status(error: RackstreamError, status: HTTPStatus) -> None:
    assert problems.status_of(error) is status


def application(error: Exception) -> FastAPI:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(RequestLog)

    @app.get("/fails/{number}")
    async def fails(number: int) -> None:
        raise error

    return app


async def get(app: FastAPI, path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://reporter") as client:
        return await client.get(path, headers=headers)


async def test_problem__value_above_2_to_53__is_a_string() -> None:
    answer = await get(application(Oversized("bytes", 2**60, 5)), "/fails/1")
    assert answer.json() == {
        "type": "urn:rackstream:problem:oversized",
        "title": "Oversized",
        "status": 413,
        "detail": f"{2**60} bytes, at most 5 are allowed",
        "code": "oversized",
        "value": str(2**60),
        "limit": 5,
        "instance": "/fails/1",
        "requestId": answer.headers["x-request-id"],
    }


async def test_problem__passing__says_when_to_come_again() -> None:
    answer = await get(application(StoreUnavailable("gone")), "/fails/1")
    assert answer.headers["retry-after"] == "1"


async def test_problem__fault__tells_nothing_of_itself() -> None:
    answer = await get(application(ValueError("secret")), "/fails/1")
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal-error"
    assert "secret" not in answer.text


async def test_problem__wrong_parameter__names_it() -> None:
    answer = await get(application(ValueError()), "/fails/x")
    assert answer.status_code == 422
    assert answer.json()["value"] == "x"
    assert answer.json()["detail"].startswith("number:")


@pytest.mark.parametrize(("given", "is_taken"), [("abc-1", True), ("a" * 65, False)])
async def test_request_log__id_in_the_request__taken_up_to_its_length(
    given: str, is_taken: bool
) -> None:
    answer = await get(application(ValueError()), "/fails/x", **{"x-request-id": given})
    assert (answer.headers["x-request-id"] == given) == is_taken
    assert answer.headers["x-request-id"] == given[:64]


def test_listen__port_in_use__said_with_its_number() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken) as refusal:
            listen("127.0.0.1", port)
    assert refusal.value.value == port


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The least that a reporter needs."""
    monkeypatch.setenv("RACKSTREAM_CHAIN_ID", str(LOCAL_CHAIN_ID))
    monkeypatch.setenv("RACKSTREAM_RPC_URL", "http://127.0.0.1:8545")
    monkeypatch.setenv("RACKSTREAM_ORACLE_KEY", "0x" + "05" * 32)
    return monkeypatch


def test_load__peers__by_address(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RACKSTREAM_ORACLE_PEERS", f" {PEER.lower()}=http://a:1/ , ")
    environment.setenv("RACKSTREAM_CLOCK", "chain")
    settings = load(OracleSettings)
    assert settings.peers == {PEER: "http://a:1"}
    assert settings.clock is ClockKind.CHAIN
    assert "05" * 32 not in repr(settings)


def test_load__several_nodes__in_their_order(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RACKSTREAM_ORACLE_RPC_URL", "http://a:1/key, https://b,")
    assert load(OracleSettings).rpc_urls == ("http://a:1/key", "https://b")


@pytest.mark.parametrize("value", ["", "http://a,ws://b/secret"])
def test_load__wrong_node__named_and_not_shown(environment: pytest.MonkeyPatch, value: str) -> None:
    environment.setenv("RACKSTREAM_ORACLE_RPC_URL", value)
    with pytest.raises(ConfigurationError, match="RACKSTREAM_ORACLE_RPC_URL") as refusal:
        load(OracleSettings)
    assert "secret" not in refusal.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PEERS", "http://a:1"),
        ("PEERS", f"{PEER}=a:1"),
        ("PEERS", f"{PEER}=http://a,{PEER}=http://b"),
        ("PEERS", "0x12=http://a"),
        ("DATABASE_URL", "sqlite:///x"),
        ("DATABASE_URL", "postgresql://x"),
        ("DATABASE_URL", "postgresql+psycopg://u:p@h:x/d"),
        ("PORT", "65536"),
        ("POLL_MS", "1"),
        ("LOG_LEVEL", "loud"),
        ("CLOCK", "sundial"),
    ],
)
def test_load__wrong_value__named(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(f"RACKSTREAM_ORACLE_{name}", value)
    with pytest.raises(ConfigurationError, match=f"RACKSTREAM_ORACLE_{name}"):
        load(OracleSettings)


@pytest.mark.parametrize("chain_id", [1, 8453])
def test_signer__plain_key_off_the_local_chain__refused(
    environment: pytest.MonkeyPatch, chain_id: int
) -> None:
    environment.setenv("RACKSTREAM_ORACLE_CHAIN_ID", str(chain_id))
    settings = load(OracleSettings)
    with pytest.raises(KeyRefused):
        settings.signer(settings.chain_id)


def test_render__metrics__one_registry_a_process() -> None:
    first, second = Metrics(), Metrics()
    first.batch("stored", 5)
    assert b"rackstream_samples_total 5.0" in first.render()
    assert b"rackstream_samples_total 0.0" in second.render()
    assert json.dumps(first.render().decode())
