"""ClusterShare.transferFrom: an allowance moves shares under the same rules as a transfer."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.income import DAY, UINT256_MAX, OpenShare, is_close, set_held, streamed
from tests.support.scenario import SHARE, USD

HOLDER_SHARES = 300_000 * SHARE


@pytest.mark.parametrize(("allowed", "left"), [(10, 3), (7, 0), (UINT256_MAX, UINT256_MAX)])
def test_transfer_from__allowed__moves_and_spends_the_allowance(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
    allowed: int,
    left: int,
) -> None:
    share.approve(keeper, allowed, sender=holder)
    share.transferFrom(holder, other_holder, 7, sender=keeper)
    assert share.balanceOf(holder) == HOLDER_SHARES - 7
    assert share.allowance(holder, keeper) == left


def test_transfer_from__more_than_allowed__refused(
    share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI, keeper: AccountAPI
) -> None:
    share.approve(keeper, 6, sender=holder)
    with ape.reverts(
        share.ERC20InsufficientAllowance, spender=keeper.address, allowance=6, needed=7
    ):
        share.transferFrom(holder, other_holder, 7, sender=keeper)


def test_transfer_from__to_whom_is_not_admitted__refused(
    share: ContractInstance, holder: AccountAPI, attacker: AccountAPI
) -> None:
    share.approve(attacker, 7, sender=holder)
    with ape.reverts(share.ERC7943CannotReceive, account=attacker.address):
        share.transferFrom(holder, attacker, 7, sender=attacker)


def test_transfer_from__more_than_is_available__refused(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
    admin: AccountAPI,
) -> None:
    share.approve(keeper, UINT256_MAX, sender=holder)
    set_held(ground, holder, admin, encumbered=HOLDER_SHARES - 6, frozen=0)
    with ape.reverts(share.ClusterShare_InsufficientAvailable, available=6, amount=7):
        share.transferFrom(holder, other_holder, 7, sender=keeper)


def test_transfer_from__in_mid_stream__income_as_with_a_transfer(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
) -> None:
    start = ground.fund(10_000 * USD).timestamp
    share.approve(keeper, HOLDER_SHARES, sender=holder)
    chain.pending_timestamp = start + DAY // 3
    share.transferFrom(holder, other_holder, HOLDER_SHARES, sender=keeper)
    before = streamed(10_000 * USD, start, start + DAY // 3)
    assert is_close(ground.earned(holder), before * 3 / 4)
    assert is_close(ground.earned(other_holder), before / 4)
    assert ground.earned(keeper) == 0
