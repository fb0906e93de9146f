"""What a reporter's check sees of the chain: its registration, its money for reports."""

from __future__ import annotations

from typing import Final

from api.chain.client import ChainClient
from api.chain.contracts import ClusterRegistry, MetricsOracle
from api.checking.chain import gas_money
from api.checking.findings import Finding, bad, good
from api.domain.reports import quorum
from api.types import Address

MIN_REPORTS: Final = 24
"""A day of reports, should this reporter have to send every one."""

# Of a report with one cluster, and of each further one: contracts/oracle/README.md.
_REPORT_GAS: Final = 94_400
_CLUSTER_GAS: Final = 8_900


async def reporter(oracle: MetricsOracle, account: Address) -> Finding:
    """Whether the key is a reporter's."""
    reporters = await oracle.reporters()
    if account not in reporters:
        return bad(
            "reporter",
            f"{account} is none of the {len(reporters)} reporters; its operator registers it"
            " (`ape run register_reporter`), the oracle's admin takes it into the set",
        )
    return good(
        "reporter",
        f"{account} is number {reporters.index(account) + 1} of {len(reporters)};"
        f" {quorum(len(reporters))} have to sign",
    )


async def balance(
    client: ChainClient, registry: ClusterRegistry, account: Address, max_fee_per_gas: int
) -> Finding:
    """For how many reports the account's money is enough, now and at the highest price allowed."""
    clusters = max(await registry.cluster_count(), 1)
    return await gas_money(
        client,
        account,
        f"reports of {clusters} clusters",
        _REPORT_GAS + _CLUSTER_GAS * (clusters - 1),
        MIN_REPORTS,
        max_fee_per_gas,
    )
