"""scripts/_lib/attestations.py: admission by a provider's signature."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ape import chain, reverts
from ape.api import AccountAPI

from scripts._lib.attestations import (
    Admission,
    InvestorClass,
    admit,
    investor_id_of,
    is_admitted,
)
from scripts._lib.deployment import System


@pytest.fixture
def admission(holder: AccountAPI) -> Admission:
    now = int(chain.blocks.head.timestamp)
    investor = investor_id_of("passport 7", "salt")
    return Admission(
        holder.address, investor, 528, InvestorClass.PROFESSIONAL, now, now + 365 * 86_400
    )


def test_admit__providers_signature__puts_it_in_force(
    system: System, admission: Admission, kyc_provider: AccountAPI
) -> None:
    assert not is_admitted(system, admission)

    assert admit(system, admission, kyc_provider)

    assert is_admitted(system, admission)
    assert not admit(system, admission, kyc_provider)
    known = system.identity.attestationOf(admission.wallet)
    assert tuple(known) == tuple(admission.as_struct().values())


def test_is_admitted__as_somebody_else__is_not(
    system: System, admission: Admission, kyc_provider: AccountAPI
) -> None:
    admit(system, admission, kyc_provider)

    assert not is_admitted(system, replace(admission, country=840))
    assert not is_admitted(system, replace(admission, investor_class=InvestorClass.RETAIL))
    assert not is_admitted(system, replace(admission, investor_id=bytes(16)))


def test_is_admitted__revoked_wallet__is_not(
    system: System, admission: Admission, kyc_provider: AccountAPI, compliance: AccountAPI
) -> None:
    admit(system, admission, kyc_provider)

    system.identity.revokeWallet(admission.wallet, sender=compliance)

    assert not is_admitted(system, admission)


def test_admit__by_no_provider__is_refused(
    system: System, admission: Admission, attacker: AccountAPI
) -> None:
    with reverts(system.identity.IdentityRegistry_NotAProvider, account=attacker.address):
        admit(system, admission, attacker)


def test_investor_id_of__salt_and_reference__both_count() -> None:
    ids = {
        investor_id_of(reference, salt)
        for reference, salt in [("a", "s"), ("b", "s"), ("a", "t"), ("", "as"), ("sa", "")]
    }

    assert len(ids) == 5
    assert {len(one) for one in ids} == {16}
