"""An operator's signed prices for a model, and a server that runs it, in a gateway's fleet file."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import (
    SixDecimals,
    UtcTime,
    Wallet,
    account_option,
    cluster_option,
    command,
    open_record,
    say,
    signer,
)


@command
@account_option("the cluster's operator")
@cluster_option
@click.option("--model", required=True, help="Its name for customers.")
@click.option("--input", "input_", type=SixDecimals(), required=True, help="$ a million tokens.")
@click.option("--output", type=SixDecimals(), required=True, help="$ a million tokens.")
@click.option("--input-ceiling", type=SixDecimals(), help="Without room; default: the same.")
@click.option("--output-ceiling", type=SixDecimals(), help="Without room; default: the same.")
@click.option(
    "--model-owner",
    type=Wallet(),
    help="Who registered the model under that name, and gets its royalty.",
)
@click.option("--until", type=UtcTime(), required=True, help="When the quote ends.")
@click.option("--upstream", help="URL of a server that runs the model, to be added.")
@click.option("--upstream-model", help="The server's own name of the model.")
@click.option("--slots", type=click.IntRange(1, 100_000), default=64, show_default=True)
@click.option("--tokenizer", help="With which its usage is counted again: rackstream-ngram.")
@click.option(
    "--fleet", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file."
)
def cli(
    account: str | None,
    cluster_id: int,
    model: str,
    input_: int,
    output: int,
    input_ceiling: int | None,
    output_ceiling: int | None,
    model_owner: str | None,
    until: int,
    upstream: str | None,
    upstream_model: str | None,
    slots: int,
    tokenizer: str | None,
    fleet: Path,
    deployments: Path | None,
) -> None:
    """Sign prices for a model on a cluster, and put them into a gateway's fleet file.

    They stand in place of earlier ones of this cluster for this model. Between idle and without
    room a price goes from the first to the ceiling.
    """
    from ape import chain

    from api.domain.prices import Price, Quote
    from api.types import Address, ClusterId
    from scripts._lib import quotes

    system = open_record(deployments).system()
    asked = Quote(
        ClusterId(cluster_id),
        model,
        Price(input_, output),
        Price(
            input_ if input_ceiling is None else input_ceiling,
            output if output_ceiling is None else output_ceiling,
        ),
        int(chain.pending_timestamp),
        until,
        None if model_owner is None else Address(model_owner),
    )
    signed = quotes.sign(system, asked, signer(account))
    server = (
        None
        if upstream is None
        else quotes.Server(cluster_id, upstream, slots, {model: upstream_model or model}, tokenizer)
    )
    quotes.put(fleet, signed, server)
    say(quotes.in_words(signed))
