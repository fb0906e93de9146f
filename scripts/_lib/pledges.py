"""What holders do with their shares beside selling them: encumber, release, assign income."""

from __future__ import annotations

from dataclasses import dataclass

from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import roles
from scripts._lib.deployment import DeploymentError, System
from scripts._lib.operations import events_of

NEVER = 2**40 - 1
"""The expiry of an encumbrance that ends when its taker wants."""


@dataclass(frozen=True)
class Pledge:
    """What an owner encumbered to one taker. Amounts in the smallest share unit, times in Unix
    seconds; `payee` is None while no income is assigned."""

    taker: str
    amount: int
    assigned: int
    expires_at: int
    payee: str | None


def pledges_of(share: ContractInstance, owner: str) -> list[Pledge]:
    """Every encumbrance of `owner`, oldest first."""
    found = []
    for taker in share.takersOf(owner):
        pledge = share.encumbranceOf(owner, taker)
        found.append(
            Pledge(
                str(taker),
                int(pledge.amount),
                int(pledge.assigned),
                int(pledge.expiresAt),
                str(pledge.payee) if pledge.assigned else None,
            )
        )
    return found


def list_taker(system: System, taker: str, admin: AccountAPI) -> bool:
    """Let shares be encumbered to `taker`; False if they can be."""
    is_member, _ = system.authority.hasRole(roles.ENCUMBRANCER_ROLE, taker)
    if is_member:
        return False
    system.authority.grantRole(roles.ENCUMBRANCER_ROLE, taker, 0, sender=admin)
    return True


def encumber(
    share: ContractInstance, taker: str, amount: int, expires_at: int | None, owner: AccountAPI
) -> Pledge:
    """Encumber `amount` more of the owner's shares to `taker`; what is encumbered to it now."""
    if expires_at is None:
        share.encumber(taker, amount, sender=owner)
    else:
        share.encumberUntil(taker, amount, expires_at, sender=owner)
    return next(pledge for pledge in pledges_of(share, owner.address) if pledge.taker == taker)


def assign_income(
    share: ContractInstance, taker: str, amount: int, payee: str, owner: AccountAPI
) -> None:
    """Let the income of `amount` of the shares encumbered to `taker` go to `payee`, for as long."""
    share.assignIncome(taker, amount, payee, sender=owner)


def release(share: ContractInstance, owner: str, amount: int | None, taker: AccountAPI) -> int:
    """Give up `amount` (all of it by default) of what `owner` encumbered to the taker, and return
    what was given up."""
    held = int(share.encumbrances(owner, taker))
    if held == 0:
        raise DeploymentError(f"{owner} has encumbered nothing to {taker.address}")
    receipt = share.release(owner, held if amount is None else amount, sender=taker)
    return sum(int(event.amount) for event in events_of(share, receipt, "Release"))


def release_expired(share: ContractInstance, owner: str, taker: str, sender: AccountAPI) -> int:
    """Release what `owner` encumbered to `taker` and whose time is over; what was released."""
    receipt = share.releaseExpired(owner, taker, sender=sender)
    return sum(int(event.amount) for event in events_of(share, receipt, "Release"))


def claim_assigned(share: ContractInstance, owner: str, payee: str, sender: AccountAPI) -> int:
    """Pay `payee` what `owner` assigned, in 10⁻⁶ dollars; 0 if there is nothing."""
    _, earned, _ = share.interestState(owner, payee, block_identifier="pending")
    if int(earned) >> 72 == 0:
        return 0
    receipt = share.claimAssigned(owner, payee, sender=sender)
    return sum(
        int(event.amountUsd6) for event in events_of(share, receipt, "AssignedIncomeClaimed")
    )
