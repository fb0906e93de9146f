"""What every command that replays a trace is told in the same way."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.money import parse_six_decimals

DEFAULT_TRACE = Path("../shared/data/gpu_duty_cycle.csv.gz")
DEFAULT_REQUESTS = Path("../shared/data/llm_requests_code.csv.gz")


def _price_of(context: click.Context, parameter: click.Parameter, text: str) -> int:
    try:
        return parse_six_decimals(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


price_option = click.option(
    "--price",
    "price_usd6",
    default="5.875",
    show_default=True,
    callback=_price_of,
    help="Dollars that customers pay for a leased GPU-hour that was busy: by default the lease"
    " price of $2.35 at 40 per cent utilisation.",
)
"""Gives `price_usd6`, in 10⁻⁶ dollars."""

requests_option = click.option(
    "--requests",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Requests to a language model that customers send again and pay by the inference: CSV or"
    f" CSV.gz with TIMESTAMP, ContextTokens, GeneratedTokens. Default: {DEFAULT_REQUESTS} if it is"
    " there, else a series that the project makes itself.",
)
"""Gives `requests`, a file or None."""
