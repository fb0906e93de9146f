"""What endpoints have in common: bodies read within limits, error answers in the documentation."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.requests import ClientDisconnect

from api.errors import Malformed, Oversized
from api.serving.problems import MEDIA_TYPE


class Model(BaseModel):
    """An answer: its fields stand in JSON in camelCase."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class ProblemModel(Model):
    """RFC 9457. `code` is stable; `value` offended, `limit` is what it broke."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:rackstream:problem:in-the-future"])
    title: str = Field(examples=["In the future"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["atMs is 1700003700000, later than 1700003660000 by the clock"])
    code: str = Field(examples=["in-the-future"])
    value: object = Field(None, examples=[1700003700000])
    limit: object = Field(None, examples=[1700003660000])
    instance: str = Field(examples=["/v1/samples"])


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documented error answers of an endpoint."""
    problem = {"schema": {"$ref": f"#/components/schemas/{ProblemModel.__name__}"}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: problem}}
        for status in statuses
    }


def documents(media_type: str, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documented answers of an endpoint that returns text of another's making."""
    return {200: {"content": {media_type: {}}}} | problems(*statuses)


async def read_body(request: Request, limit: int) -> bytes:
    """The request's body.

    Raises Oversized before anything is read if the announced length is above `limit`, and as soon
    as more than that has come if none was announced; Malformed if it ends before its end.
    """
    announced = request.headers.get("content-length")
    if announced is not None:
        if not announced.isdecimal():
            raise Malformed("Content-Length", announced, "a number")
        if int(announced) > limit:
            raise Oversized("bytes", int(announced), limit)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise Oversized("bytes", len(body), limit)
    except ClientDisconnect:
        raise Malformed("body", None, "a whole body") from None
    return bytes(body)
