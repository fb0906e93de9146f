"""Follow one paid request's dollars: to whom, by which transactions, and where they are now."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import command, open_record, say


@command
@click.option("--receipt", "receipt_id", metavar="ID", help="From the answer's header Receipt-Id.")
@click.option("--gateway", "url", metavar="URL", help="Whose it is, as http://127.0.0.1:8090.")
@click.option(
    "--file",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A receipt that was kept as the gateway told it, instead of both.",
)
@click.option("--json", "as_json", is_flag=True, help="Say it as JSON, amounts as fractions.")
def cli(
    receipt_id: str | None,
    url: str | None,
    path: Path | None,
    as_json: bool,
    deployments: Path | None,
) -> None:
    """Follow one paid request's dollars over the chain, to the newest block.

    The gateway is believed nothing: signature, proof and everything after it are checked.
    """
    import json

    from scripts._lib import following
    from scripts._lib.console import standard_output

    if path is not None and receipt_id is None and url is None:
        proven = following.read(path)
    elif path is None and receipt_id is not None and url is not None:
        proven = following.fetch(url, receipt_id)
    else:
        raise click.UsageError("name --receipt and --gateway, or --file")
    way = following.follow(open_record(deployments), proven)
    if as_json:
        say(json.dumps(way.to_json(), indent=2))
        return
    output = standard_output()
    for table in following.tables(way):
        output.print(table)
