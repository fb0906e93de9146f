"""A remote signer over JSON-RPC: Web3Signer, a Clef proxy, Anvil.

Reports go as the typed data of EIP-712 and transactions field by field, so that the signer sees
what it signs and can have rules about it. It is not believed: every signature is recovered, and of
a transaction every field compared, before anything is used.

For typed data there are two names. Web3Signer knows `eth_signTypedData`, with the data as a string;
others know `eth_signTypedData_v4`. Both are tried until one has worked, and then that one alone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import httpx
import structlog

from api.chain.transactions import SignedTransaction, Transaction, require_signed
from api.domain.codec import parse_hex, parse_json
from api.domain.eip712 import TypedMessage
from api.domain.signing import require_signer
from api.errors import (
    BadSignature,
    InvalidInput,
    Malformed,
    SignerRefused,
    SignerUnavailable,
    SignerUntrue,
    Unavailable,
    host_of,
)
from api.types import Address, Signature

_log = structlog.get_logger(__name__)

MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
"""A signed report of ten thousand clusters is below a megabyte."""

_MAX_REASON_CHARS: Final = 200

# Of the two names of one thing, the first takes the data as a string.
_WITH_A_STRING: Final = "eth_signTypedData"
_TYPED_DATA_METHODS: Final = (_WITH_A_STRING, "eth_signTypedData_v4")


class RemoteSigner:
    """The account `address` of the signer at `url`, as a SigningAccount."""

    def __init__(self, url: str, address: Address, *, timeout_seconds: float) -> None:
        """`url` may hold a user and a password (HTTP Basic); they are never shown."""
        self.address = address
        self._host = host_of(url)
        self.place = f"the signer at {self._host}"
        parsed = httpx.URL(url)
        self._url = parsed.copy_with(userinfo=b"")
        self._timeout_seconds = timeout_seconds
        self._http = httpx.AsyncClient(
            auth=(parsed.username, parsed.password) if parsed.userinfo else None,
            timeout=timeout_seconds,
            follow_redirects=False,
            # It is asked now and then: a connection kept meanwhile may have died unnoticed.
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self._methods: tuple[str, ...] = _TYPED_DATA_METHODS
        self._away: Unavailable | None = None
        self._unsigned: Unavailable | None = None

    @property
    def failure(self) -> Unavailable | None:
        """Why it cannot be asked, or else why the last signature asked for was not had."""
        return self._away or self._unsigned

    async def sign(self, message: TypedMessage) -> Signature:
        """Raises SignerUnavailable, SignerRefused or SignerUntrue."""
        with self._noting(is_signing=True):
            return await self._sign(message)

    async def sign_transaction(self, transaction: Transaction) -> SignedTransaction:
        """Raises SignerUnavailable, SignerRefused or SignerUntrue."""
        with self._noting(is_signing=True):
            answer = await self._ask("eth_signTransaction", [transaction.request(self.address)])
            # Geth puts the fields beside the bytes.
            raw = answer.get("raw") if isinstance(answer, Mapping) else answer
            with self._comparing():
                return require_signed(transaction, _parse_bytes(raw), self.address)

    async def check(self) -> None:
        """Raises SignerUnavailable, or SignerRefused if it has no such account."""
        with self._noting(is_signing=False):
            accounts = await self._ask("eth_accounts", [])
            listed = accounts if isinstance(accounts, list) else []
            if self.address.lower() not in {str(account).lower() for account in listed}:
                raise SignerRefused(self._host, f"it has no account {self.address}")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _sign(self, message: TypedMessage) -> Signature:
        data = message.typed_data()
        refusals: list[str] = []
        for method in self._methods:
            as_sent = json.dumps(data) if method == _WITH_A_STRING else data
            try:
                answer = await self._ask(method, [self.address, as_sent])
            except SignerRefused as refusal:
                refusals.append(refusal.reason)
                continue
            with self._comparing():
                signature = _parse_signature(answer)
                require_signer(message.digest, signature, self.address)
            self._methods = (method,)
            return signature
        raise SignerRefused(self._host, "; ".join(refusals))

    async def _ask(self, method: str, parameters: Sequence[object]) -> Any:
        """The result of one request. Raises SignerUnavailable or SignerRefused."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        try:
            async with asyncio.timeout(self._timeout_seconds):
                status, content = await self._post(body)
        except TimeoutError:
            raise SignerUnavailable(
                self._host, f"no answer to {method} within {self._timeout_seconds} s"
            ) from None
        except httpx.HTTPError as error:
            raise SignerUnavailable(self._host, str(error) or type(error).__name__) from None
        try:
            answer = parse_json(content, "answer")
        except Malformed:
            answer = None
        # What Web3Signer refuses it refuses with a status of an error, too.
        refusal = answer.get("error") if isinstance(answer, Mapping) else None
        if isinstance(refusal, Mapping):
            raise SignerRefused(self._host, _shown(f"{method}: {refusal.get('message')}"))
        if not isinstance(answer, Mapping) or "result" not in answer:
            raise SignerUnavailable(
                self._host, f"its answer to {method}, with HTTP {status}, is none of JSON-RPC"
            )
        return answer["result"]

    async def _post(self, body: object) -> tuple[int, bytes]:
        async with self._http.stream("POST", self._url, json=body) as response:
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER_BYTES:
                    raise SignerUnavailable(self._host, f"more than {MAX_ANSWER_BYTES} bytes")
            return response.status_code, bytes(content)

    @contextmanager
    def _comparing(self) -> Iterator[None]:
        """Turn what does not fit into SignerUntrue."""
        try:
            yield
        except (InvalidInput, BadSignature) as error:
            raise SignerUntrue(self._host, _shown(error.message)) from None

    @contextmanager
    def _noting(self, *, is_signing: bool) -> Iterator[None]:
        """Note what came of it, and log when that changes what is known of the signer.

        What it did not sign stands against it until it signs: that it answers heals nothing.
        """
        before = self.failure
        try:
            yield
        except Unavailable as error:
            if is_signing and not isinstance(error, SignerUnavailable):
                self._away, self._unsigned = None, error
            else:
                self._away = error
            if before is None:
                _log.warning("signer lost", account=self.address, reason=error.message)
            raise
        self._away = None
        if is_signing:
            self._unsigned = None
        if before is not None and self.failure is None:
            _log.info("signer is back", account=self.address, signer=self._host)


def _parse_bytes(value: object) -> bytes:
    """Raises Malformed."""
    size = (len(value) - 2) // 2 if isinstance(value, str) else 0
    return parse_hex(value, "transaction", size)


def _parse_signature(value: object) -> Signature:
    """With v as 27 or 28, whatever the signer writes. Raises Malformed."""
    signature = parse_hex(value, "signature", 65)
    v = signature[64]
    return Signature(signature[:64] + bytes([v + 27 if v in (0, 1) else v]))


def _shown(reason: str) -> str:
    """What the signer said, as a log or a terminal can bear it."""
    cut = reason if len(reason) <= _MAX_REASON_CHARS else f"{reason[:_MAX_REASON_CHARS]}…"
    return "".join(character if character.isprintable() else "?" for character in cut)
