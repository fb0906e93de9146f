"""scripts/_lib/share_acts.py: the console's verbs over pledges, freezes and orders."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from ape.api import AccountAPI
from rich.console import Console

from scripts._lib import operations, roles
from scripts._lib.console import InvestorConsole
from scripts._lib.record import Record
from scripts._lib.times import utc
from tests.support.enforcement import (
    DAY,
    FREEZE_SECONDS,
    ORDER_LIFE,
    RECOVERY_DELAY,
    attest_replacement,
    let_take,
)
from tests.support.income import now
from tests.support.scenario import SHARE, Scenario, travel_to

Shown = Callable[..., str]


@pytest.fixture(scope="module")
def life(
    record: Record,
    deployer: AccountAPI,
    admin: AccountAPI,
    registrar: AccountAPI,
    kyc_provider: AccountAPI,
    issuer: AccountAPI,
    operator: AccountAPI,
    trustee: AccountAPI,
    transfer_agent: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
    relayer: AccountAPI,
) -> Scenario:
    """Cluster 1 with both offices: `holder` has 300 shares and `relayer` as another wallet, and
    `keeper` may be pledged to."""
    life = Scenario(record.system(), deployer, registrar, kyc_provider, issuer, operator, trustee)
    cluster_id = life.register_cluster()
    share = life.open_funding(cluster_id)
    life.issue(share, [holder], [300 * SHARE])
    life.attest(other_holder)
    attest_replacement(life, holder, relayer)
    let_take(life, admin, keeper)
    operations.appoint(
        life.system, roles.TRANSFER_AGENT, cluster_id, transfer_agent.address, issuer
    )
    return life


@pytest.fixture
def shown(record: Record, life: Scenario) -> Shown:
    """Runs a verb and returns what it printed."""

    def run(verb: str, *arguments: object, **options: object) -> str:
        output = io.StringIO()
        console = Console(file=output, width=200, color_system=None)
        InvestorConsole(record.directory, console).verbs()[verb](*arguments, **options)
        return output.getvalue().strip()

    return run


def frozen(life: Scenario, account: AccountAPI) -> int:
    return int(operations.share_of(life.system, 1).getFrozenTokens(account))


# -- pledges -----------------------------------------------------------------------------------


def test_pledges__encumbered_assigned_and_released__are_shown(
    shown: Shown, life: Scenario, holder: AccountAPI, other_holder: AccountAPI, keeper: AccountAPI
) -> None:
    assert shown("pledges", holder) == f"{holder.address} has encumbered nothing."

    said = shown("encumber", 1, keeper, "2.5", who=holder)

    assert said == f"2.5 shares of {holder.address} are encumbered to {keeper.address}."
    share = operations.share_of(life.system, 1)
    share.assignIncome(keeper, SHARE, other_holder, sender=holder)
    table = shown("pledges", holder.address)
    assert re.search(
        rf"│ 1 +│ {keeper.address} │ released +│ {other_holder.address} │ +2\.5 │ +1 │", table
    )
    assert "is no number of shares" in shown("release", 1, holder, "many", who=keeper)
    assert shown("release", 1, holder, 1, who=keeper) == f"1 shares of {holder.address} released."
    assert shown("release", 1, holder, who=keeper) == f"1.5 shares of {holder.address} released."
    assert share.encumberedBalanceOf(holder) == 0


def test_encumber__until_a_date__is_shown_with_it(
    shown: Shown, holder: AccountAPI, keeper: AccountAPI
) -> None:
    shown("encumber", 1, keeper, 10, who=holder, until="2199-03-31T12:00")

    assert "│ 2199-03-31 12:00 UTC │ the owner │" in shown("pledges", holder)
    assert "is no date in UTC" in shown("encumber", 1, keeper, 1, who=holder, until="tomorrow")


@pytest.mark.parametrize(
    ("taker", "words"),
    [
        ("TEST::14", "ClusterShare_NotAnEncumbrancer"),
        ("0x12", "expected an address"),
        (None, "Whose?"),
    ],
)
def test_encumber__nobody_it_can_go_to__is_said(
    shown: Shown, holder: AccountAPI, taker: object, words: str
) -> None:
    assert words in shown("encumber", 1, taker, 1, who=holder)


def test_release__nothing_encumbered__is_said(
    shown: Shown, holder: AccountAPI, attacker: AccountAPI
) -> None:
    said = shown("release", 1, holder, who=attacker)

    assert said == f"{holder.address} has encumbered nothing to {attacker.address}"


def test_encumber__address_that_ape_has_no_key_of__cannot_sign(
    shown: Shown, keeper: AccountAPI
) -> None:
    stranger = "0x00000000000000000000000000000000000000AA"

    assert f"ape holds no account {stranger}" in shown("encumber", 1, keeper, 1, who=stranger)


# -- why not -----------------------------------------------------------------------------------


def test_why_not__transfers_that_can_and_cannot_be__has_words_for_each(
    shown: Shown,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
    attacker: AccountAPI,
) -> None:
    assert shown("why_not", 1, holder, other_holder, 300) == "Nothing is in the way."
    assert shown("why_not", 1, holder, other_holder, "300.5") == (
        "The sender has 300.000000 shares, less than 300.500000."
    )
    assert "not" in shown("why_not", 1, holder, attacker, 1)
    shown("encumber", 1, keeper, 200, who=holder)
    assert "200" in shown("why_not", 1, holder, other_holder, 101)
    assert "cluster 9 is not known" in shown("why_not", 9, holder, other_holder, 1)


# -- orders ------------------------------------------------------------------------------------


def test_freeze__so_many_and_everything__says_until_when(
    shown: Shown, life: Scenario, holder: AccountAPI, transfer_agent: AccountAPI
) -> None:
    said = shown("freeze", 1, holder, "case 7", 20, who=transfer_agent)

    until = utc(now() + FREEZE_SECONDS)
    assert said == f"20 shares of {holder.address} are frozen until {until}, if not confirmed."
    assert frozen(life, holder) == 20 * SHARE
    said = shown("freeze", 1, holder, "case 7", who=transfer_agent)
    assert said == f"Everything of {holder.address} is frozen until {until}, if not confirmed."
    assert frozen(life, holder) == 2**64 - 1


def test_freeze__reference_that_does_not_fit_or_no_office__is_said(
    shown: Shown, holder: AccountAPI, transfer_agent: AccountAPI, attacker: AccountAPI
) -> None:
    assert "takes 33 bytes" in shown("freeze", 1, holder, "x" * 33, who=transfer_agent)
    said = shown("freeze", 1, holder, "case 7", who=attacker)
    assert said == (
        f"the contract refused: Authorised_MissingPower(account={attacker.address},"
        " power=67: transfer agent, clusterId=1)"
    )
    assert shown("freeze", 1, holder, "case 7").startswith("Who signs?")


def test_recover__confirmed_and_executed__is_told_at_every_step(
    shown: Shown,
    life: Scenario,
    holder: AccountAPI,
    relayer: AccountAPI,
    transfer_agent: AccountAPI,
    trustee: AccountAPI,
    attacker: AccountAPI,
) -> None:
    assert shown("orders") == "No order was proposed."
    shown("freeze", 1, holder, "case 7", who=transfer_agent)

    said = shown("recover", 1, holder, relayer, "case 7", who=transfer_agent)

    at = now() + RECOVERY_DELAY
    line = f"order 1, cluster 1: everything of {holder.address} to {relayer.address}; "
    assert said == f"{line}waits for the trustee, executable from {utc(at)} at the earliest"
    confirmed = f"{line}confirmed, executable {utc(at)} to {utc(at + ORDER_LIFE)}"
    assert shown("confirm", 1, who=trustee) == confirmed
    assert shown("orders") == confirmed
    refused = shown("execute", 1, who=attacker)
    assert refused == f"the contract refused: Enforcement_TooEarly(executableAt={at})"
    travel_to(at + DAY)
    assert shown("execute", 1, who=attacker) == f"{line}executed"
    assert operations.share_of(life.system, 1).balanceOf(relayer) == 300 * SHARE


@pytest.mark.parametrize("verb", ["confirm", "execute"])
def test_order__that_was_never_proposed__is_said(
    shown: Shown, trustee: AccountAPI, verb: str
) -> None:
    assert "Enforcement_UnknownOrder(orderId=7)" in shown(verb, 7, who=trustee)
