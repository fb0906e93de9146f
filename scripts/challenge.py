"""Dispute posted figures, or prove that a reporter signed two reports of one thing."""

from __future__ import annotations

from pathlib import Path

import click

from scripts._lib.commands import Wallet, account_option, command, open_record, say, signer

_NEEDED = {"hardware": (), "root": ("url",), "energy": ("url", "gpu")}


@command
@account_option("anybody; it is owed the reward")
@click.option(
    "--cluster", "cluster_id", type=click.IntRange(1, 2**32 - 1), help="Whose figures are wrong."
)
@click.option("--epoch", type=click.IntRange(1, 2**32 - 1), help="Hour of Unix time.")
@click.option("--statement", help="What is wrong and where the evidence is; costs a bond.")
@click.option(
    "--refute",
    type=click.Choice(list(_NEEDED)),
    help="Prove it to the chain: more energy than the hardware can draw; other figures than the"
    " report's root binds; less energy than one GPU drew.",
)
@click.option("--url", help="A reporter that has the proofs, as http://127.0.0.1:8080.")
@click.option("--gpu", help="UUID or id of the GPU that drew more.")
@click.option(
    "--evidence",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="An entry of a reporter's GET /v1/equivocations, as a file of JSON.",
)
@click.option("--pay", type=Wallet(), help="Pay this account what it is owed.")
def cli(
    account: str | None,
    cluster_id: int | None,
    epoch: int | None,
    statement: str | None,
    refute: str | None,
    url: str | None,
    gpu: str | None,
    evidence: Path | None,
    pay: str | None,
    deployments: Path | None,
) -> None:
    """Dispute posted figures within their window: by a --statement for the arbiter, with a bond, or
    by --refute, which the chain checks itself. Or prove by --evidence that a reporter signed two
    reports of a cluster in one round of an epoch."""
    from scripts._lib import disputes, reporters
    from scripts._lib.money import exact_dollars
    from scripts._lib.posted import Subject

    if sum(one is not None for one in (statement, refute, evidence, pay)) != 1:
        raise click.UsageError("one of --statement, --refute, --evidence and --pay")
    given = {"url": url, "gpu": gpu}
    needed = _NEEDED[refute] if refute is not None else ()
    if {name for name, value in given.items() if value is not None} != set(needed):
        raise click.UsageError("--url is for --refute root and energy, --gpu for energy")
    is_dispute = statement is not None or refute is not None
    if {cluster_id is not None, epoch is not None} != {is_dispute}:
        raise click.UsageError("--cluster and --epoch go with --statement and --refute")
    record = open_record(deployments)
    system = record.system()
    sender = signer(account)
    if evidence is not None:
        fault = reporters.prove(system, evidence.read_bytes(), sender)
        say(
            f"{fault.operator} loses {exact_dollars(fault.forfeited_usd6)};"
            f" {sender.address} is owed {exact_dollars(fault.reward_usd6)}"
        )
    elif pay is not None:
        say(f"{exact_dollars(disputes.pay(system, pay, sender))} paid to {pay}")
    elif cluster_id is not None and epoch is not None:
        start = record.deployment.contracts["MetricsOracle"].block
        subject = Subject(cluster_id, epoch, start)
        if statement is not None:
            disputes.challenge(system, subject, statement, sender)
        elif refute == "hardware":
            disputes.refute_by_hardware(system, subject, sender)
        elif gpu is None:
            disputes.refute_by_root(system, subject, str(url), sender)
        else:
            disputes.refute_by_energy(system, subject, str(url), gpu, sender)
        for line in disputes.in_words(system, subject):
            say(line)
