"""HoldingRules.canReceive and canSend: until the second of expiry; unless blocked."""

from __future__ import annotations

from collections.abc import Callable

from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.scenario import Scenario, travel_to


def test_can_receive__unknown_wallet__no(identity: ContractInstance, attacker: AccountAPI) -> None:
    assert not identity.canReceive(attacker)
    assert identity.attestationOf(attacker).investorId == b"\0" * 16


def test_can_receive__around_expiry__until_the_second_before(
    identity: ContractInstance, scenario: Scenario, holder: AccountAPI
) -> None:
    expires_at = int(chain.blocks.head.timestamp) + 1_000
    scenario.attest(holder, expiresAt=expires_at)
    travel_to(expires_at - 1)
    assert identity.canReceive(holder)
    travel_to(expires_at)
    assert not identity.canReceive(holder)


def test_can_receive__attested_wallet__one_storage_read(
    identity: ContractInstance, scenario: Scenario, holder: AccountAPI
) -> None:
    scenario.attest(holder)
    calldata = identity.canReceive.encode_input(holder)
    trace = chain.provider.make_request(
        "debug_traceCall", [{"to": identity.address, "data": calldata.to_0x_hex()}, "latest", {}]
    )
    assert [step["op"] for step in trace["structLogs"]].count("SLOAD") == 1


def test_can_send__expired_and_revoked__yes_until_blocked(
    identity: ContractInstance,
    scenario: Scenario,
    block: Callable[[AccountAPI | str], None],
    compliance: AccountAPI,
    holder: AccountAPI,
    attacker: AccountAPI,
) -> None:
    scenario.attest(holder)
    identity.revokeWallet(holder, sender=compliance)
    assert identity.canSend(holder)
    block(holder)
    assert not identity.canSend(holder)
    assert identity.canSend(attacker)
