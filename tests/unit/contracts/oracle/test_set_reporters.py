"""MetricsOracle.setReporters: 1 to 31 distinct accounts, at once."""

from __future__ import annotations

import ape
import pytest
from ape import project
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.oracle import Newsdesk, quorum_of, reporter_keys
from tests.support.scenario import travel_to_epoch

ZERO_ADDRESS = "0x" + "00" * 20
ADDRESSES = [key.address for key in reporter_keys(32)]


@pytest.mark.parametrize("count", [1, 2, 4, 31])
def test_set_reporters__so_many__kept_in_order(
    oracle: ContractInstance, oracle_admin: AccountAPI, count: int
) -> None:
    before = oracle.reporterSetId()
    receipt = oracle.setReporters(ADDRESSES[:count], sender=oracle_admin)

    assert list(oracle.reporters()) == ADDRESSES[:count]
    assert oracle.reporterSetId() == before + 1
    assert oracle.quorum() == quorum_of(count)
    [event] = receipt.decode_logs(oracle.ReportersChanged)
    assert event.event_arguments == {
        "reporterSetId": before + 1,
        "reporters": ADDRESSES[:count],
        "quorum": quorum_of(count),
    }


def test_set_reporters__replaced__old_ones_are_none_and_new_ones_sign(
    desk: Newsdesk,
    oracle: ContractInstance,
    oracle_admin: AccountAPI,
    cluster_id: int,
    first_epoch: int,
) -> None:
    keys = reporter_keys(11)[5:]
    oracle.setReporters([key.address for key in keys], sender=oracle_admin)
    assert [oracle.isReporter(key.address) for key in desk.keys] == [False] * 5 + [True] * 2
    assert all(oracle.isReporter(key.address) for key in keys)

    travel_to_epoch(first_epoch + 1)
    report = desk.report(first_epoch, cluster_id)
    with ape.reverts(oracle.MetricsOracle_NotAReporter, index=0, signer=desk.keys[0].address):
        desk.post(report)
    desk.post(report, keys[:5])
    assert desk.reading(cluster_id).epoch == first_epoch


@pytest.mark.parametrize("count", [0, 32])
def test_set_reporters__too_few_or_many__refused(
    oracle: ContractInstance, oracle_admin: AccountAPI, count: int
) -> None:
    with ape.reverts(oracle.MetricsOracle_ReporterCount, count=count, minimum=1, maximum=31):
        oracle.setReporters(ADDRESSES[:count], sender=oracle_admin)


@pytest.mark.parametrize("position", [0, 3])
def test_set_reporters__zero_address__refused(
    oracle: ContractInstance, oracle_admin: AccountAPI, position: int
) -> None:
    addresses = [*ADDRESSES[:position], ZERO_ADDRESS, *ADDRESSES[position:4]]
    with ape.reverts(oracle.MetricsOracle_BadReporter, reporter=ZERO_ADDRESS):
        oracle.setReporters(addresses, sender=oracle_admin)


@pytest.mark.parametrize(("first", "second"), [(0, 1), (0, 30), (29, 30), (7, 12)])
def test_set_reporters__one_twice__refused(
    oracle: ContractInstance, oracle_admin: AccountAPI, first: int, second: int
) -> None:
    addresses = ADDRESSES[:31]
    addresses[second] = addresses[first]
    with ape.reverts(oracle.MetricsOracle_BadReporter, reporter=addresses[first]):
        oracle.setReporters(addresses, sender=oracle_admin)


def test_set_reporters__without_the_role__refused(
    oracle: ContractInstance, admin: AccountAPI, issuer: AccountAPI, attacker: AccountAPI
) -> None:
    for account in (admin, issuer, attacker):
        with ape.reverts(oracle.AccessManagedUnauthorized, caller=account.address):
            oracle.setReporters(ADDRESSES[:4], sender=account)


def test_set_reporters__never_set__nobody_reports(
    authority: ContractInstance,
    registry: ContractInstance,
    deployer: AccountAPI,
    desk: Newsdesk,
    cluster_id: int,
    first_epoch: int,
) -> None:
    fresh = deployer.deploy(project.MetricsOracle, authority, registry)
    assert list(fresh.reporters()) == []
    assert (fresh.reporterSetId(), fresh.quorum()) == (0, 1)
    assert not fresh.isReporter(ZERO_ADDRESS)

    bare = Newsdesk(fresh, desk.keys, desk.transmitter)
    travel_to_epoch(first_epoch + 1)
    report = bare.report(first_epoch, cluster_id)
    with ape.reverts(fresh.MetricsOracle_NoQuorum, signatures=0, quorum=1):
        bare.post(report, [])
    with ape.reverts(fresh.MetricsOracle_NotAReporter, index=0, signer=desk.keys[0].address):
        bare.post(report, desk.keys[:1])


def test_is_reporter__others__not(
    desk: Newsdesk, oracle: ContractInstance, attacker: AccountAPI, oracle_admin: AccountAPI
) -> None:
    assert all(oracle.isReporter(key.address) for key in desk.keys)
    for account in (attacker.address, oracle_admin.address, oracle.address, ZERO_ADDRESS):
        assert not oracle.isReporter(account)
