"""A gateway's fleet file: operators' signed quotes, and the servers behind them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ape import chain
from ape.api import AccountAPI
from eth_account.messages import encode_typed_data

from api.domain.prices import Quote, SignedQuote, gateway_domain
from api.domain.work import NO_MODEL
from api.types import Address, Signature
from scripts._lib import roles
from scripts._lib.deployment import DeploymentError, System
from scripts._lib.money import exact_dollars
from scripts._lib.times import utc


@dataclass(frozen=True)
class Server:
    """An inference server of a cluster; `models` gives each name of customers the server's own."""

    cluster_id: int
    url: str
    slots: int
    models: Mapping[str, str]
    tokenizer: str | None

    def to_json(self) -> dict[str, Any]:
        return {
            "clusterId": self.cluster_id,
            "url": self.url,
            "slots": self.slots,
            "models": dict(self.models),
            "tokenizer": self.tokenizer,
        }


def sign(system: System, quote: Quote, operator: AccountAPI) -> SignedQuote:
    """The quote with the operator's signature.

    Raises:
        DeploymentError: The account does not run the cluster, or declines to sign.
        ContractLogicError: Whom the quote names as the model's owner has not registered it.
    """
    role = roles.over(roles.OPERATOR, quote.cluster_id)
    if not system.authority.hasRole(role, operator).isMember:
        raise DeploymentError(
            f"{operator.address} is not the operator of cluster {quote.cluster_id}"
        )
    if quote.work.model_id != NO_MODEL:
        system.models.model(quote.work.model_id)
    domain = gateway_domain(int(chain.chain_id), Address(str(system.payments.address)))
    message = encode_typed_data(full_message=quote.message(domain).typed_data())
    signature = operator.sign_message(message)
    if signature is None:
        raise DeploymentError("the quote was not signed")
    raw = signature.r.rjust(32, b"\0") + signature.s.rjust(32, b"\0") + bytes([signature.v])
    signed = SignedQuote(quote, Address(str(operator.address)), Signature(raw))
    signed.require_signed(domain)
    return signed


def put(fleet: Path, signed: SignedQuote, server: Server | None) -> None:
    """Write a quote, and a server, into the file; those that they replace go."""
    content: dict[str, list[dict[str, Any]]] = (
        json.loads(fleet.read_text("utf-8")) if fleet.exists() else {"quotes": [], "upstreams": []}
    )
    place = (signed.quote.cluster_id, signed.quote.model)
    content["quotes"] = [
        one for one in content["quotes"] if (one["clusterId"], one["model"]) != place
    ] + [signed.to_json()]
    if server is not None:
        content["upstreams"] = [
            one
            for one in content["upstreams"]
            if (one["clusterId"], one["url"]) != (server.cluster_id, server.url)
        ] + [server.to_json()]
    fleet.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: a gateway may be starting.
    beside = fleet.with_suffix(".new")
    beside.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    beside.replace(fleet)


def in_words(signed: SignedQuote) -> str:
    """A quote in a line."""
    quote = signed.quote
    return (
        f"cluster {quote.cluster_id}, {quote.model}: {exact_dollars(quote.floor.input)} in and"
        f" {exact_dollars(quote.floor.output)} out a million tokens, up to"
        f" {exact_dollars(quote.ceiling.input)} and {exact_dollars(quote.ceiling.output)}"
        f" without room, until {utc(quote.valid_until)}"
        + ("" if quote.model_owner is None else f", with a royalty to {quote.model_owner}")
    )
