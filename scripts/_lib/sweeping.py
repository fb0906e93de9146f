"""Dollars that lie on their way, where anybody may push them on.

1. What came to a cluster's address without a call (`X402Settler.sweep`): one address for each
   gateway that the events name for the cluster, and for those that are named.
2. Payments settled ahead whose gateway has not said for a day what was used (`passOn`).
3. Income that a waterfall refused and takes now (`InferencePayments.forward`).
4. The platform's fees, for the treasury (`payTreasury`).

Each goes on in a transaction of its own. What was pushed on before is not found again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ape import chain
from ape.api import AccountAPI
from ape.exceptions import ApeException

from api.chain.abi import contract_abi, decode_revert
from api.chain.client import ChainClient
from api.domain.codec import to_hex
from api.errors import ContractReverted
from scripts._lib.deployment import System
from scripts._lib.events import PastEvent, in_transaction, newest_first
from scripts._lib.failures import in_words
from scripts._lib.money import exact_dollars
from scripts._lib.network import answer_of
from scripts._lib.operations import require_cluster
from scripts._lib.record import Record
from scripts._lib.times import utc


@dataclass(frozen=True)
class Waiting:
    """Dollars that wait in one place, in 10⁻⁶ dollars.

    Attributes:
        place: In words.
        call: What pushes them on, as ape's method with its arguments.
        until: Why nobody can do that yet, in words; None if anybody can.
    """

    amount_usd6: int
    place: str
    call: tuple[Any, tuple[Any, ...]]
    until: str | None = None

    def __str__(self) -> str:
        words = f"{exact_dollars(self.amount_usd6)} {self.place}"
        return words if self.until is None else f"{words}: {self.until}"


@dataclass(frozen=True)
class Outcome:
    """What became of something that waited, in words."""

    text: str
    has_failed: bool = False


def find(
    record: Record, cluster_id: int, gateways: Sequence[str] = (), least_usd6: int = 1
) -> list[Waiting]:
    """Everything of at least `least_usd6` that waits for a cluster. Raises UnknownCluster."""
    require_cluster(record.system(), cluster_id)
    found = (
        *_unswept(record, cluster_id, gateways),
        *_settled_ahead(record, cluster_id),
        *_deferred(record, cluster_id),
    )
    return [one for one in found if one.amount_usd6 >= least_usd6]


def find_fees(system: System) -> list[Waiting]:
    """What the treasury is owed of the platform's fees."""
    owed = int(system.payments.treasuryOwedUsd6())
    place = f"of fees, for the treasury {system.payments.TREASURY()}"
    return [Waiting(owed, place, (system.payments.payTreasury, ()))] if owed else []


def push(record: Record, found: Iterable[Waiting], sender: AccountAPI) -> Iterator[Outcome]:
    """Push on what can be, one after the other; one that fails stops no other."""
    for one in found:
        if one.until is not None:
            yield Outcome(str(one))
            continue
        method, arguments = one.call
        try:
            receipt = method(*arguments, sender=sender)
        except ApeException as error:
            yield Outcome(f"{one}: not pushed on, {in_words(error)}", has_failed=True)
            continue
        yield Outcome(f"{one}: {'; '.join(_where_to(record, str(receipt.txn_hash)))}")


# -- what waits ------------------------------------------------------------------------------------


def _unswept(record: Record, cluster_id: int, gateways: Sequence[str]) -> Iterator[Waiting]:
    system = record.system()
    for gateway in dict.fromkeys((*gateways, *_gateways(record, cluster_id))):
        pay_to = system.settler.payTo(cluster_id, gateway)
        held = int(system.stablecoin.balanceOf(pay_to))
        if held:
            place = f"at {pay_to}, for gateway {gateway}"
            yield Waiting(held, place, (system.settler.sweep, (cluster_id, gateway)))


def _gateways(record: Record, cluster_id: int) -> list[str]:
    """Whoever has settled or collected for the cluster, or was swept."""
    settler = str(record.system().settler.address)
    told = (
        *_past(record, "X402Settler", ["Settled", "SettledAhead"], second_indexed=cluster_id),
        *_past(record, "X402Settler", ["Swept"], cluster_id),
        *_past(record, "InferencePayments", ["IncomeAllocated"], cluster_id),
    )
    named = dict.fromkeys(str(event.fields["gateway"]) for event in told)
    return [gateway for gateway in named if gateway != settler]


def _settled_ahead(record: Record, cluster_id: int) -> Iterator[Waiting]:
    settler = record.system().settler
    closed = {
        event.fields["batchId"]
        for event in (
            *_past(record, "X402Settler", ["Allocated"]),
            *_past(record, "X402Settler", ["PassedOn"], second_indexed=cluster_id),
        )
    }
    patience = int(settler.PENDING_SECONDS())
    paused_until = int(record.system().payments.inflowPausedUntil())
    for event in _past(record, "X402Settler", ["SettledAhead"], second_indexed=cluster_id):
        fields = event.fields
        if fields["batchId"] in closed:
            continue
        gateway, work = str(fields["gateway"]), (cluster_id, fields["modelId"])
        batch = settler.pending(fields["batchId"])
        open_at = max(int(batch.settledAt), paused_until) + patience
        is_open = int(chain.pending_timestamp) >= open_at
        yield Waiting(
            int(batch.amountUsd6),
            f"settled ahead by {gateway}, batch {to_hex(fields['batchId'])}",
            (settler.passOn, (gateway, work, list(fields["entries"]))),
            None if is_open else f"its gateway has until {utc(open_at)} to say what was used",
        )


def _deferred(record: Record, cluster_id: int) -> Iterator[Waiting]:
    payments = record.system().payments
    roots: dict[bytes, None] = {}
    told = _past(record, "InferencePayments", ["IncomeDeferred", "IncomeForwarded"], cluster_id)
    for event in told:
        if event.name == "IncomeDeferred":
            roots[event.fields["receiptsRoot"]] = None
        else:
            roots.pop(event.fields["receiptsRoot"], None)
    refusals = answer_of(
        record.chain_id, lambda client: _refusals(client, record, cluster_id, list(roots))
    )
    for root, refusal in zip(roots, refusals, strict=True):
        yield Waiting(
            int(payments.owedUsd6(cluster_id, root)),
            f"refused by the waterfall, under {to_hex(root)}",
            (payments.forward, (cluster_id, root)),
            None if refusal is None else f"not taken yet, {refusal}",
        )


async def _refusals(
    client: ChainClient, record: Record, cluster_id: int, roots: Sequence[bytes]
) -> list[ContractReverted | None]:
    """Why each cannot be forwarded now; None if it can."""
    payments = record.deployment.address_of("InferencePayments")
    forward = contract_abi("InferencePayments").functions["forward"]
    found: list[ContractReverted | None] = []
    for root in roots:
        try:
            # The newest block can be long ago on a chain where little happens.
            await client.call(payments, forward.encode((cluster_id, root)), block="pending")
            found.append(None)
        except ContractReverted as refusal:
            found.append(refusal)
    return found


def _past(
    record: Record,
    contract: str,
    names: Sequence[str],
    first_indexed: int | None = None,
    *,
    second_indexed: int | None = None,
) -> list[PastEvent]:
    """Events since a contract was deployed, oldest first."""
    known = record.deployment.contracts[contract]
    newest = newest_first(
        contract,
        known.address,
        names,
        from_block=known.block,
        first_indexed=first_indexed,
        second_indexed=second_indexed,
    )
    return list(newest)[::-1]


# -- where it went ---------------------------------------------------------------------------------


def _where_to(record: Record, tx_hash: str) -> Iterator[str]:
    """What a transaction brought to whom, as the contracts tell it."""
    system = record.system()
    for event in in_transaction("Waterfall", str(system.waterfall.address), tx_hash):
        if event.name == "IncomeReceived":
            received = exact_dollars(event.fields["amountUsd6"])
            yield f"{received} came in as income of cluster {event.fields['clusterId']}"
    for event in in_transaction("InferencePayments", str(system.payments.address), tx_hash):
        fields = event.fields
        if event.name == "IncomeDeferred":
            why = decode_revert(fields["reason"]).name
            yield (
                f"{exact_dollars(fields['amountUsd6'])} owed to cluster {fields['clusterId']} under"
                f" {to_hex(fields['receiptsRoot'])}, refused by its waterfall: {why}"
            )
        elif event.name == "RoyaltyAllocated":
            yield f"{exact_dollars(fields['amountUsd6'])} royalty owed to {fields['to']}"
        elif event.name == "IncomeAllocated" and fields["feeUsd6"]:
            yield f"{exact_dollars(fields['feeUsd6'])} fee owed to the treasury"
        elif event.name == "TreasuryPaid":
            yield f"{exact_dollars(fields['amountUsd6'])} paid"
