"""ReporterRegistry: which operators make the set, with which keys, from when."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI

from tests.support.reporters import BOND, Operators, key_of
from tests.support.scenario import travel_to

DAY = 86_400


@pytest.fixture
def seated(operators: Operators) -> Operators:
    """All five are registered and make the first set."""
    operators.set_up()
    return operators


def keys(operators: Operators) -> list[str]:
    return [key_of(address).address for address in operators.addresses]


def test_activate__first_set__at_once(seated: Operators) -> None:
    assert seated.registry.operators() == seated.addresses
    assert seated.oracle.reporters() == keys(seated)
    assert seated.registry.scheduledSet() == ([], 0)


def test_schedule_set__later_one__public_for_a_day_before_it_can_act(seated: Operators) -> None:
    registry, chosen = seated.registry, seated.addresses[:2][::-1]
    set_id = seated.oracle.reporterSetId()
    receipt = registry.scheduleSet(chosen, sender=seated.oracle_admin)
    due_at = receipt.timestamp + DAY
    (event,) = receipt.decode_logs(registry.SetScheduled)
    assert (event.operators, event.dueAt) == (chosen, due_at)
    assert registry.scheduledSet() == (chosen, due_at)
    chain.pending_timestamp = due_at - 1
    with ape.reverts(registry.ReporterRegistry_NothingDue, time=due_at - 1):
        registry.activate(sender=seated.accounts[4])
    assert seated.oracle.reporterSetId() == set_id
    chain.pending_timestamp = due_at
    receipt = registry.activate(sender=seated.accounts[4])
    (event,) = receipt.decode_logs(registry.SetActivated)
    assert event.operators == chosen == registry.operators()
    assert seated.oracle.reporters() == keys(seated)[:2][::-1]
    assert seated.oracle.reporterSetId() == set_id + 1
    with ape.reverts(registry.ReporterRegistry_NothingDue):
        registry.activate(sender=seated.accounts[4])


def test_schedule_set__one_is_scheduled__refused_until_it_is_withdrawn(seated: Operators) -> None:
    registry, admin = seated.registry, seated.oracle_admin
    due_at = registry.scheduleSet(seated.addresses[:1], sender=admin).timestamp + DAY
    with ape.reverts(registry.ReporterRegistry_SetPending, dueAt=due_at):
        registry.scheduleSet(seated.addresses[:2], sender=admin)
    (event,) = registry.withdrawSet(sender=admin).decode_logs(registry.SetWithdrawn)
    assert event.dueAt == due_at
    with ape.reverts(registry.ReporterRegistry_NoSetPending):
        registry.withdrawSet(sender=admin)
    registry.scheduleSet(seated.addresses[:2], sender=admin)


@pytest.mark.parametrize("count", [0, 32])
def test_schedule_set__too_few_or_many__refused(seated: Operators, count: int) -> None:
    registry = seated.registry
    with ape.reverts(registry.ReporterRegistry_OperatorCount, count=count, minimum=1, maximum=31):
        registry.scheduleSet(seated.addresses[:1] * count, sender=seated.oracle_admin)


def test_schedule_set__one_twice__refused(seated: Operators) -> None:
    registry, (first, second) = seated.registry, seated.addresses[:2]
    with ape.reverts(registry.ReporterRegistry_Duplicate, operator=first):
        registry.scheduleSet([first, second, first], sender=seated.oracle_admin)


def test_schedule_set__not_registered__refused(operators: Operators) -> None:
    registry, operator = operators.registry, operators.addresses[0]
    with ape.reverts(registry.ReporterRegistry_NotRegistered, operator=operator):
        registry.scheduleSet([operator], sender=operators.oracle_admin)


def test_schedule_set__who_leaves__refused(operators: Operators) -> None:
    registry, operator = operators.registry, operators.accounts[0]
    operators.register(operator)
    registry.requestExit(sender=operator)
    with ape.reverts(registry.ReporterRegistry_Exiting, operator=operator.address):
        registry.scheduleSet([operator.address], sender=operators.oracle_admin)


def test_request_exit__in_the_set_or_the_scheduled_one__refused(seated: Operators) -> None:
    registry, (stays, goes) = seated.registry, seated.accounts[:2]
    registry.scheduleSet([stays.address], sender=seated.oracle_admin)
    travel_to(chain.blocks.head.timestamp + DAY)
    registry.activate(sender=goes)
    with ape.reverts(registry.ReporterRegistry_InSet, operator=stays.address):
        registry.requestExit(sender=stays)
    registry.scheduleSet([stays.address, goes.address], sender=seated.oracle_admin)
    with ape.reverts(registry.ReporterRegistry_InSet, operator=goes.address):
        registry.requestExit(sender=goes)
    registry.withdrawSet(sender=seated.oracle_admin)
    registry.requestExit(sender=goes)


# ---------------------------------------------------------------------- keys


def test_schedule_signer__member__takes_over_a_day_later_and_the_old_key_signs_for_an_hour_more(
    seated: Operators, cluster_id: int, first_epoch: int
) -> None:
    registry, member, newer = seated.registry, seated.accounts[1], key_of("newer")
    older = key_of(str(member.address))
    receipt = seated.rotate(member, newer)
    due_at = receipt.timestamp + DAY
    (event,) = receipt.decode_logs(registry.SignerScheduled)
    assert (event.operator, event.nextSigner, event.dueAt) == (member, newer.address, due_at)
    chain.pending_timestamp = due_at - 1
    with ape.reverts(registry.ReporterRegistry_NothingDue):
        registry.activate(sender=member)
    before = seated.report(first_epoch, cluster_id)
    chain.pending_timestamp = due_at
    receipt = registry.activate(sender=seated.accounts[0])
    (event,) = receipt.decode_logs(registry.SignerChanged)
    assert (event.operator, event.previousSigner, event.newSigner) == (
        member, older.address, newer.address,
    )  # fmt: skip
    assert seated.oracle.reporters()[1] == newer.address
    assert registry.operators() == seated.addresses

    # A report that the set before was agreeing on loses nothing; the next is the new key's.
    own = [key_of(address) for address in seated.addresses]
    seated.oracle.postReport(*before.args(before.signatures(own[:4])), sender=member)
    after = seated.report(first_epoch + 1, cluster_id)
    with ape.reverts(seated.oracle.MetricsOracle_NotAReporter, index=1, signer=older.address):
        seated.oracle.postReport(*after.args(after.signatures(own[:4])), sender=member)
    own[1] = newer
    seated.oracle.postReport(*after.args(after.signatures(own[:4])), sender=member)


def test_schedule_signer__again_before_it_is_due__replaces_and_starts_anew(
    seated: Operators,
) -> None:
    registry, member = seated.registry, seated.accounts[0]
    first = seated.rotate(member, key_of("first"))
    travel_to(first.timestamp + DAY - 10)
    second = seated.rotate(member, key_of("second"))
    chain.pending_timestamp = first.timestamp + DAY
    with ape.reverts(registry.ReporterRegistry_NothingDue):
        registry.activate(sender=member)
    chain.pending_timestamp = second.timestamp + DAY
    registry.activate(sender=member)
    assert seated.oracle.reporters()[0] == key_of("second").address
    assert registry.reporter(member)[2:4] == ("0x" + "00" * 20, 0)


def test_schedule_signer__in_no_set__at_once_and_nothing_stays_scheduled(
    seated: Operators,
) -> None:
    """Otherwise an older key could take over when its operator comes back into a set."""
    registry, (stays, goes) = seated.registry, seated.accounts[:2]
    seated.rotate(goes, key_of("stale"))
    registry.scheduleSet([stays.address], sender=seated.oracle_admin)
    travel_to(chain.blocks.head.timestamp + DAY)
    registry.activate(sender=goes)
    receipt = seated.rotate(goes, key_of("fresh"))
    assert len(receipt.decode_logs(registry.SignerChanged)) == 1
    assert registry.reporter(goes) == (
        key_of("fresh").address, 0, "0x" + "00" * 20, 0, BOND,
    )  # fmt: skip
    registry.scheduleSet([stays.address, goes.address], sender=seated.oracle_admin)
    travel_to(chain.blocks.head.timestamp + DAY)
    registry.activate(sender=goes)
    assert seated.oracle.reporters()[1] == key_of("fresh").address


def test_schedule_signer__scheduled_for_a_set__takes_over_with_it_at_the_earliest(
    operators: Operators, seated: Operators, deployer: AccountAPI
) -> None:
    """What the admin and everybody else saw for a day is what comes into force."""
    registry, member = seated.registry, seated.accounts[2]
    registry.scheduleSet([member.address], sender=seated.oracle_admin)
    travel_to(chain.blocks.head.timestamp + DAY // 2)
    seated.rotate(member, key_of("late"))
    travel_to(chain.blocks.head.timestamp + DAY // 2)
    registry.activate(sender=deployer)
    assert seated.oracle.reporters() == [key_of(str(member.address)).address]
    travel_to(chain.blocks.head.timestamp + DAY // 2)
    registry.activate(sender=deployer)
    assert seated.oracle.reporters() == [key_of("late").address]


def test_set_reporters__by_the_admin_of_the_oracle_without_the_registrys_role__refused(
    operators: Operators, attacker: AccountAPI
) -> None:
    with ape.reverts():
        operators.oracle.setReporters([attacker.address], sender=attacker)
