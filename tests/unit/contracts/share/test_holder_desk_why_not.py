"""HolderDesk.whyNot: each reason in its words, and none where shares can be sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from ape.exceptions import ContractLogicError

from scripts._lib import roles
from tests.support.capital import deploy_commanded_share
from tests.support.desk import ZERO_ADDRESS, Counter
from tests.support.scenario import SHARE, Scenario, travel_to

OWNED = 300 * SHARE
CLASS = 2
"""Of every investor here, by `Scenario.attestation`."""


@dataclass(frozen=True)
class Case:
    """One cluster and two holders of it, under rules that the test sets."""

    scenario: Scenario
    cluster_id: int
    share: ContractInstance
    enforcement: AccountAPI
    compliance: AccountAPI
    admin: AccountAPI
    sender: AccountAPI
    receiver: AccountAPI
    newcomer: AccountAPI

    def why_not(self, to: AccountAPI | str, amount: int, sender: AccountAPI | None = None) -> str:
        """The desk's words, after trying: they are empty if and only if it succeeds."""
        sender = sender or self.sender
        reason = str(self.scenario.system.desk.whyNot(self.cluster_id, sender, to, amount))
        try:
            self.share.transfer.call(to, amount, sender=sender)
        except ContractLogicError:
            assert reason
        else:
            assert not reason
        return reason

    def limit(self, **limits: object) -> None:
        """Put limits in force, after their notice."""
        none = {
            "minHolding": 0,
            "maxHolding": 0,
            "maxHolders": 0,
            "lockedUntilDay": [0, 0, 0],
            "excludesCountries": False,
        }
        identity = self.scenario.system.identity
        identity.scheduleLimits(self.share, none | limits, sender=self.scenario.issuer)
        if self.share.totalSupply():
            self._notice()

    def exclude(self, country: int) -> None:
        identity = self.scenario.system.identity
        identity.scheduleCountries(self.share, [country], True, sender=self.scenario.issuer)
        self._notice()

    def _notice(self) -> None:
        identity = self.scenario.system.identity
        travel_to(int(chain.pending_timestamp) + identity.RULES_NOTICE_SECONDS())
        identity.applyRules(self.share, sender=self.scenario.issuer)

    def block(self, wallet: AccountAPI) -> None:
        authority = self.scenario.system.authority
        authority.grantRole(roles.ENFORCEMENT_ROLE, self.admin, 0, sender=self.admin)
        self.scenario.system.identity.blockWallet(wallet, sender=self.admin)


@pytest.fixture(scope="module")
def unissued(
    scenario: Scenario,
    deployer: AccountAPI,
    compliance: AccountAPI,
    admin: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
) -> Case:
    """All three are attested; nobody holds."""
    cluster_id = scenario.register_cluster()
    share = deploy_commanded_share(scenario, cluster_id, deployer)
    scenario.attest(holder, other_holder, keeper)
    return Case(
        scenario, cluster_id, share, deployer, compliance, admin, holder, other_holder, keeper
    )


@pytest.fixture(scope="module")
def case(unissued: Case, scenario: Scenario) -> Case:
    """The sender has 300 shares of another cluster, the receiver 100, the newcomer none."""
    cluster_id = scenario.register_cluster()
    share = deploy_commanded_share(scenario, cluster_id, unissued.enforcement)
    scenario.issue(share, [unissued.sender, unissued.receiver], [OWNED, 100 * SHARE])
    return replace(unissued, cluster_id=cluster_id, share=share)


def test_why_not__nothing_in_the_way__empty(case: Case) -> None:
    assert case.why_not(case.receiver, OWNED) == ""
    assert case.why_not(case.newcomer, 1) == ""
    assert case.why_not(case.sender, OWNED) == ""
    assert case.why_not(case.receiver, 0) == ""


def test_why_not__more_than_there_is__says_both(case: Case) -> None:
    assert case.why_not(case.receiver, OWNED + 1) == (
        "The sender has 300.000000 shares, less than 300.000001."
    )
    assert case.why_not(case.receiver, 1, sender=case.newcomer) == (
        "The sender has 0.000000 shares, less than 0.000001."
    )
    assert case.why_not(case.receiver, 2**256 - 1).endswith(f"{(2**256 - 1) // SHARE}.639935.")


def test_why_not__receiver_that_can_never_be__says_so(case: Case) -> None:
    assert case.why_not(ZERO_ADDRESS, 0) == "Shares cannot be sent to the zero address."
    assert case.why_not(case.share.address, 0) == "The share contract cannot hold its own shares."


def test_why_not__sender_is_nobody__says_so(case: Case) -> None:
    desk = case.scenario.system.desk
    assert desk.whyNot(case.cluster_id, ZERO_ADDRESS, case.receiver, 0) == (
        "The zero address sends no shares."
    )


def test_why_not__partly_frozen_and_encumbered__says_what_is_left(
    case: Case, relayer: AccountAPI
) -> None:
    authority = case.scenario.system.authority
    authority.grantRole(roles.ENCUMBRANCER_ROLE, relayer, 0, sender=case.admin)
    case.share.encumber(relayer, 50 * SHARE, sender=case.sender)
    assert case.why_not(case.receiver, 250 * SHARE) == ""
    case.share.setFrozenTokens(case.sender, 100 * SHARE, sender=case.enforcement)
    assert case.why_not(case.receiver, 150 * SHARE) == ""
    assert case.why_not(case.receiver, 150 * SHARE + 1) == (
        "Of the sender's 300.000000 shares 100.000000 are frozen by order and 50.000000 encumbered:"
        " 150.000000 can be sent, less than 150.000001."
    )


def test_why_not__frozen_whole__says_so(case: Case) -> None:
    case.share.setFrozenTokens(case.sender, 2**64 - 1, sender=case.enforcement)
    assert case.why_not(case.receiver, 1) == "All shares of the sender are frozen by order."
    assert case.why_not(case.receiver, 0) == ""


def test_why_not__books_closed__says_so(case: Case) -> None:
    registry = case.scenario.system.registry
    registry.goLive(case.cluster_id, sender=case.scenario.issuer)
    registry.retire(case.cluster_id, sender=case.scenario.issuer)
    assert case.why_not(case.receiver, 1) == ""
    case.share.closeBooks(sender=case.sender)
    assert case.why_not(case.receiver, 0) == (
        "The cluster is retired and its books are closed: its shares can no longer be sent."
    )


def test_why_not__sender_blocked__says_so(case: Case) -> None:
    case.block(case.sender)
    assert case.why_not(case.receiver, 1) == "The sender's wallet is blocked for good."


def test_why_not__receiver_blocked__says_so(case: Case) -> None:
    case.block(case.receiver)
    assert case.why_not(case.receiver, 1) == "The receiver's wallet is blocked for good."


def test_why_not__receiver_unknown_expired_or_revoked__says_so(
    case: Case, attacker: AccountAPI
) -> None:
    words = "The receiver is not attested to as an investor, or no longer."
    assert case.why_not(attacker, 1) == words
    case.scenario.system.identity.revokeWallet(case.receiver, sender=case.compliance)
    assert case.why_not(case.receiver, 1) == words
    travel_to(case.scenario.system.identity.attestationOf(case.newcomer).expiresAt)
    assert case.why_not(case.newcomer, 1) == words


def test_why_not__senders_class_locked__says_until_which_date(unissued: Case) -> None:
    today = datetime.fromtimestamp(int(chain.pending_timestamp), tz=UTC).date()
    until = today + timedelta(days=40)
    day = (until - date(1970, 1, 1)).days
    unissued.limit(lockedUntilDay=[0, day, 0])
    assert unissued.scenario.attestation(unissued.sender)["investorClass"] == CLASS
    unissued.scenario.issue(unissued.share, [unissued.sender], [OWNED])
    assert unissued.why_not(unissued.receiver, 1) == (
        f"Shares of the sender's class of investors are locked until {until.isoformat()}."
    )
    travel_to(day * 86_400)
    assert unissued.why_not(unissued.receiver, 1) == ""


def test_why_not__receivers_country_excluded__says_which(case: Case) -> None:
    case.limit(excludesCountries=True)
    case.exclude(528)
    assert case.why_not(case.receiver, 1) == (
        "Investors of the receiver's country (ISO 3166-1: 528) are excluded from this share."
    )


def test_why_not__less_than_the_least_holding__says_whose_and_how_much(case: Case) -> None:
    case.limit(minHolding=20 * SHARE)
    assert case.why_not(case.newcomer, 20 * SHARE - 1) == (
        "The receiver would hold 19.999999 shares, less than the least holding of 20.000000."
    )
    assert case.why_not(case.receiver, OWNED - 1) == (
        "The sender would keep 0.000001 shares, less than the least holding of 20.000000."
    )
    assert case.why_not(case.newcomer, 20 * SHARE) == ""
    assert case.why_not(case.receiver, OWNED) == ""


def test_why_not__several_wallets_of_one_investor__counts_what_all_of_them_hold(
    case: Case, relayer: AccountAPI
) -> None:
    owner = case.scenario.system.identity.attestationOf(case.receiver).investorId
    case.scenario.attest(relayer, investorId=owner)
    case.limit(maxHolding=350 * SHARE)
    assert case.why_not(relayer, 250 * SHARE) == ""
    assert case.why_not(relayer, 251 * SHARE) == (
        "The receiver would hold 351.000000 shares, more than the greatest holding of 350.000000."
    )
    assert case.why_not(case.receiver, 251 * SHARE).startswith("The receiver would hold 351.000000")


def test_why_not__holders_at_their_limit__says_the_limit(case: Case) -> None:
    case.limit(maxHolders=2)
    assert case.why_not(case.newcomer, 1) == (
        "The share may have at most 2 holders and has no room for another."
    )
    assert case.why_not(case.receiver, 1) == ""
    assert case.why_not(case.newcomer, OWNED) == ""


def test_why_not__recovered_wallet__has_nothing_and_may_send_nothing(
    counter: Counter, desk: ContractInstance, other_holder: AccountAPI, relayer: AccountAPI
) -> None:
    lost = counter.account.address
    counter.recover(counter.shares[0], lost, relayer)
    reason = desk.whyNot(counter.cluster_ids[0], lost, other_holder, 1)
    assert reason == "The sender has 0.000000 shares, less than 0.000001."


def test_why_not__no_share_or_no_cluster__refused(
    desk: ContractInstance, scenario: Scenario, holder: AccountAPI
) -> None:
    proposed = scenario.register_cluster()
    with ape.reverts(desk.HolderDesk_NoShare, clusterId=proposed):
        desk.whyNot(proposed, holder, holder, 1)
    with ape.reverts():
        desk.whyNot(10_000, holder, holder, 1)
