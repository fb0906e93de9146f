"""The reporter as a web application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from fastapi import FastAPI

from api.oracle.peer_routes import peers
from api.oracle.routes import BATCH_DEFINITIONS, agents, clusters, operations
from api.oracle.service import Reporter
from api.serving.application import make_app

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

_TAGS: Final[list[Mapping[str, str]]] = [
    {"name": "clusters", "description": "What was measured, and the proof of it."},
    {"name": "agents", "description": "For the GPU node agents."},
    {"name": "peers", "description": "For the other reporters."},
    {"name": "operations", "description": "For whoever runs the reporter."},
]


def create_app(reporter: Reporter, on_failure: Callable[[BaseException], None]) -> FastAPI:
    """The application; it runs `reporter` while it is up.

    `on_failure` is told if the reporter ends with an error: then the process should end as well.
    """
    app = make_app(
        run=reporter.run,
        on_failure=on_failure,
        title="Rackstream reporter",
        summary="Signed samples in, agreed figures and proofs out.",
        description=_DESCRIPTION,
        tags=_TAGS,
        routers=(clusters, agents, peers, operations),
        definitions=BATCH_DEFINITIONS,
    )
    app.state.reporter = reporter
    return app
