"""What `ape run status` shows: contracts held against the chain, powers, clusters, oracle."""

from __future__ import annotations

from collections import defaultdict

from rich.console import Console
from rich.table import Table

from scripts._lib import roles, views
from scripts._lib.events import newest_first
from scripts._lib.money import dollars, percent, shares
from scripts._lib.record import Finding, OtherLocalChain, Record

SYSTEM_ROLES = {
    roles.ADMIN_ROLE: "ADMIN",
    roles.REGISTRAR_ROLE: "REGISTRAR",
    roles.GUARDIAN_ROLE: "GUARDIAN",
    roles.KYC_PROVIDER_ROLE: "KYC_PROVIDER",
    roles.COMPLIANCE_ROLE: "COMPLIANCE",
    roles.ORACLE_ADMIN_ROLE: "ORACLE_ADMIN",
    roles.ARBITER_ROLE: "ARBITER",
    roles.CLUSTER_REGISTRY_ROLE: "CLUSTER_REGISTRY",
}
CLUSTER_POWERS = {roles.ISSUER: "ISSUER", roles.OPERATOR: "OPERATOR", roles.TRUSTEE: "TRUSTEE"}


def show(record: Record, output: Console | None = None) -> bool:
    """Print everything; whether the record agrees with the chain and the sources.

    Raises DeploymentMissing if nothing is on record, OtherLocalChain if nothing of it is there.
    """
    output = output or Console()
    record.system()
    if record.is_of_another_local_chain():
        raise OtherLocalChain(record.path, len(record.contracts()))
    findings = record.findings()
    _show_contracts(record, findings, output)
    for finding in findings:
        output.print(str(finding), style="red", markup=False, highlight=False)
    if any(finding.what == "code" for finding in findings):
        # Without its code there is nothing more that a contract could be asked.
        return False
    _show_powers(record, output)
    _show_oracle(record, output)
    _show_clusters(record, output)
    return not findings


def holders_of_roles(record: Record) -> dict[str, list[str]]:
    """Role → its holders now, as far as the Authority ever granted it, each asked of the chain."""
    authority = record.system().authority
    granted: defaultdict[int, list[str]] = defaultdict(list)
    for event in newest_first(
        "Authority",
        authority.address,
        ["RoleGranted"],
        from_block=record.deployment.contracts["Authority"].block,
    ):
        role, account = int(event.fields["roleId"]), str(event.fields["account"])
        if account not in granted[role]:
            granted[role].append(account)
    holders: dict[str, list[str]] = {}
    for role in sorted(granted):
        now = [account for account in granted[role] if authority.hasRole(role, account)[0]]
        if now:
            holders[role_name(role)] = now
    return holders


def role_name(role: int) -> str:
    """A role for people: a power over the system, or a power over one cluster."""
    power, cluster_id = role >> 32, role & roles.MAX_CLUSTER_ID
    if cluster_id and power in CLUSTER_POWERS:
        return f"{CLUSTER_POWERS[power]} of cluster {cluster_id}"
    return SYSTEM_ROLES.get(role, f"role {role}")


def _show_contracts(record: Record, findings: list[Finding], output: Console) -> None:
    table = Table(title=f"Chain {record.chain_id}: {record.path}", title_justify="left")
    for column in ("contract", "address", "block", "code", "sources"):
        table.add_column(column, overflow="fold")
    for key, entry in record.contracts().items():
        wrong = {finding.what for finding in findings if finding.key == key}
        table.add_row(
            key,
            str(entry.address),
            str(entry.block),
            "as recorded" if not wrong - {"source"} else "[red]differs[/red]",
            "as recorded" if "source" not in wrong else "[red]changed since[/red]",
        )
    output.print(table)
    if record.deployment.pending is not None:
        output.print("A deployment was interrupted: `ape run deploy` continues it.", style="yellow")


def _show_powers(record: Record, output: Console) -> None:
    table = Table(title="Powers", title_justify="left")
    table.add_column("power")
    table.add_column("held by")
    for name, accounts in holders_of_roles(record).items():
        table.add_row(name, "\n".join(accounts))
    output.print(table)


def _show_oracle(record: Record, output: Console) -> None:
    oracle = record.system().oracle
    reporters = [str(account) for account in oracle.reporters()]
    table = Table(title="Oracle", title_justify="left")
    table.add_column("what")
    table.add_column("is")
    table.add_row("reporters", "\n".join(reporters) or "none: `ape run register_reporter`")
    table.add_row("quorum", str(oracle.quorum()) if reporters else "–")
    table.add_row("dispute window", f"{oracle.disputeWindowSeconds()} s")
    output.print(table)


def _show_clusters(record: Record, output: Console) -> None:
    table = Table(title="Clusters", title_justify="left")
    for column in ("id", "status", "share"):
        table.add_column(column)
    for column in ("issued", "received", "escrowed", "holders", "a day", "availability", "reading"):
        table.add_column(column, justify="right")
    for view in views.read_clusters(record):
        income = views.read_income(record, view.cluster_id)
        table.add_row(
            str(view.cluster_id),
            view.status.name.capitalize(),
            view.symbol or "none",
            f"{shares(view.supply)} / {shares(view.authorised)}",
            dollars(income.received),
            dollars(income.escrowed),
            dollars(income.holders),
            dollars(view.usd6_per_day),
            percent(view.meters.available, view.meters.contracted),
            f"{view.meters.age_seconds:,} s" + (" stale" if view.meters.is_stale else ""),
        )
    output.print(table)
