"""Keep a chain, a database, reporters, replaying agents and a gateway up; Ctrl-C ends all of them.

`make up` runs it. It starts from nothing each time, a few hours ago, and catches up with now.
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


@click.command()
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="What the agents replay; as for the demo.",
)
@click.option(
    "--rpc-url", envvar="RPC_URL", help="A local chain that runs already, instead of anvil."
)
@click.option(
    "--database-url",
    envvar="DATABASE_URL",
    help="A PostgreSQL server, instead of the embedded one.",
)
@click.option(
    "--anvil-port", envvar="ANVIL_PORT", type=click.IntRange(1, 65_535), default=8545,
    show_default=True,
)  # fmt: skip
@click.option(
    "--reporter-port", envvar="REPORTER_PORT", type=click.IntRange(1, 65_532), default=8101,
    show_default=True, help="The first reporter's; the others take the next three.",
)  # fmt: skip
@click.option(
    "--gateway-port", envvar="GATEWAY_PORT", type=click.IntRange(1, 65_534), default=8201,
    show_default=True, help="The language model's server takes the next one.",
)  # fmt: skip
@requests_option
@price_option
@click.option(
    "--out",
    "output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/up"),
    show_default=True,
    help="Folder for logs and state.",
)
@click.option(
    "--deployments",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("deployments"),
    show_default=True,
    help="Folder of the deployment records.",
)
def cli(
    trace: Path | None,
    requests: Path | None,
    rpc_url: str | None,
    database_url: str | None,
    anvil_port: int,
    reporter_port: int,
    gateway_port: int,
    price_usd6: int,
    output: Path,
    deployments: Path,
) -> None:
    """Keep a chain, a database, reporters, replaying agents and a gateway up until Ctrl-C."""
    from rich.console import Console

    from scripts._lib.command_failures import failure_words
    from scripts._lib.processes import stopped_by_signals
    from scripts._lib.standing import Options, stand
    from scripts._lib.workspace import Workspace

    if trace is None and DEFAULT_TRACE.exists():
        trace = DEFAULT_TRACE
    if requests is None and DEFAULT_REQUESTS.exists():
        requests = DEFAULT_REQUESTS
    options = Options(
        trace=trace,
        requests=requests,
        rpc_url=rpc_url,
        database_url=database_url,
        anvil_port=anvil_port,
        reporter_port=reporter_port,
        gateway_port=gateway_port,
        price_usd6=price_usd6,
        workspace=Workspace(output.resolve()),
        deployments=deployments.resolve(),
    )
    try:
        with stopped_by_signals():
            stand(options, Console())
    except KeyboardInterrupt:
        click.echo("ended; nothing is left running")
    except Exception as error:
        words = failure_words(error)
        if words is None:
            raise
        raise click.ClickException(words) from error


if __name__ == "__main__":
    cli()
