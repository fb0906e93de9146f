"""ClusterShare.delegate and votes: as OpenZeppelin's, by Unix second."""

from __future__ import annotations

import ape
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account.messages import encode_typed_data

from tests.support.income import DAY, OpenShare, delegate, is_close, now, past
from tests.support.scenario import SHARE, USD, Scenario, travel_to
from tests.support.signing import signed

HOLDER_SHARES = 300_000 * SHARE
OTHER_SHARES = 100_000 * SHARE
ZERO_ADDRESS = "0x" + "00" * 20


def test_delegate__to_oneself_and_to_another__votes_and_events(
    share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI, keeper: AccountAPI
) -> None:
    assert share.getVotes(holder) == 0
    delegate(share, holder, sender=holder)
    assert share.getVotes(holder) == HOLDER_SHARES
    receipt = delegate(share, keeper, sender=holder)
    [event] = receipt.decode_logs(share.DelegateChanged)
    assert (event.delegator, event.fromDelegate, event.toDelegate) == (
        holder.address,
        holder.address,
        keeper.address,
    )
    delegate(share, keeper, sender=other_holder)
    assert (share.getVotes(holder), share.getVotes(keeper)) == (0, HOLDER_SHARES + OTHER_SHARES)
    assert share.delegates(holder) == share.delegates(other_holder) == keeper.address


def test_delegate__none_any_more__votes_gone_and_transfers_move_none(
    share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI, keeper: AccountAPI
) -> None:
    delegate(share, keeper, sender=holder)
    delegate(share, ZERO_ADDRESS, sender=holder)
    assert share.getVotes(keeper) == 0
    share.transfer(other_holder, SHARE, sender=holder)
    assert share.getVotes(keeper) == 0


def test_delegate__either_or_both_sides__transfers_move_votes(
    share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI, keeper: AccountAPI
) -> None:
    delegate(share, holder, sender=holder)
    share.transfer(other_holder, 5, sender=holder)
    assert share.getVotes(holder) == HOLDER_SHARES - 5
    delegate(share, keeper, sender=other_holder)
    assert share.getVotes(keeper) == OTHER_SHARES + 5
    share.transfer(other_holder, 7, sender=holder)
    assert (share.getVotes(holder), share.getVotes(keeper)) == (
        HOLDER_SHARES - 12,
        OTHER_SHARES + 12,
    )
    delegate(share, ZERO_ADDRESS, sender=holder)
    share.transfer(other_holder, 1, sender=holder)
    assert (share.getVotes(holder), share.getVotes(keeper)) == (0, OTHER_SHARES + 13)


def test_delegate__before_holding_anything__votes_come_with_the_shares(
    share: ContractInstance, scenario: Scenario, holder: AccountAPI, keeper: AccountAPI
) -> None:
    delegate(share, keeper, sender=keeper)
    scenario.attest(keeper)
    share.transfer(keeper, 9, sender=holder)
    assert share.getVotes(keeper) == 9


def test_delegate__past_votes__by_second_and_only_of_the_past(
    share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    delegated_at = past(delegate(share, holder, sender=holder))
    moved_at = past(share.transfer(other_holder, SHARE, sender=holder))
    travel_to(moved_at + 100)
    assert share.getPastVotes(holder, delegated_at - 1) == 0
    assert share.getPastVotes(holder, delegated_at) == HOLDER_SHARES
    assert share.getPastVotes(holder, moved_at - 1) == HOLDER_SHARES
    assert share.getPastVotes(holder, moved_at) == HOLDER_SHARES - SHARE
    assert share.getPastVotes(holder, moved_at + 99) == HOLDER_SHARES - SHARE
    assert share.getPastTotalSupply(moved_at + 99) == share.totalSupply()
    with ape.reverts(share.ERC5805FutureLookup, timepoint=now(), clock=now()):
        share.getPastVotes(holder, now())


def test_delegate__in_mid_stream__moves_no_income(
    ground: OpenShare, share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    start = ground.fund(4_000 * USD).timestamp
    for step in range(1, 5):
        chain.pending_timestamp = start + step * DAY // 5
        delegate(share, other_holder if step % 2 else holder, sender=holder)
    travel_to(start + 2 * DAY)
    assert is_close(ground.earned(holder), 3_000 * USD)
    assert ground.is_conserved(holder, other_holder)


def test_delegate_by_sig__signed_by_the_holder__delegates_once(
    share: ContractInstance, holder: AccountAPI, keeper: AccountAPI, relayer: AccountAPI
) -> None:
    expiry = now() + 600
    message = encode_typed_data(
        domain_data={
            "name": share.name(),
            "version": "1",
            "chainId": chain.chain_id,
            "verifyingContract": share.address,
        },
        message_types={
            "Delegation": [
                {"name": "delegatee", "type": "address"},
                {"name": "nonce", "type": "uint256"},
                {"name": "expiry", "type": "uint256"},
            ]
        },
        message_data={"delegatee": keeper.address, "nonce": 0, "expiry": expiry},
    )
    arguments = (keeper, 0, expiry, *signed(holder, message))
    share.delegateBySig(*arguments, sender=relayer)
    assert share.getVotes(keeper) == HOLDER_SHARES
    share.transfer(holder, 1, sender=holder)
    assert share.getVotes(keeper) == HOLDER_SHARES
    with ape.reverts(share.InvalidAccountNonce):
        share.delegateBySig(*arguments, sender=relayer)


def test_clock__always__unix_seconds(share: ContractInstance) -> None:
    assert share.clock() == now()
    assert share.CLOCK_MODE() == "mode=timestamp"
