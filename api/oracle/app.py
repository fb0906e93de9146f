"""The reporter as a web application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse

from api.oracle import schemas
from api.oracle.peer_routes import peers
from api.oracle.routes import BATCH_DEFINITIONS, agents, clusters, operations
from api.oracle.service import Reporter
from api.serving import problems
from api.serving.docs_page import render
from api.serving.logs import RequestLog

_log = structlog.get_logger(__name__)

_DESCRIPTION: Final = """
One of the independent reporters that measure Rackstream's GPU clusters.

**Agents** beside the GPUs sign samples and hand them to every reporter. When an hour (an *epoch*)
is over, the reporters agree on its figures: one proposes, the others compute everything anew from
the same samples and sign, or refuse. What more than two thirds have signed goes on chain. Samples
stay provable: a report here comes with the Merkle proofs that lead from a sample to what is on
chain.

Errors are problem documents (RFC 9457) with a stable `code`. Integers above 2^53 − 1 are strings;
times are Unix seconds, or milliseconds where the name ends in `Ms`; shares of a whole end in `Bps`
and are in 1/10,000. `X-Request-Id` is taken from the request, or made, and is in every log line.
"""

_TAGS: Final[list[dict[str, Any]]] = [
    {"name": "clusters", "description": "What was measured, and the proof of it."},
    {"name": "agents", "description": "For the GPU node agents."},
    {"name": "peers", "description": "For the other reporters."},
    {"name": "operations", "description": "For whoever runs the reporter."},
]


def create_app(reporter: Reporter, on_failure: Callable[[BaseException], None]) -> FastAPI:
    """The application; it runs `reporter` while it is up.

    `on_failure` is told if the reporter ends with an error: then the process should end as well.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        work = asyncio.create_task(reporter.run(), name="reporter")

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and task.exception() is not None:
                error = task.exception()
                assert error is not None
                on_failure(error)

        work.add_done_callback(ended)
        try:
            yield
        finally:
            work.cancel()
            await asyncio.wait([work])

    app = FastAPI(
        title="Rackstream reporter",
        version="1",
        summary="Signed samples in, agreed figures and proofs out.",
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        license_info={"name": "MIT", "identifier": "MIT"},
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # A path is right or not found: nobody is sent to where the Host header of a request says.
        redirect_slashes=False,
    )
    app.state.reporter = reporter
    for router in (clusters, agents, peers, operations):
        app.include_router(router)
    problems.install(app)
    app.add_middleware(RequestLog)
    _add_definitions(app)
    _add_docs(app)
    return app


def _add_docs(app: FastAPI) -> None:
    """FastAPI's own pages load their scripts from elsewhere; see `docs_page`."""

    @app.get("/docs", include_in_schema=False)
    async def get_docs() -> HTMLResponse:
        return HTMLResponse(render(app.openapi()))

    @app.get("/", include_in_schema=False)
    async def get_start() -> RedirectResponse:
        return RedirectResponse("/docs")


def _add_definitions(app: FastAPI) -> None:
    """Complete the documentation by what no endpoint returns as a model of its own."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        known = document.setdefault("components", {}).setdefault("schemas", {})
        known.update(BATCH_DEFINITIONS)
        problem = schemas.ProblemModel
        known[problem.__name__] = problem.model_json_schema(by_alias=True)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
