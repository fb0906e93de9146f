"""Disputing posted figures, and settling what is counted in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from ape.api import AccountAPI

from api.chain.views import cluster_spec
from api.domain.codec import gpu_id_of, parse_hex, parse_uint, to_hex
from api.domain.figures import ClusterFigures
from api.domain.gpu_set import GpuSet
from api.errors import InvalidInput, Malformed, NotFound, UnknownGpu
from api.types import UINT32_MAX, Digest, GpuId
from scripts._lib import posted, verification
from scripts._lib.deployment import System
from scripts._lib.events import PastEvent, newest_first
from scripts._lib.money import dollars
from scripts._lib.operations import events_of, newest_time
from scripts._lib.posted import FIELDS, Subject, figures_in_words
from scripts._lib.reporters import contract_form
from scripts._lib.times import utc


class DisputeState(IntEnum):
    """IDisputes.DisputeState."""

    NONE = 0
    OPEN = 1
    REFUTED = 2
    SETTLED = 3


@dataclass(frozen=True)
class Dispute:
    """What the chain has of one. `deadline_at` is a Unix second."""

    state: DisputeState
    challenger: str
    deadline_at: int
    is_bonded: bool
    is_blamed: bool
    root: Digest
    figures: int


@dataclass(frozen=True)
class Penalty:
    """What a signer of wrong figures paid, in 10⁻⁶ dollars."""

    signer: str
    amount_usd6: int


def of(system: System, subject: Subject) -> Dispute:
    """The dispute of an epoch's figures; its state is NONE if there was none."""
    found = system.disputes.dispute(subject.cluster_id, subject.epoch)
    return Dispute(
        DisputeState(int(found.state)),
        str(found.challenger),
        int(found.deadlineAt),
        bool(found.bonded),
        bool(found.blamed),
        Digest(bytes(found.root)),
        int(found.figures),
    )


# -- disputing ------------------------------------------------------------------------------------


def challenge(system: System, subject: Subject, statement: str, challenger: AccountAPI) -> None:
    """Say that posted figures are wrong, with a bond, which is approved if it has to be.

    Raises ReportNotFound if no figures of the epoch were posted.
    """
    bond_usd6 = int(system.disputes.CHALLENGE_BOND_USD6())
    root = posted.root_of(system, subject)
    if int(system.stablecoin.allowance(challenger, system.disputes)) < bond_usd6:
        system.stablecoin.approve(system.disputes, bond_usd6, sender=challenger)
    system.disputes.challenge(root, subject.cluster_id, subject.epoch, statement, sender=challenger)


def refute_by_hardware(system: System, subject: Subject, challenger: AccountAPI) -> None:
    """Show that more energy was posted than the hardware can draw. Raises ReportNotFound."""
    root = posted.root_of(system, subject)
    system.disputes.refuteByHardware(root, subject.cluster_id, subject.epoch, sender=challenger)


def refute_by_root(system: System, subject: Subject, url: str, challenger: AccountAPI) -> None:
    """Show that the report's root binds other figures, with what the reporter at `url` knows to be
    under it. Raises NotFound's subclasses or InvalidInput.
    """
    root = posted.root_of(system, subject)
    told = verification.fetch(url, subject.cluster_id, subject.epoch, None, None)
    bound = verification.binding(told)
    system.disputes.refuteByRoot(
        root,
        subject.cluster_id,
        subject.epoch,
        bound.figures,
        bound.sample_root,
        bound.proof,
        sender=challenger,
    )


def refute_by_energy(
    system: System, subject: Subject, url: str, gpu: str, challenger: AccountAPI
) -> None:
    """Show that less energy was posted than one GPU drew between its first and its last sample of
    the epoch, with samples and proofs from the reporter at `url`. `gpu` is its UUID or id.

    Raises NotFound's subclasses or InvalidInput.
    """
    root = posted.root_of(system, subject)
    told = verification.fetch(url, subject.cluster_id, subject.epoch, gpu, None)
    bound, found = verification.binding(told), verification.samples(told)
    if len(found) < 2:
        raise NotFound(f"GPU {gpu} has no two samples in epoch {subject.epoch}", value=gpu)
    spec, _ = system.registry.specAt(subject.cluster_id, subject.epoch)
    root_of_gpus = cluster_spec(spec).gpu_set_root
    gpus = verification.fetch_gpus(url, subject.cluster_id, root_of_gpus)
    record, proof = _registered(gpus, gpu)
    first, second = found
    evidence = (
        bound.sample_root,
        bound.proof,
        record,
        proof,
        first.sample,
        first.proof,
        second.sample,
        second.proof,
    )
    system.disputes.refuteByEnergy(
        root, subject.cluster_id, subject.epoch, evidence, sender=challenger
    )


def _registered(gpus: GpuSet, gpu: str) -> tuple[tuple[Any, ...], list[Digest]]:
    """A GPU in the order of GpuRecord.sol, and the proof from its leaf to the set's root."""
    gpu_id = GpuId(parse_hex(gpu, "gpu", 32)) if gpu.startswith("0x") else gpu_id_of(gpu)
    record = gpus.get(gpu_id)
    if record is None:
        raise UnknownGpu(gpu, gpus.cluster_id)
    fields = (gpu_id, record.agent, record.from_ms, record.until_ms, record.sample_interval_ms)
    return fields, gpus.proof(gpu_id)


def pay(system: System, account: str, sender: AccountAPI) -> int:
    """Pay an account all that it is owed for what it proved or staked, in 10⁻⁶ dollars; how much.
    Rewards are with the ReporterRegistry, bonds with Disputes.
    """
    paid = 0
    for contract in (system.reporter_registry, system.disputes):
        if int(contract.owedUsd6(account)):
            receipt = contract.pay(account, sender=sender)
            paid += int(events_of(contract, receipt, "Paid")[-1].amountUsd6)
    return paid


# -- settling -------------------------------------------------------------------------------------


def parse_changes(text: str) -> dict[str, int]:
    """Figures by name, from `energyWh=4900,busyGpuSeconds=0`. Raises InvalidInput."""
    changes: dict[str, int] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if name not in FIELDS or name in changes:
            raise Malformed("figures", part, f"NAME=NUMBER, each once, of {', '.join(FIELDS)}")
        changes[name] = parse_uint(value, name, UINT32_MAX)
    return changes


def stand(system: System, subject: Subject, arbiter: AccountAPI) -> None:
    """Rule that the disputed figures are counted."""
    figures = of(system, subject).figures
    system.disputes.rule(subject.cluster_id, subject.epoch, figures, False, sender=arbiter)


def correct(
    system: System,
    subject: Subject,
    changes: Mapping[str, int],
    blamed: bool,
    arbiter: AccountAPI,
) -> None:
    """Rule that the disputed figures are counted with these changed, and who signed is to blame or
    not. Raises InvalidInput if nothing is changed, or to what no cluster can have.
    """
    disputed = of(system, subject).figures
    fields: dict[str, Any] = {FIELDS[name]: value for name, value in changes.items()}
    counted = replace(ClusterFigures.unpack(disputed), **fields).pack()
    if counted == disputed:
        raise InvalidInput("these are the disputed figures: they stand", value=counted)
    system.disputes.rule(subject.cluster_id, subject.epoch, counted, blamed, sender=arbiter)


def lapse(system: System, subject: Subject, sender: AccountAPI) -> None:
    """Settle what the arbiter left undecided until the deadline."""
    system.disputes.lapse(subject.cluster_id, subject.epoch, sender=sender)


def penalise(system: System, subject: Subject, sender: AccountAPI) -> Iterator[Penalty]:
    """Have every signer of figures that it is to blame for pay, one after the other, with the
    signatures from the transaction that brought the report. Who has paid is passed over.

    Raises NotFound if the report came by another contract's call: its signatures are not told apart
    there.
    """
    root = of(system, subject).root
    call = posted.call_in(posted.transaction_of(system, root, subject.from_block), root)
    if call is None:
        raise NotFound(
            f"report {to_hex(root)} came by another contract's call: hand in its signatures by"
            " themselves (Disputes.penalise)",
            value=to_hex(root),
        )
    index = [word >> 160 for word in call.figures].index(subject.cluster_id)
    paid = {one.fields["signer"] for one in _events(system, subject, "SignerPenalised")}
    signers = posted.signers(system, call)
    for signer, report in zip(signers, posted.signed_reports(call), strict=True):
        if signer in paid:
            continue
        receipt = system.disputes.penalise(
            subject.cluster_id, subject.epoch, contract_form(report), index, sender=sender
        )
        event = events_of(system.disputes, receipt, "SignerPenalised")[-1]
        yield Penalty(str(event.signer), int(event.amountUsd6))


# -- telling --------------------------------------------------------------------------------------


def in_words(system: System, subject: Subject) -> Iterator[str]:
    """How an epoch's figures stand, a line a thing."""
    found = of(system, subject)
    what = f"cluster {subject.cluster_id}, epoch {subject.epoch}"
    if found.state is DisputeState.NONE:
        yield f"{what}: {_undisputed(system, subject)}"
        return
    yield f"{what}: {_STATES[found.state]} {found.challenger}{_bond(system, found)}"
    for event in _events(system, subject, "Challenged"):
        yield f"  {event.fields['challenger']} says: {event.fields['statement']}"
    yield f"  posted:  {figures_in_words(found.figures)}"
    if found.state is not DisputeState.SETTLED:
        yield f"  {_deadline(found)}"
        return
    yield f"  counted: {figures_in_words(_settled_on(system, subject))}"
    for event in _events(system, subject, "DisputeSettled"):
        by = "the arbiter" if event.fields["byArbiter"] else "the deadline, which passed"
        fault = "to blame" if event.fields["blamed"] else "not to blame"
        yield f"  settled by {by}; whoever signed is {fault}"
    for event in _events(system, subject, "SignerPenalised"):
        yield f"  {event.fields['signer']} paid {dollars(event.fields['amountUsd6'])}"


_STATES = {
    DisputeState.OPEN: "challenged by",
    DisputeState.REFUTED: "shown to be wrong by",
    DisputeState.SETTLED: "settled; disputed by",
}


def _undisputed(system: System, subject: Subject) -> str:
    figures, final_at, _ = system.oracle.postedFigures(subject.cluster_id, subject.epoch)
    if not int(final_at):
        return "not disputed, and nothing waits: not posted yet, or counted"
    return f"not disputed; until {utc(int(final_at))} there wait {figures_in_words(int(figures))}"


def _bond(system: System, found: Dispute) -> str:
    if not found.is_bonded:
        return ""
    return f", with a bond of {dollars(int(system.disputes.CHALLENGE_BOND_USD6()))}"


def _deadline(found: Dispute) -> str:
    if newest_time() < found.deadline_at:
        return f"the arbiter has until {utc(found.deadline_at)}"
    default = "without what happened in it" if found.state is DisputeState.REFUTED else "as posted"
    return (
        f"the arbiter's time is over since {utc(found.deadline_at)}: anybody may settle it"
        f" (--lapse), the epoch is counted {default}"
    )


def _settled_on(system: System, subject: Subject) -> int:
    """What the oracle counts, which has no energy where that came too late, whatever was ruled."""
    for event in newest_first(
        "MetricsOracle",
        str(system.oracle.address),
        ["FiguresSettled"],
        from_block=subject.from_block,
        first_indexed=subject.cluster_id,
    ):
        if event.fields["epoch"] == subject.epoch:
            return int(event.fields["figures"])
    raise NotFound(f"epoch {subject.epoch} is not settled", value=subject.epoch)


def _events(system: System, subject: Subject, name: str) -> list[PastEvent]:
    """The events of one kind about an epoch's dispute, oldest first."""
    events = newest_first(
        "Disputes",
        str(system.disputes.address),
        [name],
        from_block=subject.from_block,
        first_indexed=subject.cluster_id,
    )
    return [one for one in events if one.fields["epoch"] == subject.epoch][::-1]
