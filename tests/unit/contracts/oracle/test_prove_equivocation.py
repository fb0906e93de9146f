"""ReporterRegistry.proveEquivocation: two reports of one cluster in one round cost the bond."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account.signers.local import LocalAccount
from eth_typing import Hash32

from tests.support.oracle import Figures, Report
from tests.support.reporters import BOND, Operators, in_round, key_of, signed
from tests.support.scenario import travel_to

EPOCH = 480_000


@pytest.fixture(scope="module")
def seated(operators: Operators) -> Operators:
    operators.set_up()
    return operators


@pytest.fixture
def report(seated: Operators) -> Report:
    return seated.report(EPOCH, 3, 5, 9)


def key(seated: Operators, number: int = 0) -> LocalAccount:
    return key_of(seated.addresses[number])


def test_prove__other_figures_of_one_cluster__bond_lost_and_reward_owed(
    seated: Operators, report: Report, attacker: AccountAPI, stablecoin: ContractInstance
) -> None:
    registry, operator = seated.registry, seated.accounts[0]
    registry.addBond(1, sender=operator)
    other = replace(report, figures=(Figures(4), replace(report.figures[1], billable=0)))
    receipt = registry.proveEquivocation(
        signed(report, key(seated)), signed(other, key(seated)), 1, 1, sender=attacker
    )
    (event,) = receipt.decode_logs(registry.EquivocationProved)
    assert (event.operator, event.signer, event.challenger) == (
        operator.address, key(seated).address, attacker.address,
    )  # fmt: skip
    assert (event.clusterId, event.epoch, event.round) == (5, EPOCH, 0)
    assert (event.forfeitedUsd6, event.rewardUsd6) == (BOND + 1, BOND // 2)
    treasury = registry.TREASURY()
    assert registry.owedUsd6(attacker) == BOND // 2
    assert registry.owedUsd6(treasury) == BOND // 2 + 1
    assert registry.reporter(operator).bondUsd6 == 0

    before = [stablecoin.balanceOf(account) for account in (attacker, treasury)]
    for account in (attacker, treasury):
        registry.pay(account, sender=operator)
    after = [stablecoin.balanceOf(account) for account in (attacker, treasury)]
    assert [b - a for a, b in zip(before, after, strict=True)] == [BOND // 2, BOND // 2 + 1]
    # What is left is the others' bonds, to the last unit.
    assert stablecoin.balanceOf(registry) == 4 * BOND
    with ape.reverts(registry.ReporterRegistry_NothingOwed, account=attacker.address):
        registry.pay(attacker, sender=attacker)


@pytest.mark.parametrize("what", ["samples", "figures under one root", "order of the two"])
def test_prove__any_difference__is_one(
    seated: Operators, report: Report, attacker: AccountAPI, what: str
) -> None:
    registry = seated.registry
    first, second = signed(report, key(seated)), signed(replace(report, salt=1), key(seated))
    if what == "figures under one root":
        words = [report.words[0] - (1 << 128), *report.words[1:]]
        digest = bytes(seated.oracle.reportDigest(report.header, words))
        signature = key(seated).unsafe_sign_hash(Hash32(digest)).signature
        second = (report.header, words, bytes(signature))
    if what == "order of the two":
        first, second = second, first
    registry.proveEquivocation(first, second, 0, 0, sender=attacker)
    assert registry.owedUsd6(attacker) == BOND // 2


def test_prove__same_report_twice__refused(
    seated: Operators, report: Report, attacker: AccountAPI
) -> None:
    registry, one = seated.registry, signed(report, key(seated))
    with ape.reverts(registry.ReporterRegistry_SameReport, digest=report.digest):
        registry.proveEquivocation(one, one, 0, 0, sender=attacker)


@pytest.mark.parametrize(
    "change",
    [
        lambda report: in_round(report, 1),
        lambda report: replace(report, epoch=report.epoch + 1),
        lambda report: replace(report, set_id=report.set_id + 1),
    ],
)
def test_prove__of_another_round_epoch_or_set__refused(
    seated: Operators, report: Report, attacker: AccountAPI, change: Callable[[Report], Report]
) -> None:
    """An honest reporter may sign both: in a later round there may be more samples."""
    registry = seated.registry
    first = signed(report, key(seated))
    second = signed(change(replace(report, salt=1)), key(seated))
    with ape.reverts(registry.ReporterRegistry_DifferentRounds):
        registry.proveEquivocation(first, second, 0, 0, sender=attacker)


def test_prove__other_clusters__refused(
    seated: Operators, report: Report, attacker: AccountAPI
) -> None:
    """An honest reporter may sign both: clusters that could not be measured come by themselves."""
    registry = seated.registry
    first = signed(report, key(seated))
    second = signed(seated.report(EPOCH, 4, 6), key(seated))
    with ape.reverts(registry.ReporterRegistry_DifferentClusters, first=3, second=4):
        registry.proveEquivocation(first, second, 0, 0, sender=attacker)
    for indexes, at in (((3, 0), (3, 3)), ((0, 2), (2, 2))):
        with ape.reverts(registry.ReporterRegistry_NoSuchFigures, index=at[0], count=at[1]):
            registry.proveEquivocation(first, second, *indexes, sender=attacker)


def test_prove__two_signers__refused(
    seated: Operators, report: Report, attacker: AccountAPI
) -> None:
    registry = seated.registry
    first = signed(report, key(seated))
    second = signed(replace(report, salt=1), key(seated, 1))
    with ape.reverts(
        registry.ReporterRegistry_DifferentSigners,
        first=key(seated).address,
        second=key(seated, 1).address,
    ):
        registry.proveEquivocation(first, second, 0, 0, sender=attacker)


def test_prove__no_valid_signatures__refused(
    seated: Operators, report: Report, attacker: AccountAPI
) -> None:
    registry = seated.registry
    first, second = (
        (one.header, one.words, bytes(65)) for one in (report, replace(report, salt=1))
    )
    with ape.reverts(registry.ReporterRegistry_DifferentSigners):
        registry.proveEquivocation(first, second, 0, 0, sender=attacker)


def test_prove__key_of_nobody__refused(
    seated: Operators, report: Report, attacker: AccountAPI
) -> None:
    registry, stranger = seated.registry, key_of("stranger")
    with ape.reverts(registry.ReporterRegistry_UnknownSigner, signer=stranger.address):
        registry.proveEquivocation(
            signed(report, stranger), signed(replace(report, salt=1), stranger), 0, 0,
            sender=attacker,
        )  # fmt: skip


def test_prove__again__nothing_left_to_lose(
    seated: Operators, report: Report, attacker: AccountAPI
) -> None:
    registry = seated.registry
    pair = signed(report, key(seated)), signed(replace(report, salt=1), key(seated))
    registry.proveEquivocation(*pair, 0, 0, sender=attacker)
    with ape.reverts(registry.ReporterRegistry_NoBond, operator=seated.addresses[0]):
        registry.proveEquivocation(*pair, 0, 0, sender=attacker)


def test_prove__by_the_offender__still_costs_half(seated: Operators, report: Report) -> None:
    registry, operator = seated.registry, seated.accounts[0]
    pair = signed(report, key(seated)), signed(replace(report, salt=1), key(seated))
    registry.proveEquivocation(*pair, 0, 0, sender=operator)
    assert registry.owedUsd6(operator) == BOND // 2


def test_prove__key_rotated_away_and_operator_leaving__bond_is_lost_until_it_is_out(
    seated: Operators, report: Report, attacker: AccountAPI
) -> None:
    registry, operator, stays = seated.registry, seated.accounts[0], seated.addresses[1]
    registry.scheduleSet([stays], sender=seated.oracle_admin)
    travel_to(chain.blocks.head.timestamp + 86_400)
    registry.activate(sender=attacker)
    seated.rotate(operator, key_of("newer"))
    free_at = registry.requestExit(sender=operator).timestamp + registry.EXIT_SECONDS()
    travel_to(free_at)
    pair = signed(report, key(seated)), signed(replace(report, salt=1), key(seated))
    registry.proveEquivocation(*pair, 0, 0, sender=attacker)
    assert registry.withdrawBond(sender=operator).return_value == 0


def test_prove__who_lost_the_bond__stops_a_set_and_can_stand_again(
    seated: Operators, report: Report, attacker: AccountAPI
) -> None:
    registry, operator = seated.registry, seated.accounts[0]
    registry.scheduleSet(seated.addresses[:2], sender=seated.oracle_admin)
    pair = signed(report, key(seated)), signed(replace(report, salt=1), key(seated))
    registry.proveEquivocation(*pair, 0, 0, sender=attacker)
    travel_to(chain.blocks.head.timestamp + 86_400)
    with ape.reverts(
        registry.ReporterRegistry_BondTooSmall,
        operator=operator.address,
        bondUsd6=0,
        minimumUsd6=BOND,
    ):
        registry.activate(sender=attacker)
    registry.addBond(BOND, sender=operator)
    registry.activate(sender=attacker)


def test_activate__scheduled_member_lost_the_bond__keys_of_the_present_set_are_rotated(
    seated: Operators, report: Report, attacker: AccountAPI
) -> None:
    """A key that may be stolen is not kept in force by somebody else's fault."""
    registry, rotated = seated.registry, key_of("newer")
    registry.scheduleSet(seated.addresses[:2], sender=seated.oracle_admin)
    seated.rotate(seated.accounts[1], rotated)
    pair = signed(report, key(seated)), signed(replace(report, salt=1), key(seated))
    registry.proveEquivocation(*pair, 0, 0, sender=attacker)
    travel_to(chain.blocks.head.timestamp + 86_400)
    registry.activate(sender=attacker)
    assert registry.operators() == seated.addresses
    assert seated.oracle.reporters()[1] == rotated.address
    registry.addBond(BOND, sender=seated.accounts[0])
    registry.activate(sender=attacker)
    assert registry.operators() == seated.addresses[:2]
