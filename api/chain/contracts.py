"""One typed wrapper a contract: what services read from the chain and hand to it.

Each method is one `eth_call` (or, where it says so, the calldata of a transaction), named as the
contract's function. Reverts arrive as ContractReverted with the contract's own error and values.
`block` lets several reads see one state; it is a block number or `latest`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise
from typing import Any, ClassVar

from api.chain.abi import ContractAbi, contract_abi
from api.chain.client import ChainClient
from api.chain.views import (
    AccountState,
    Attestation,
    Channel,
    Cluster,
    ClusterSpec,
    ClusterStatus,
    Log,
    MeterReading,
    PayerAccount,
    PostedCall,
    ReportHeader,
    ReportRecord,
    StreamState,
    TrancheState,
    WaterfallState,
    cluster_spec,
)
from api.domain.codec import to_address
from api.domain.eip712 import address_word
from api.domain.eip3009 import Authorization, ExactPayment
from api.domain.refunds import VALID_BEFORE, RefundAuthorization
from api.domain.vouchers import Lock
from api.domain.work import Work
from api.types import Address, ClusterId

At = int | str
_OPERATOR = 65

# The form whose signature is bytes; the other takes r, s and v apart.
_TRANSFER_WITH_AUTHORIZATION = (
    "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)"
)

ZERO_ADDRESS = Address("0x0000000000000000000000000000000000000000")


@dataclass(frozen=True, slots=True)
class DecodedEvent:
    """An event with its fields by name, and where it is on the chain."""

    name: str
    fields: dict[str, Any]
    log: Log


class Contract:
    """A deployed contract: its ABI, an address, and the node to ask."""

    ABI: ClassVar[str]

    def __init__(self, client: ChainClient, address: Address) -> None:
        self.client = client
        self.address = address
        self.abi: ContractAbi = contract_abi(self.ABI)

    def encode(self, function: str, *arguments: object) -> bytes:
        """Calldata for a function."""
        return self.abi.functions[function].encode(arguments)

    async def read(self, function: str, *arguments: object, block: At = "latest") -> Any:
        """What a view function returns: the value itself if it is one, else a tuple."""
        values = await self.read_all(function, *arguments, block=block)
        return values[0] if len(values) == 1 else values

    async def read_all(
        self, function: str, *arguments: object, block: At = "latest"
    ) -> tuple[Any, ...]:
        """All values that a view function returns."""
        known = self.abi.functions[function]
        answer = await self.client.call(self.address, known.encode(arguments), block=block)
        return known.decode(answer)

    async def events(
        self,
        names: Sequence[str],
        *,
        from_block: int,
        to_block: At = "latest",
        first_indexed: Sequence[bytes] = (),
    ) -> list[DecodedEvent]:
        """Events of these names, oldest first; `first_indexed` narrows the first indexed field."""
        by_topic = {self.abi.events[name].topic: self.abi.events[name] for name in names}
        topics: list[bytes | Sequence[bytes] | None] = [list(by_topic)]
        if first_indexed:
            topics.append(list(first_indexed))
        logs = await self.client.logs(
            addresses=[self.address], topics=topics, from_block=from_block, to_block=to_block
        )
        return [self._decoded(log) for log in logs if log.topics[0] in by_topic]

    def decode_logs(self, logs: Sequence[Log]) -> list[DecodedEvent]:
        """This contract's events among the logs of a receipt."""
        known = {event.topic for event in self.abi.events.values()}
        return [
            self._decoded(log)
            for log in logs
            if log.address.lower() == self.address.lower() and log.topics[0] in known
        ]

    def _decoded(self, log: Log) -> DecodedEvent:
        event = next(e for e in self.abi.events.values() if e.topic == log.topics[0])
        return DecodedEvent(event.name, event.decode(log.topics, log.data), log)


class ClusterRegistry(Contract):
    """contracts/registry/interfaces/IClusterRegistry.sol."""

    ABI = "ClusterRegistry"

    async def cluster_count(self, *, block: At = "latest") -> int:
        return int(await self.read("clusterCount", block=block))

    async def cluster(self, cluster_id: int, *, block: At = "latest") -> Cluster:
        status, first, last, authorised, share = await self.read("cluster", cluster_id, block=block)
        return Cluster(
            ClusterStatus(status),
            first,
            last,
            authorised,
            None if share == ZERO_ADDRESS else share,
        )

    async def epoch_range(self, cluster_id: int, *, block: At = "latest") -> tuple[int, int]:
        first, last = await self.read_all("epochRange", cluster_id, block=block)
        return first, last

    async def spec_at(
        self, cluster_id: int, epoch: int, *, block: At = "latest"
    ) -> tuple[ClusterSpec, int]:
        """The specification in force in `epoch` and the epoch from which it acts."""
        spec, from_epoch = await self.read_all("specAt", cluster_id, epoch, block=block)
        return cluster_spec(spec), from_epoch

    async def scheduled_spec(
        self, cluster_id: int, *, block: At = "latest"
    ) -> tuple[ClusterSpec, int] | None:
        """The scheduled specification and the epoch from which it acts; None if there is none."""
        spec, from_epoch = await self.read_all("scheduledSpec", cluster_id, block=block)
        return (cluster_spec(spec), from_epoch) if from_epoch else None


class MetricsOracle(Contract):
    """contracts/oracle/interfaces/IMetricsOracle.sol."""

    ABI = "MetricsOracle"

    async def reading(self, cluster_id: int, *, block: At = "latest") -> MeterReading:
        return MeterReading(*await self.read("reading", cluster_id, block=block))

    async def next_epoch(self, cluster_id: int, *, block: At = "latest") -> int:
        return int(await self.read("nextEpoch", cluster_id, block=block))

    async def resolved_epoch(self, cluster_id: int, *, block: At = "latest") -> int:
        return int(await self.read("resolvedEpoch", cluster_id, block=block))

    async def age_seconds(self, cluster_id: int, *, block: At = "latest") -> int:
        return int(await self.read("ageSeconds", cluster_id, block=block))

    async def is_stale(self, cluster_id: int, *, block: At = "latest") -> bool:
        return bool(await self.read("isStale", cluster_id, block=block))

    async def is_disputed(self, cluster_id: int, *, block: At = "latest") -> bool:
        return bool(await self.read("isDisputed", cluster_id, block=block))

    async def report(self, root: bytes, *, block: At = "latest") -> ReportRecord:
        return ReportRecord(*await self.read("report", root, block=block))

    async def reporters(self, *, block: At = "latest") -> tuple[Address, ...]:
        """The reporters in the chain's order, which is the order in which they propose."""
        return tuple(await self.read("reporters", block=block))

    async def reporter_set_id(self, *, block: At = "latest") -> int:
        return int(await self.read("reporterSetId", block=block))

    async def quorum(self, *, block: At = "latest") -> int:
        return int(await self.read("quorum", block=block))

    async def dispute_window_seconds(self, *, block: At = "latest") -> int:
        return int(await self.read("disputeWindowSeconds", block=block))

    async def reporter_set_until(self, set_id: int, *, block: At = "latest") -> int:
        """The Unix second from which reports of a set do not count."""
        return int(await self.read("reporterSetUntil", set_id, block=block))

    async def report_digest(self, header: ReportHeader, figures: Sequence[int]) -> bytes:
        """The digest that a reporter signs, computed by the contract."""
        return bytes(await self.read("reportDigest", astuple(header), list(figures)))

    def encode_post_report(
        self, header: ReportHeader, figures: Sequence[int], signatures: bytes
    ) -> bytes:
        """Calldata of `postReport`."""
        return self.encode("postReport", astuple(header), list(figures), signatures)

    async def finalizable(self, cluster_id: int, limit: int, *, block: At = "latest") -> int:
        """How many epochs `finalize` would count if it were called now."""
        return int(await self.read("finalize", cluster_id, limit, block=block))

    def encode_finalize(self, cluster_id: int, limit: int) -> bytes:
        """Calldata of `finalize`."""
        return self.encode("finalize", cluster_id, limit)

    async def posted_call(self, tx_hash: bytes) -> PostedCall | None:
        """What `postReport` was called with in a transaction; None if that called something else,
        such as a contract that posts reports.
        """
        calldata = await self.client.calldata(tx_hash, self.address)
        arguments = calldata and self.abi.functions["postReport"].decode_arguments(calldata)
        if not arguments:
            return None
        header, figures, signatures = arguments
        return PostedCall(ReportHeader(*header), tuple(figures), signatures)


class ClusterShare(Contract):
    """contracts/share/interfaces/IClusterShare.sol."""

    ABI = "ClusterShare"

    async def name(self, *, block: At = "latest") -> str:
        return str(await self.read("name", block=block))

    async def symbol(self, *, block: At = "latest") -> str:
        return str(await self.read("symbol", block=block))

    async def total_supply(self, *, block: At = "latest") -> int:
        return int(await self.read("totalSupply", block=block))

    async def balance_of(self, owner: Address, *, block: At = "latest") -> int:
        return int(await self.read("balanceOf", owner, block=block))

    async def claimable_usd6(self, owner: Address, *, block: At = "latest") -> int:
        return int(await self.read("claimableUsd6", owner, block=block))

    async def earned_usd6(self, owner: Address, *, block: At = "latest") -> int:
        return int(await self.read("earnedUsd6", owner, block=block))

    async def claimed_usd6(self, owner: Address, *, block: At = "latest") -> int:
        return int(await self.read("claimedUsd6", owner, block=block))

    async def account_state(self, owner: Address, *, block: At = "latest") -> AccountState:
        return AccountState(*await self.read("accountState", owner, block=block))

    async def stream_state(self, *, block: At = "latest") -> StreamState:
        return StreamState(*await self.read("streamState", block=block))

    async def stream_ends(self, *, block: At = "latest") -> tuple[tuple[int, int], ...]:
        """The ends (stream time) of the money that streams now, each with its rate per second."""
        ends, rates = await self.read_all("streamEnds", block=block)
        return tuple(zip(ends, rates, strict=True))


class Waterfall(Contract):
    """contracts/revenue/interfaces/IWaterfall.sol."""

    ABI = "Waterfall"

    async def state(self, cluster_id: int, *, block: At = "latest") -> WaterfallState:
        return WaterfallState(*await self.read("state", cluster_id, block=block))

    async def inflow_paused_until(self, *, block: At = "latest") -> int:
        """The Unix second until which no income is taken; past if it is."""
        return int(await self.read("inflowPausedUntil", block=block))

    async def tranches(self, cluster_id: int, *, block: At = "latest") -> tuple[TrancheState, ...]:
        columns = await self.read_all("tranches", cluster_id, block=block)
        return tuple(TrancheState(*row) for row in zip(*columns, strict=True))

    async def operator_due_usd6(self, cluster_id: int, *, block: At = "latest") -> tuple[int, int]:
        """Final cost so far, rounded down; and with the maximum since, rounded up."""
        final_down, due_up = await self.read_all("operatorDueUsd6", cluster_id, block=block)
        return final_down, due_up


class IdentityRegistry(Contract):
    """contracts/compliance/interfaces/IIdentityRegistry.sol."""

    ABI = "IdentityRegistry"

    async def can_receive(self, wallet: Address, *, block: At = "latest") -> bool:
        return bool(await self.read("canReceive", wallet, block=block))

    async def attestation_of(self, wallet: Address, *, block: At = "latest") -> Attestation | None:
        """What is attested of a wallet; None if nothing ever was."""
        attestation = Attestation(*await self.read("attestationOf", wallet, block=block))
        return attestation if any(attestation.investor_id) else None

    async def wallets_of(self, investor_id: bytes, *, block: At = "latest") -> tuple[Address, ...]:
        return tuple(await self.read("walletsOf", investor_id, block=block))


class Authority(Contract):
    """contracts/access/interfaces/IAuthority.sol."""

    ABI = "Authority"

    async def has_role(self, role: int, account: Address, *, block: At = "latest") -> bool:
        """Whether the account holds the role now, with whatever delay."""
        is_member, _ = await self.read_all("hasRole", role, account, block=block)
        return bool(is_member)

    async def is_operator(self, account: Address, cluster_id: int, *, block: At = "latest") -> bool:
        """Whether the account has the power OPERATOR over the cluster."""
        return await self.has_role(_OPERATOR << 32 | cluster_id, account, block=block)


class ModelRegistry(Contract):
    """contracts/registry/interfaces/IModelRegistry.sol."""

    ABI = "ModelRegistry"

    async def owner_of(self, model_id: bytes, *, block: At = "latest") -> Address:
        """Who registered a model. Raises ContractReverted if nobody has."""
        owner, *_ = await self.read("model", model_id, block=block)
        return Address(owner)


class InferencePayments(Contract):
    """contracts/payments/interfaces/IInferencePayments.sol."""

    ABI = "InferencePayments"

    async def account(self, payer: Address, *, block: At = "latest") -> PayerAccount:
        return PayerAccount(*await self.read("account", payer, block=block))

    async def channel(
        self, payer: Address, key: Address, gateway: Address, *, block: At = "latest"
    ) -> Channel:
        return Channel(*await self.read("channel", payer, key, gateway, block=block))

    async def collectable_usd6(
        self, payer: Address, key: Address, gateway: Address, *, block: At = "latest"
    ) -> int:
        """Most that vouchers of this channel could bring now beyond what was collected."""
        return int(await self.read("collectableUsd6", payer, key, gateway, block=block))

    async def inflow_paused_until(self, *, block: At = "latest") -> int:
        """The Unix second until which nothing comes in but by vouchers; past if all does."""
        return int(await self.read("inflowPausedUntil", block=block))

    async def royalty_owed_usd6(self, pay_to: Address, *, block: At = "latest") -> int:
        """What waits for `payRoyalty`."""
        return int(await self.read("royaltyOwedUsd6", pay_to, block=block))

    def encode_collect(self, vouchers: bytes, works: Sequence[Work], root: bytes) -> bytes:
        """Calldata of `collect`."""
        return self.encode("collect", vouchers, list(works), root)

    def encode_refund(self, refund: RefundAuthorization, signature: bytes) -> bytes:
        """Calldata of `refundWithAuthorization`."""
        return self.encode(
            "refundWithAuthorization",
            refund.gateway,
            refund.payer,
            refund.amount_usd6,
            0,
            VALID_BEFORE,
            refund.receipt_hash,
            signature,
        )

    def encode_lock(self, lock: Lock) -> bytes:
        """Calldata of `lock`."""
        return self.encode(
            "lock", lock.payer, lock.key, lock.cover_usd6, lock.until, lock.signature
        )

    def payers_in(self, events: Iterable[DecodedEvent]) -> set[Address]:
        """Whose balance or channels these events changed."""
        payers: set[Address] = set()
        for event in events:
            if event.name in ("VouchersCollected", "Credited"):
                payers.update(
                    to_address((entry >> 96).to_bytes(20)) for entry in event.fields["entries"]
                )
            elif "payer" in event.fields:
                payers.add(event.fields["payer"])
        return payers


class Stablecoin(Contract):
    """ERC-20 and EIP-3009 of whatever stablecoin the deployment was made with."""

    ABI = "Stablecoin"

    async def symbol(self, *, block: At = "latest") -> str:
        return str(await self.read("symbol", block=block))

    async def decimals(self, *, block: At = "latest") -> int:
        return int(await self.read("decimals", block=block))

    async def balance_of(self, owner: Address, *, block: At = "latest") -> int:
        return int(await self.read("balanceOf", owner, block=block))

    async def allowance(self, owner: Address, spender: Address, *, block: At = "latest") -> int:
        return int(await self.read("allowance", owner, spender, block=block))

    async def name(self, *, block: At = "latest") -> str:
        return str(await self.read("name", block=block))

    async def version(self, *, block: At = "latest") -> str:
        """Of its EIP-712 domain."""
        return str(await self.read("version", block=block))

    async def is_paused(self, *, block: At = "latest") -> bool:
        """Whether its issuer has stopped all transfers. Raises ContractReverted or
        UndecodableAnswer if it knows no such thing.
        """
        return bool(await self.read("paused", block=block))

    async def is_blacklisted(self, account: Address, *, block: At = "latest") -> bool:
        """Whether its issuer has stopped an account. Raises as `is_paused`."""
        return bool(await self.read("isBlacklisted", account, block=block))

    async def is_used(self, payer: Address, nonce: bytes, *, block: At = "latest") -> bool:
        """Whether an authorisation of EIP-3009 was used or cancelled."""
        return bool(await self.read("authorizationState", payer, nonce, block=block))

    def encode_transfer_with_authorization(self, payment: ExactPayment) -> bytes:
        """Calldata of `transferWithAuthorization`, the signature as bytes."""
        one = payment.authorization
        return self.encode(
            _TRANSFER_WITH_AUTHORIZATION,
            one.payer,
            one.to,
            one.value,
            one.valid_after,
            one.valid_before,
            one.nonce,
            payment.signature,
        )

    async def used_in(
        self, payer: Address, nonce: bytes, *, from_block: int, to_block: int
    ) -> Log | None:
        """The event by which an authorisation was used in these blocks, both included; None if it
        was cancelled, or used before.
        """
        found = self.client.past_logs(
            addresses=[self.address],
            topics=[self.abi.events["AuthorizationUsed"].topic, address_word(payer), nonce],
            from_block=from_block,
            to_block=to_block,
        )
        return await anext(found, None)

    def has_moved(self, logs: Sequence[Log], authorization: Authorization) -> bool:
        """Whether a successful transaction with these events used the authorisation and moved its
        money: the one says nothing without the other, which the stablecoin tells next. One transfer
        so counts for one authorisation.
        """
        one = authorization
        used = "AuthorizationUsed", {"authorizer": one.payer, "nonce": bytes(one.nonce)}
        moved = "Transfer", {"from": one.payer, "to": one.to, "value": one.value}
        told = [(event.name, event.fields) for event in self.decode_logs(logs)]
        return any(pair == (used, moved) for pair in pairwise(told))


class RelatedParties(Contract):
    """contracts/registry/interfaces/IRelatedParties.sol: read by its events."""

    ABI = "RelatedParties"


class X402Settler(Contract):
    """contracts/payments/interfaces/IX402Settler.sol."""

    ABI = "X402Settler"

    async def pay_to(self, cluster_id: int, gateway: Address, *, block: At = "latest") -> Address:
        """Where payers of that gateway pay for that cluster."""
        return Address(await self.read("payTo", cluster_id, gateway, block=block))

    async def pending_usd6(self, batch_id: bytes, *, block: At = "latest") -> int:
        """What of a batch that was settled ahead waits for its use."""
        amount, _ = await self.read("pending", batch_id, block=block)
        return int(amount)

    def encode_settle(
        self, work: Work, payments: bytes, credits: Sequence[int], root: bytes
    ) -> bytes:
        """Calldata of `settle`."""
        return self.encode("settle", work, payments, list(credits), root)

    def encode_settle_ahead(self, work: Work, payments: bytes) -> bytes:
        """Calldata of `settleAhead`."""
        return self.encode("settleAhead", work, payments)

    async def would_settle(self, cluster_id: ClusterId, payment: bytes, *, sender: Address) -> int:
        """What that one payment would bring if the gateway settled it now."""
        data = self.encode_settle_ahead(Work(cluster_id), payment)
        answer = await self.client.call(self.address, data, sender=sender)
        _, settled = self.abi.functions["settleAhead"].decode(answer)
        return int(settled)

    def encode_allocate(
        self, work: Work, entries: Sequence[int], credits: Sequence[int], root: bytes
    ) -> bytes:
        """Calldata of `allocate`."""
        return self.encode("allocate", work, list(entries), list(credits), root)

    def credits_in(self, calldata: bytes) -> Sequence[int] | None:
        """The words of what was not used in a call that says it; None if it is another call."""
        for name in ("settle", "allocate"):
            arguments = self.abi.functions[name].decode_arguments(calldata)
            if arguments:
                *_, credits, _ = arguments
                return tuple(credits)
        return None

    def settled_in(self, logs: Sequence[Log], gateway: Address) -> tuple[int, ...]:
        """The entries of the gateway's batch in a transaction's events; none if none was settled.
        The first of them is the only one of a call.
        """
        for event in self.decode_logs(logs):
            if event.name in ("Settled", "SettledAhead") and event.fields["gateway"] == gateway:
                return tuple(event.fields["entries"])
        return ()
