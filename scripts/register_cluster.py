"""Register a cluster with its share and open its funding."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import Wallet, account_option, command, open_record, say, signer


@command
@account_option("the registrar")
@click.option(
    "--file", "path", type=click.Path(dir_okay=False, path_type=Path), help="JSON or TOML."
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="FIELD=VALUE",
    help="A field of the file. Repeatable.",
)
@click.option("--issuer", type=Wallet(), help="Who issues its shares (instead of the file's).")
def cli(
    account: str | None,
    path: Path | None,
    changes: tuple[str, ...],
    issuer: str | None,
    deployments: Path | None,
) -> None:
    """Register a cluster with its share and open its funding.

    The file is described in scripts/README.md. A cluster that was registered with the same
    specification and issuer is taken up again where it was left.
    """
    from scripts._lib import cluster_file
    from scripts._lib.operations import register_cluster

    registrar = signer(account)
    cluster = cluster_file.read(path, changes)
    record = open_record(deployments, sources=True)
    who = issuer or cluster.issuer or str(registrar.address)
    result = register_cluster(record, record.system(), cluster, who, registrar)
    say(f"cluster {result.cluster_id}: share {result.share}, issuer {who}")
    say(f"done now: {', '.join(result.done)}" if result.done else "all of it was done before")
