"""The other reporters over HTTP. Nothing they say is believed unless it is signed or recomputed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import httpx

from api.domain.codec import parse_hex, parse_json, to_hex
from api.errors import Malformed, PeerUnavailable, ProposalRefused
from api.oracle.proposals import MAX_PROPOSAL_BYTES, parse_ids
from api.types import MAX_BATCH_BYTES, Address, ClusterId, Digest, Epoch, Signature

# A manifest is the largest thing that a peer is asked for.
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024

MAX_CLUSTERS_ASKED: Final = 256
"""In one request for batches: its address stays below the 8 KiB that proxies let pass."""


class Peer:
    """One other reporter."""

    def __init__(self, address: Address, url: str, client: httpx.AsyncClient) -> None:
        self.address = address
        self.url = url.rstrip("/")
        self._client = client

    async def batch_ids(self, clusters: Collection[ClusterId], epoch: Epoch) -> tuple[Digest, ...]:
        """The batches that the peer would compute the epoch from, of all the clusters, which are at
        most MAX_CLUSTERS_ASKED."""
        answer = await self._json(
            f"/v1/peer/epochs/{epoch}/batches", {"clusterId": [str(one) for one in clusters]}
        )
        ids = answer.get("batchIds")
        if not isinstance(ids, list):
            raise Malformed("batchIds", ids, "a list")
        return parse_ids(ids)

    async def batch(self, batch_id: Digest) -> bytes:
        """A batch as its agent signed it."""
        return await self._get(f"/v1/peer/batches/{to_hex(batch_id)}", limit=MAX_BATCH_BYTES)

    async def manifest(self, cluster_id: ClusterId, root: Digest) -> bytes:
        """The manifest of a GPU set."""
        return await self._get(f"/v1/clusters/{cluster_id}/gpus", {"root": to_hex(root)})

    async def signed(self, reporter_set_id: int, epoch: Epoch) -> list[Mapping[str, Any]]:
        """What the peer signed for an epoch, as it tells it: to be checked."""
        answer = await self._json(
            f"/v1/peer/epochs/{epoch}/signatures", {"reporterSetId": str(reporter_set_id)}
        )
        entries = answer.get("signatures")
        if not isinstance(entries, list) or not all(isinstance(e, Mapping) for e in entries):
            raise Malformed("signatures", entries, "a list of objects")
        return entries

    async def claims(self, reporter_set_id: int, epoch: Epoch) -> list[Mapping[str, Any]]:
        """What the peer heard that reporters signed for an epoch, as it tells it: to be checked."""
        answer = await self._json(
            f"/v1/peer/epochs/{epoch}/claims", {"reporterSetId": str(reporter_set_id)}
        )
        entries = answer.get("claims")
        if not isinstance(entries, list) or not all(isinstance(e, Mapping) for e in entries):
            raise Malformed("claims", entries, "a list of objects")
        return entries

    async def proposal(self, root: Digest) -> bytes:
        """The clusters of the proposal with this root, as JSON."""
        return await self._get(f"/v1/peer/proposals/{to_hex(root)}", limit=MAX_PROPOSAL_BYTES)

    async def propose(self, body: bytes) -> Signature:
        """Ask for a signature. Raises ProposalRefused with the reason, or PeerUnavailable."""
        try:
            response = await self._client.post(self.url + "/v1/peer/proposals", content=body)
        except httpx.HTTPError as error:
            raise self._unavailable(error) from error
        answer = parse_json(response.content, "answer")
        if not isinstance(answer, Mapping):
            raise Malformed("answer", answer, "an object")
        if response.status_code == httpx.codes.OK:
            return Signature(parse_hex(answer.get("signature"), "signature", 65))
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise PeerUnavailable(self.address, str(answer.get("detail", response.status_code)))
        raise ProposalRefused(
            str(answer.get("reason", answer.get("code", "unknown"))),
            str(answer.get("detail", response.status_code)),
            value=answer.get("value"),
            limit=answer.get("limit"),
            is_passing=answer.get("isPassing") is True,
        )

    async def _json(
        self, path: str, parameters: Mapping[str, str | Sequence[str]] | None = None
    ) -> Mapping[str, Any]:
        answer = parse_json(await self._get(path, parameters), "answer")
        if not isinstance(answer, Mapping):
            raise Malformed("answer", answer, "an object")
        return answer

    async def _get(
        self,
        path: str,
        parameters: Mapping[str, str | Sequence[str]] | None = None,
        *,
        limit: int = MAX_ANSWER_BYTES,
    ) -> bytes:
        try:
            async with self._client.stream("GET", self.url + path, params=parameters) as response:
                if response.status_code != httpx.codes.OK:
                    raise PeerUnavailable(self.address, f"{path}: HTTP {response.status_code}")
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > limit:
                        raise PeerUnavailable(self.address, f"{path}: more than {limit} bytes")
                return bytes(body)
        except httpx.HTTPError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: httpx.HTTPError) -> PeerUnavailable:
        return PeerUnavailable(self.address, str(error) or type(error).__name__)


def connect(
    urls: Mapping[Address, str], own: Address, timeout_seconds: float
) -> tuple[httpx.AsyncClient, dict[Address, Peer]]:
    """A client for all peers, to be closed by the caller, and the peers by address."""
    client = httpx.AsyncClient(timeout=timeout_seconds, follow_redirects=False)
    return client, {
        address: Peer(address, url, client) for address, url in urls.items() if address != own
    }


def among(peers: Mapping[Address, Peer], reporters: Collection[Address]) -> list[Peer]:
    """The peers that are reporters now and of which an address is known."""
    return [peers[address] for address in reporters if address in peers]
