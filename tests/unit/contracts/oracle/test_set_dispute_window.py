"""MetricsOracle.setDisputeWindow: 0 to 1 day, for later reports."""

from __future__ import annotations

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.oracle import DAY_SECONDS


@pytest.mark.parametrize("seconds", [0, 1, 3_600, DAY_SECONDS])
def test_set_dispute_window__in_range__set_and_told(
    oracle: ContractInstance, oracle_admin: AccountAPI, seconds: int
) -> None:
    oracle.setDisputeWindow(77, sender=oracle_admin)
    receipt = oracle.setDisputeWindow(seconds, sender=oracle_admin)
    assert oracle.disputeWindowSeconds() == seconds
    [event] = receipt.decode_logs(oracle.DisputeWindowChanged)
    assert event.event_arguments == {"previousSeconds": 77, "newSeconds": seconds}


@pytest.mark.parametrize("seconds", [DAY_SECONDS + 1, 2**32, 2**256 - 1])
def test_set_dispute_window__above_a_day__refused(
    oracle: ContractInstance, oracle_admin: AccountAPI, seconds: int
) -> None:
    with ape.reverts(
        oracle.MetricsOracle_WindowOutOfRange, secondsAsked=seconds, limit=DAY_SECONDS
    ):
        oracle.setDisputeWindow(seconds, sender=oracle_admin)


def test_set_dispute_window__without_the_role__refused(
    oracle: ContractInstance, admin: AccountAPI, issuer: AccountAPI, attacker: AccountAPI
) -> None:
    for account in (admin, issuer, attacker):
        with ape.reverts(oracle.AccessManagedUnauthorized, caller=account.address):
            oracle.setDisputeWindow(0, sender=account)


def test_dispute_window_seconds__as_deployed__zero(oracle: ContractInstance) -> None:
    assert oracle.disputeWindowSeconds() == 0
    assert oracle.MAX_DISPUTE_WINDOW_SECONDS() == DAY_SECONDS
