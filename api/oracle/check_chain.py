"""What a check sees of the chain: nodes, contracts, the reporter's account, the time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from api.chain.client import ChainClient
from api.chain.contracts import ClusterRegistry, MetricsOracle
from api.chain.deployments import Deployment
from api.clock import SystemClock
from api.domain.codec import to_hex
from api.domain.eip712 import oracle_domain
from api.domain.hashing import keccak256
from api.domain.reports import quorum
from api.errors import RackstreamError, WrongChain
from api.oracle.findings import Finding, bad, good, noted
from api.oracle.health import MAX_CLOCK_LAG_SECONDS
from api.types import Address

MIN_REPORTS: Final = 24
"""A day of reports, should this reporter have to send every one."""

MAX_BLOCK_AGE_SECONDS: Final = 600
"""No chain that this runs on is without a block for so long: the node lags or the clock is fast."""

# Of a report with one cluster, and of each further one: contracts/oracle/README.md.
_REPORT_GAS: Final = 94_400
_CLUSTER_GAS: Final = 8_900

_GWEI: Final = 10**9
_ETHER: Final = 10**18


async def nodes(client: ChainClient) -> AsyncIterator[Finding]:
    """Each node: whether it answers, is of the right chain and has the newest blocks."""
    try:
        await client.check()
        is_one_usable = True
    except RackstreamError:
        is_one_usable = False
    for node in client.nodes:
        failure = node.failure
        if failure is None:
            yield good("node", f"{node.host} serves chain {client.chain_id}, as it should")
        elif isinstance(failure, WrongChain):
            yield bad(
                "node",
                f"{node.host}: {failure.message}; set RACKSTREAM_ORACLE_RPC_URL or _CHAIN_ID",
            )
        elif is_one_usable:
            yield noted("node", f"{failure.message}; the others are asked")
        else:
            yield bad("node", f"{failure.message}; start it or set RACKSTREAM_ORACLE_RPC_URL")


async def contracts(client: ChainClient, deployment: Deployment) -> AsyncIterator[Finding]:
    """Whether the contracts on record are on chain, with the code that was deployed."""
    records = dict(deployment.contracts)
    records |= {f"ClusterShare of cluster {n}": share for n, share in deployment.shares.items()}
    as_recorded = 0
    for name, record in records.items():
        code = await client.code_at(record.address)
        if not code:
            yield bad(
                "contracts",
                f"{name}: no code at {record.address}; is the record of another chain, or the node"
                f" behind block {record.block}?",
            )
        elif to_hex(keccak256(code)) != record.code_hash:
            yield bad(
                "contracts",
                f"{name} at {record.address} has other code than was deployed: its hash is"
                f" {to_hex(keccak256(code))}, on record is {record.code_hash}",
            )
        else:
            as_recorded += 1
    if as_recorded == len(records):
        yield good("contracts", f"all {as_recorded} on record have the code that was deployed")
    if deployment.pending is not None:
        yield noted("contracts", "a deployment is under way, or died: `ape run deploy` goes on")


async def signing(oracle: MetricsOracle) -> Finding:
    """Whether the contract takes signatures of the kind that this version makes."""
    _, name, version, chain_id, verifying, _, _ = await oracle.read_all("eip712Domain")
    own = oracle_domain(oracle.client.chain_id, oracle.address)
    if (name, version, chain_id, Address(verifying)) == (
        own.name,
        own.version,
        own.chain_id,
        own.verifying_contract,
    ):
        return good("signing", f"the contract expects signatures for {own.name} {own.version}")
    return bad(
        "signing",
        f"the contract expects signatures for {name} {version} on chain {chain_id}, this version"
        f" makes them for {own.name} {own.version} on chain {own.chain_id}: run the one that fits",
    )


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
    gas = _REPORT_GAS + _CLUSTER_GAS * (clusters - 1)
    fees, newest = await client.fees(), await client.block()
    price = max(newest.base_fee + fees.max_priority_fee, 1)
    wei = await client.balance_of(account)
    text = (
        f"{wei / _ETHER:.4f} coins: {wei // (gas * price)} reports of {clusters} clusters at"
        f" {price / _GWEI:.3g} gwei a gas, {wei // (gas * max_fee_per_gas)} at the most allowed,"
        f" {max_fee_per_gas / _GWEI:.3g} gwei"
    )
    if wei < MIN_REPORTS * gas * price:
        return bad("balance", f"{text}; send {account} enough for {MIN_REPORTS}")
    if wei < MIN_REPORTS * gas * max_fee_per_gas:
        return noted("balance", f"{text}; fewer than {MIN_REPORTS} if gas becomes dear")
    return good("balance", text)


async def clock(client: ChainClient, *, uses_chain_clock: bool) -> Finding:
    """This machine's time against that of the newest block."""
    newest = await client.block()
    if uses_chain_clock:
        return good("clock", f"the newest block's, {newest.time}, as RACKSTREAM_CLOCK says")
    ahead = SystemClock().now() - newest.time
    if -ahead > MAX_CLOCK_LAG_SECONDS:
        return bad(
            "clock",
            f"{-ahead} s behind the newest block, at most {MAX_CLOCK_LAG_SECONDS} are allowed:"
            " set this machine's clock (NTP)",
        )
    if ahead > MAX_BLOCK_AGE_SECONDS:
        return bad(
            "clock",
            f"{ahead} s ahead of the newest block, at most {MAX_BLOCK_AGE_SECONDS} are allowed:"
            " the node is not synchronised, or this machine's clock is wrong",
        )
    return good("clock", f"{ahead} s ahead of the newest block")
