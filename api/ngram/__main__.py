"""`python -m api.ngram`: a small language model as a service, configured by RACKSTREAM_NGRAM_…

1. Read the settings, take the port, learn from the corpus.
2. Serve until SIGTERM or SIGINT.

Exit status: 0 stopped as told, 2 the settings do not allow a start.
"""

from __future__ import annotations

import signal
import sys

import structlog
import uvicorn

from api.clock import SystemClock
from api.errors import ConfigurationError, InvalidInput
from api.files import corpus
from api.ngram.answers import MODEL
from api.ngram.app import Service
from api.ngram.model import NgramModel
from api.serving import logs
from api.serving.listening import listen
from api.settings import NgramSettings, load

_log = structlog.get_logger("api.ngram")


def main() -> int:
    logs.configure("info")
    try:
        _serve(load(NgramSettings))
    except (ConfigurationError, InvalidInput) as error:
        _log.error("cannot start", code=error.code, error=error.message)
        return 2
    _log.info("stopped")
    return 0


def _serve(settings: NgramSettings) -> None:
    logs.configure(settings.log_level, model=MODEL)
    listening = listen(settings.host, settings.port)
    model = NgramModel(corpus(settings.corpus))
    service = Service(
        model,
        SystemClock(),
        tokens_per_second=settings.tokens_per_second,
        context_tokens=settings.context_tokens,
        seed=settings.seed,
    )
    server = uvicorn.Server(
        uvicorn.Config(
            service.app(),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
    )
    host, port = listening.getsockname()[:2]
    # The server raises a signal again when it has stopped, which would skip what is left to do.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    _log.info("listening", host=host, port=port, learned_tokens=model.learned)
    server.run(sockets=[listening])


if __name__ == "__main__":
    sys.exit(main())
