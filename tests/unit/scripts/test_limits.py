"""scripts/_lib/limits.py: what a share asks of its holders, and what becomes of a change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from api.errors import OutOfRange
from scripts._lib import limits
from scripts._lib.deployment import System
from scripts._lib.limits import Change
from scripts._lib.record import Record
from scripts._lib.times import parse_utc, utc
from tests.support.income import now
from tests.support.scenario import SHARE, Scenario, travel_to

WEEK = 7 * 86_400
NETHERLANDS, GERMANY, FRANCE = 528, 276, 250


@dataclass(frozen=True)
class Issue:
    """A cluster in Funding of the deployment on record, and who issues its shares."""

    record: Record
    life: Scenario
    cluster_id: int
    share: ContractInstance

    @property
    def system(self) -> System:
        return self.life.system

    def schedule(self, **changes: Any) -> None:
        limits.schedule(self.system, self.cluster_id, Change(**changes), self.life.issuer)

    def lines(self) -> list[str]:
        return list(limits.in_words(self.record, self.cluster_id))

    def sell(self, holder: AccountAPI) -> None:
        self.life.issue(self.share, [holder], [10 * SHARE])


@pytest.fixture(scope="module")
def issue(
    record: Record,
    deployer: AccountAPI,
    registrar: AccountAPI,
    kyc_provider: AccountAPI,
    issuer: AccountAPI,
    operator: AccountAPI,
    trustee: AccountAPI,
) -> Issue:
    life = Scenario(record.system(), deployer, registrar, kyc_provider, issuer, operator, trustee)
    cluster_id = life.register_cluster()
    return Issue(record, life, cluster_id, life.open_funding(cluster_id))


def test_schedule__nothing_issued__is_in_force_at_once(issue: Issue) -> None:
    assert issue.lines() == ["0 investors hold cluster 1", "in force: no limits"]

    issue.schedule(
        min_holding=5 * SHARE // 2,
        max_holding=100 * SHARE,
        max_holders=50,
        # A lock-up ends with a day: this one with the next.
        locked_until={"retail": parse_utc("2099-01-01T12:00"), "institution": None},
        excludes_countries=True,
        excluded=(GERMANY, NETHERLANDS),
    )

    assert issue.lines() == [
        "0 investors hold cluster 1",
        "in force: at least 2.5 shares an investor; at most 100 shares an investor; at most 50"
        " investors; retail locked until 2099-01-02 00:00 UTC; countries excluded: 276, 528",
    ]
    issue.schedule(max_holding=0, admitted=(GERMANY,))
    assert issue.lines()[1] == (
        "in force: at least 2.5 shares an investor; at most 50 investors;"
        " retail locked until 2099-01-02 00:00 UTC; countries excluded: 528"
    )


def test_schedule__tighter_with_shares_issued__acts_when_applied_after_its_notice(
    issue: Issue, holder: AccountAPI, keeper: AccountAPI
) -> None:
    issue.sell(holder)

    issue.schedule(min_holding=SHARE)

    at = now() + WEEK
    assert issue.lines() == [
        "1 investors hold cluster 1",
        "in force: no limits",
        f"from {utc(at)}, by --apply: at least 1 shares an investor",
    ]
    travel_to(at)
    limits.apply(issue.system, issue.cluster_id, keeper)
    assert issue.lines()[1:] == ["in force: at least 1 shares an investor"]


def test_schedule__another_limit_in_the_meantime__keeps_what_was_scheduled(
    issue: Issue, holder: AccountAPI
) -> None:
    issue.sell(holder)
    issue.schedule(min_holding=SHARE, excludes_countries=True, excluded=(GERMANY, FRANCE))

    issue.schedule(max_holders=9, excluded=(NETHERLANDS,), admitted=(FRANCE,))

    scheduled = "at least 1 shares an investor; at most 9 investors; countries excluded"
    assert [line.partition(", by --apply: ")[2] for line in issue.lines()[2:]] == [
        scheduled,
        f"countries {GERMANY}, {NETHERLANDS} excluded",
    ]
    issue.schedule(admitted=(FRANCE,))
    assert issue.lines()[3].endswith(f"countries {GERMANY}, {NETHERLANDS} excluded")
    limits.withdraw(issue.system, issue.cluster_id, issue.life.issuer)
    assert issue.lines() == ["1 investors hold cluster 1", "in force: no limits"]


def test_schedule__what_is_so_already__sends_nothing(issue: Issue) -> None:
    issue.schedule(max_holders=9)
    height = chain.blocks.height

    issue.schedule(max_holders=9)

    assert chain.blocks.height == height
    assert not Change().is_any


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"min_holding": 2**64}, "least holding is 18446744073709551616"),
        ({"max_holding": 2**64}, "most holding is 18446744073709551616"),
        (
            {"locked_until": {"retail": parse_utc("2149-06-06T00:00:01")}},
            "day of a lock-up is 65536, allowed is 0 to 65535",
        ),
    ],
)
def test_schedule__more_than_the_contract_can_hold__is_said(
    issue: Issue, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(OutOfRange, match=words):
        issue.schedule(**change)
