"""Who runs the reporters: registering, changing the set or a key, and proving a fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ape import accounts
from ape.api import AccountAPI
from pydantic_core import from_json

from api.domain.codec import parse_uint
from api.domain.eip712 import reporter_registry_domain
from api.domain.equivocation import SignedReport, parse_signed_report
from api.domain.reports import possession_message
from api.domain.signing import Signer
from api.errors import Malformed
from api.types import UINT256_MAX, Address
from scripts._lib.cast import Account
from scripts._lib.deployment import System
from scripts._lib.money import dollars
from scripts._lib.network import connected_chain_id
from scripts._lib.operations import events_of
from scripts._lib.times import utc


@dataclass(frozen=True)
class Standing:
    """An operator's entry. Times in Unix seconds, 0 for none; amounts in 10⁻⁶ dollars."""

    operator: str
    signer: str
    bond_usd6: int
    exit_at: int
    next_signer: str
    next_signer_at: int
    is_member: bool

    @property
    def is_registered(self) -> bool:
        return int(self.signer, 16) != 0


@dataclass(frozen=True)
class Fault:
    """What a proof cost the operator, and what it brings whoever handed it in, in 10⁻⁶ dollars."""

    operator: str
    forfeited_usd6: int
    reward_usd6: int


def account_of(account: Account) -> AccountAPI:
    """An account of the local chain that ape has no alias for."""
    return accounts.test_accounts.init_test_account(
        account.index, account.address, "0x" + account.key.hex()
    )


def possession(system: System, operator: str, signer: Signer) -> bytes:
    """The proof, by the key itself, that it is `operator`'s: 65 bytes."""
    domain = reporter_registry_domain(
        connected_chain_id(), Address(system.reporter_registry.address)
    )
    return signer.sign(possession_message(domain, Address(operator), signer.address).digest)


def register(
    system: System, operator: AccountAPI, signer: str, proof: bytes, bond_usd6: int
) -> None:
    """Register the operator with its key and its bond, which is approved if it has to be."""
    _approve(system, operator, bond_usd6)
    system.reporter_registry.register(signer, proof, bond_usd6, sender=operator)


def add_bond(system: System, operator: AccountAPI, amount_usd6: int) -> int:
    """Add to the operator's bond; the bond after it."""
    _approve(system, operator, amount_usd6)
    receipt = system.reporter_registry.addBond(amount_usd6, sender=operator)
    return int(events_of(system.reporter_registry, receipt, "BondAdded")[-1].bondUsd6)


def schedule(system: System, operators: Sequence[str], oracle_admin: AccountAPI) -> int:
    """Schedule the next set; the second from which it may be activated."""
    receipt = system.reporter_registry.scheduleSet(list(operators), sender=oracle_admin)
    return int(events_of(system.reporter_registry, receipt, "SetScheduled")[-1].dueAt)


def standing(system: System, operator: str) -> Standing:
    """An operator's entry; all zero if it is not registered."""
    found = system.reporter_registry.reporter(operator)
    return Standing(
        operator,
        str(found.signer),
        int(found.bondUsd6),
        int(found.exitAt),
        str(found.nextSigner),
        int(found.nextSignerAt),
        operator in system.reporter_registry.operators(),
    )


def set_up(
    system: System,
    operators: Sequence[AccountAPI],
    deployer: AccountAPI,
    oracle_admin: AccountAPI,
) -> None:
    """On the local chain: make these accounts, each its own reporter, the first set.

    Nothing happens if they are it already.
    """
    if list(system.oracle.reporters()) == [str(operator.address) for operator in operators]:
        return
    registry = system.reporter_registry
    bond_usd6 = int(registry.MINIMUM_BOND_USD6())
    for operator in operators:
        if standing(system, str(operator.address)).is_registered:
            continue
        system.stablecoin.mint(operator, bond_usd6, sender=deployer)
        key = Signer(bytes.fromhex(operator.private_key.removeprefix("0x")))
        proof = possession(system, str(operator.address), key)
        register(system, operator, key.address, proof, bond_usd6)
    schedule(system, [str(operator.address) for operator in operators], oracle_admin)
    registry.activate(sender=oracle_admin)


def prove(system: System, evidence: bytes, challenger: AccountAPI) -> Fault:
    """Hand in what a reporter tells at `/v1/equivocations`, an entry of it as JSON.

    Raises InvalidInput naming the field that is wrong.
    """
    try:
        entry = from_json(evidence)
    except ValueError as error:
        raise Malformed("evidence", evidence[:80], f"JSON ({error})") from None
    if not isinstance(entry, Mapping):
        raise Malformed("evidence", entry, "an object")
    reports = [
        contract_form(parse_signed_report(entry.get(which), which)) for which in ("first", "second")
    ]
    indexes = [
        parse_uint(entry.get(field), field, UINT256_MAX) for field in ("firstIndex", "secondIndex")
    ]
    receipt = system.reporter_registry.proveEquivocation(*reports, *indexes, sender=challenger)
    event = events_of(system.reporter_registry, receipt, "EquivocationProved")[-1]
    return Fault(str(event.operator), int(event.forfeitedUsd6), int(event.rewardUsd6))


def contract_form(report: SignedReport) -> tuple[tuple[int, int, int, bytes], list[int], bytes]:
    """A signed report as the contracts take it (IReporterRegistry's SignedReport)."""
    header = (report.reporter_set_id, report.epoch, report.round, bytes(report.root))
    return header, list(report.figures), bytes(report.signature)


def of_operator(system: System, operator: str) -> str:
    """One line on an operator."""
    found = standing(system, operator)
    if not found.is_registered:
        return f"{operator} is not registered"
    words = [
        f"{operator} signs with {found.signer}",
        f"bond {dollars(found.bond_usd6)}",
        "in the set" if found.is_member else "in no set",
    ]
    if found.next_signer_at:
        words.append(f"{found.next_signer} may take over from {utc(found.next_signer_at)}")
    if found.exit_at:
        words.append(f"leaves, bond free from {utc(found.exit_at)}")
    return "; ".join(words)


def in_words(system: System) -> Iterator[str]:
    """The set in force and the scheduled one, a line an operator."""
    members = [str(operator) for operator in system.reporter_registry.operators()]
    if not members:
        yield "no set is in force"
    else:
        yield (
            f"set {system.oracle.reporterSetId()}: {len(members)} reporters,"
            f" {system.oracle.quorum()} signatures make a report"
        )
    for operator in members:
        yield "  " + of_operator(system, operator)
    scheduled, due_at = system.reporter_registry.scheduledSet()
    if due_at:
        yield f"scheduled, to be activated from {utc(due_at)}:"
        for operator in scheduled:
            yield "  " + of_operator(system, str(operator))


def _approve(system: System, owner: AccountAPI, amount_usd6: int) -> None:
    if int(system.stablecoin.allowance(owner, system.reporter_registry)) < amount_usd6:
        system.stablecoin.approve(system.reporter_registry, amount_usd6, sender=owner)
