"""What a check sees of the chain: nodes, contracts, an account's money for gas, the time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from api.chain.client import ChainClient
from api.chain.contracts import Contract
from api.chain.deployments import Deployment
from api.checking.findings import Finding, bad, good, noted
from api.clock import SystemClock
from api.domain.codec import to_hex
from api.domain.eip712 import Eip712Domain
from api.domain.hashing import keccak256
from api.errors import RackstreamError, WrongChain
from api.types import Address

NODE_TIMEOUT_SECONDS: Final = 5.0

MAX_BLOCK_AGE_SECONDS: Final = 600
"""No chain that this runs on is without a block for so long: the node lags or the clock is fast."""

_GWEI: Final = 10**9
_ETHER: Final = 10**18


async def nodes(client: ChainClient, prefix: str) -> AsyncIterator[Finding]:
    """Each node: whether it answers, is of the right chain and has the newest blocks. The settings'
    names begin with `prefix`.
    """
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
            yield bad("node", f"{node.host}: {failure.message}; set {prefix}RPC_URL or _CHAIN_ID")
        elif is_one_usable:
            yield noted("node", f"{failure.message}; the others are asked")
        else:
            yield bad("node", f"{failure.message}; start it or set {prefix}RPC_URL")


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


async def signing(contract: Contract, own: Eip712Domain) -> Finding:
    """Whether the contract takes signatures of the kind that this version makes."""
    _, name, version, chain_id, verifying, _, _ = await contract.read_all("eip712Domain")
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


async def gas_money(
    client: ChainClient, account: Address, what: str, gas: int, least: int, max_fee_per_gas: int
) -> Finding:
    """For how many transactions of `what`, each of so much gas, the account's money is enough, now
    and at the highest price allowed (wei); `least` of them should be.
    """
    fees, newest = await client.fees(), await client.block()
    price = max(newest.base_fee + fees.max_priority_fee, 1)
    wei = await client.balance_of(account)
    text = (
        f"{wei / _ETHER:.4f} coins: {wei // (gas * price)} {what} at"
        f" {price / _GWEI:.3g} gwei a gas, {wei // (gas * max_fee_per_gas)} at the most allowed,"
        f" {max_fee_per_gas / _GWEI:.3g} gwei"
    )
    if wei < least * gas * price:
        return bad("balance", f"{text}; send {account} enough for {least}")
    if wei < least * gas * max_fee_per_gas:
        return noted("balance", f"{text}; fewer than {least} if gas becomes dear")
    return good("balance", text)


async def clock(client: ChainClient, *, uses_chain_clock: bool, max_lag_seconds: int) -> Finding:
    """This machine's time against that of the newest block, behind which it may lag by so much."""
    newest = await client.block()
    if uses_chain_clock:
        return good("clock", f"the newest block's, {newest.time}, as RACKSTREAM_CLOCK says")
    ahead = SystemClock().now() - newest.time
    if -ahead > max_lag_seconds:
        return bad(
            "clock",
            f"{-ahead} s behind the newest block, at most {max_lag_seconds} are allowed:"
            " set this machine's clock (NTP)",
        )
    if ahead > MAX_BLOCK_AGE_SECONDS:
        return bad(
            "clock",
            f"{ahead} s ahead of the newest block, at most {MAX_BLOCK_AGE_SECONDS} are allowed:"
            " the node is not synchronised, or this machine's clock is wrong",
        )
    return good("clock", f"{ahead} s ahead of the newest block")
