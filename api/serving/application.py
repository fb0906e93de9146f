"""A service as a web application: problems, logs, documentation, and its work beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse

from api.serving import problems
from api.serving.docs_page import render
from api.serving.documented import ProblemModel
from api.serving.logs import RequestLog


def make_app(
    *,
    run: Callable[[], Awaitable[None]],
    on_failure: Callable[[BaseException], None],
    title: str,
    summary: str,
    description: str,
    tags: Sequence[Mapping[str, str]],
    routers: Sequence[APIRouter],
    definitions: Mapping[str, Any],
) -> FastAPI:
    """The application; it runs `run` while it is up.

    `on_failure` is told if that ends with an error: then the process should end as well.
    `definitions` are schemas that no endpoint returns as a model of its own.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        work = asyncio.ensure_future(run())

        def ended(task: asyncio.Future[None]) -> None:
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
        title=title,
        version="1",
        summary=summary,
        description=description,
        openapi_tags=[dict(tag) for tag in tags],
        license_info={"name": "MIT", "identifier": "MIT"},
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # A path is right or not found: nobody is sent to where the Host header of a request says.
        redirect_slashes=False,
    )
    for router in routers:
        app.include_router(router)
    problems.install(app)
    app.add_middleware(RequestLog)
    _add_definitions(app, definitions)
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


def _add_definitions(app: FastAPI, definitions: Mapping[str, Any]) -> None:
    """Complete the documentation by what no endpoint returns as a model of its own."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        known = document.setdefault("components", {}).setdefault("schemas", {})
        known.update(definitions)
        known[ProblemModel.__name__] = ProblemModel.model_json_schema(by_alias=True)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
