"""Tokenise a GPU cluster, measure it, pay it by the inference, stream its income; on real traces.

`make demo` runs it. Everything is real and local: a chain, a database, four reporters, the GPU node
agents, a gateway and a language model's server, each a process of its own. It ends with tables, a
chart, a summary for programs, and exit status 0 only if every equation that it states holds.
"""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.replay_options import (
    DEFAULT_REQUESTS,
    DEFAULT_TRACE,
    price_option,
    requests_option,
)

DEFAULT_OUTPUT = Path("out/demo")


@click.command()
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"CSV or CSV.gz with value, timestamp_anon, container_ip. Default: {DEFAULT_TRACE} if it"
    " is there, else a series that the project makes itself.",
)
@click.option(
    "--epochs", type=click.IntRange(min=1), help="Replay only so many hours of the trace."
)
@requests_option
@click.option(
    "--requests-an-hour",
    "an_hour",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="How many of them each replayed hour has, on average; taken evenly from the file.",
)
@price_option
@click.option(
    "--out",
    "output",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_OUTPUT,
    show_default=True,
    help="Folder for logs, chart and summary; one demo at a time in it.",
)
def cli(
    trace: Path | None,
    epochs: int | None,
    requests: Path | None,
    an_hour: int,
    price_usd6: int,
    output: Path,
) -> None:
    """Tokenise a GPU cluster, measure it, pay it by the inference, stream income to its holders."""
    from scripts._lib.demonstration import Demand, run

    if trace is None and DEFAULT_TRACE.exists():
        trace = DEFAULT_TRACE
    if requests is None and DEFAULT_REQUESTS.exists():
        requests = DEFAULT_REQUESTS
    raise SystemExit(run(Demand(trace, requests, epochs, an_hour, price_usd6), output))


if __name__ == "__main__":
    cli()
