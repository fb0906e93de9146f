"""Which clusters serve which model, at which price, and which server is asked first.

The operator's file (`RACKSTREAM_GATEWAY_FLEET`) is JSON:

    {"quotes": [signed quote, …],                                   `ape run quote` writes these
     "upstreams": [{"clusterId": 1, "url": "http://…", "slots": 64,
                    "models": {"llama-3-70b": "meta-llama/Meta-Llama-3-70B"},
                    "tokenizer": "rackstream-ngram", "apiKeyFile": "/run/secrets/upstream"}]}

`models` gives each name that customers use the server's own. A server is asked in this order:

1. it has not just failed; its cluster is measured, and was available 95 % of its time or more;
2. what the request costs most there;
3. the share of its slots that is taken;
4. how long it took lately to begin an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.domain.codec import parse_json, parse_uint
from api.domain.eip712 import Eip712Domain
from api.domain.prices import BPS, Price, Quote, SignedQuote
from api.domain.tokens import count_tokens
from api.errors import (
    ConfigurationError,
    InvalidInput,
    NotAuthorised,
    UnknownModel,
    UpstreamUnavailable,
)
from api.gateway.metering import CountTokens, Usage
from api.gateway.upstream import Upstream
from api.types import UINT32_MAX, Address, ClusterId

MAX_SLOTS: Final = 100_000

TOKENIZERS: Final[Mapping[str, CountTokens]] = {"rackstream-ngram": count_tokens}


@dataclass(frozen=True, slots=True)
class Standing:
    """What the chain says of a cluster. `is_reliable`: measured, undisputed, mostly available."""

    is_live: bool
    is_reliable: bool


@dataclass(frozen=True, slots=True)
class Seat:
    """A model on one server of a cluster, as it can be asked for."""

    signed: SignedQuote
    upstream: Upstream
    upstream_model: str
    count: CountTokens | None

    @property
    def quote(self) -> Quote:
        return self.signed.quote

    @property
    def cluster_id(self) -> ClusterId:
        return self.quote.cluster_id


@dataclass(frozen=True, slots=True)
class Choice:
    """A seat at its price of this moment."""

    seat: Seat
    price: Price


class Fleet:
    """All seats. `standings` is kept up to date by whoever reads the chain."""

    def __init__(self, seats: Iterable[Seat]) -> None:
        self._by_model: dict[str, list[Seat]] = {}
        self._by_cluster: dict[ClusterId, list[Upstream]] = {}
        for seat in seats:
            self._by_model.setdefault(seat.quote.model, []).append(seat)
            servers = self._by_cluster.setdefault(seat.cluster_id, [])
            if seat.upstream not in servers:
                servers.append(seat.upstream)
        self.standings: dict[ClusterId, Standing] = {}

    @property
    def clusters(self) -> list[ClusterId]:
        return sorted(self._by_cluster)

    @property
    def models(self) -> Mapping[str, Sequence[Seat]]:
        return self._by_model

    @property
    def quotes(self) -> list[SignedQuote]:
        """Each once."""
        seats = (seat for of_model in self._by_model.values() for seat in of_model)
        return list(dict.fromkeys(seat.signed for seat in seats))

    def operators(self, cluster_id: ClusterId) -> set[Address]:
        """Whoever has signed the cluster's quotes."""
        return {one.operator for one in self.quotes if one.quote.cluster_id == cluster_id}

    def load_bps(self, cluster_id: ClusterId) -> int:
        """The share of a cluster's slots that is taken, in 1/10,000."""
        servers = self._by_cluster[cluster_id]
        taken = sum(min(server.in_flight, server.slots) for server in servers)
        return taken * BPS // sum(server.slots for server in servers)

    def choices(self, model: str, most: Usage, now: int) -> list[Choice]:
        """Where a request of at most so many tokens can be served, the best first.

        Raises:
            UnknownModel: Nobody here quotes it.
            UpstreamUnavailable: No quote is in force, no cluster is live or none has room.
        """
        seats = self._by_model.get(model)
        if seats is None:
            raise UnknownModel(model)
        time = asyncio.get_running_loop().time()
        ranked: list[tuple[tuple[bool, int, int, int], Choice]] = []
        for seat in seats:
            quote, server = seat.quote, seat.upstream
            standing = self.standings.get(seat.cluster_id)
            if standing is None or not standing.is_live:
                continue
            if not quote.valid_from <= now < quote.valid_until or server.in_flight >= server.slots:
                continue
            price = quote.price_at(self.load_bps(seat.cluster_id))
            rank = (
                server.is_away(time) or not standing.is_reliable,
                price.charge_up_usd6(most.input, most.output),
                server.in_flight * BPS // server.slots,
                server.latency_ms,
            )
            ranked.append((rank, Choice(seat, price)))
        if not ranked:
            raise UpstreamUnavailable(f"no server has room for {model!r} now")
        ranked.sort(key=lambda entry: entry[0])
        return [choice for _, choice in ranked]


def load_fleet(path: Path, domain: Eip712Domain) -> Fleet:
    """The fleet in the operator's file; each quote is signed by who it says.

    Raises:
        ConfigurationError: The file cannot be read, or something in it is wrong.
    """
    try:
        content = parse_json(path.read_bytes(), "fleet")
        quotes = [SignedQuote.from_json(entry) for entry in _listed(content, "quotes")]
        for quote in quotes:
            quote.require_signed(domain)
        seats = [seat for entry in _listed(content, "upstreams") for seat in _seats(entry, quotes)]
    except OSError as error:
        raise ConfigurationError(f"the fleet cannot be read: {error}") from None
    except (InvalidInput, NotAuthorised) as error:
        raise ConfigurationError(f"{path}: {error.message}") from None
    if not seats:
        raise ConfigurationError(f"{path}: no server with a model that is quoted")
    return Fleet(seats)


def _seats(entry: object, quotes: Sequence[SignedQuote]) -> list[Seat]:
    fields = _mapping(entry, "upstream")
    cluster_id = ClusterId(parse_uint(fields.get("clusterId"), "clusterId", UINT32_MAX))
    url, models = fields.get("url"), _mapping(fields.get("models"), "models")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise InvalidInput("an upstream's url begins with http:// or https://")
    slots = parse_uint(fields.get("slots"), "slots", MAX_SLOTS)
    if slots == 0:
        raise InvalidInput("an upstream has at least one slot")
    tokenizer = fields.get("tokenizer")
    if tokenizer is not None and tokenizer not in TOKENIZERS:
        raise InvalidInput(f"tokenizer {tokenizer!r} is unknown: {sorted(TOKENIZERS)} are known")
    server = Upstream(url.rstrip("/"), slots, _secret(fields.get("apiKeyFile")))
    found: list[Seat] = []
    for model, own in models.items():
        asked = [q for q in quotes if (q.quote.cluster_id, q.quote.model) == (cluster_id, model)]
        if not asked or not isinstance(own, str):
            raise InvalidInput(f"no quote of cluster {cluster_id} for {model!r}")
        quote = max(asked, key=lambda signed: signed.quote.valid_until)
        count = None if tokenizer is None else TOKENIZERS[tokenizer]
        found.append(Seat(quote, server, own, count))
    return found


def _secret(path: object) -> dict[str, str]:
    if path is None:
        return {}
    return {"authorization": f"Bearer {Path(str(path)).read_text(encoding='utf-8').strip()}"}


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(f"{name} is no object")
    return value


def _listed(content: object, name: str) -> list[object]:
    entries = _mapping(content, "fleet").get(name)
    if not isinstance(entries, list):
        raise InvalidInput(f"{name} is no list")
    return entries
