"""What a reporter keeps of what others signed: proofs, and no more than a liar may cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.chain.views import Block
from api.clock import ManualClock
from api.domain.eip712 import oracle_domain
from api.domain.epochs import epoch_end
from api.domain.equivocation import SignedReport
from api.domain.signing import Signer
from api.errors import PeerUnavailable
from api.oracle import shapes
from api.oracle.chain_watch import ChainSnapshot, ChainWatch
from api.oracle.metrics import Metrics
from api.oracle.peers import Peer
from api.oracle.vigil import HEARD_EPOCHS, MAX_CLAIMS, MAX_EPOCH_CLAIMS, Vigil
from api.store.claims import ClaimStore
from api.store.database import Database
from api.types import ROUND_SECONDS, Address, Digest, Epoch, Signature

DOMAIN = oracle_domain(31337, Address("0x2222222222222222222222222222222222222222"))
KEY, OTHER, STRANGER = (Signer(bytes([number]) * 32) for number in (5, 6, 7))
SET = 3
EPOCH = Epoch(480_000)
NOW = epoch_end(EPOCH) + ROUND_SECONDS
"""The second round of EPOCH has begun."""


@dataclass
class Neighbour:
    """A peer that tells these entries, whatever it is asked for."""

    entries: Sequence[Mapping[str, Any]] = ()
    address: Address = OTHER.address
    is_away: bool = False
    asked: list[tuple[int, int]] = field(default_factory=list)

    async def claims(self, reporter_set_id: int, epoch: Epoch) -> Sequence[Mapping[str, Any]]:
        if self.is_away:
            raise PeerUnavailable(self.address, "away")
        self.asked.append((reporter_set_id, epoch))
        return self.entries


@dataclass
class Post:
    """A vigil with its clock, its store and its peers."""

    vigil: Vigil
    store: ClaimStore
    clock: ManualClock
    metrics: Metrics
    peers: list[Neighbour]

    async def kept(self, epoch: int = EPOCH, signer: Signer = KEY) -> int:
        return await self.store.count(SET, Epoch(epoch), signer.address)


@pytest.fixture
def post(database: Database) -> Post:
    reporters = (KEY.address, OTHER.address)
    snapshot = ChainSnapshot(Block(9, NOW, b"", b"", 1), SET, reporters, 2, {})
    watch = SimpleNamespace(snapshot=snapshot, current=lambda: snapshot)
    clock, store, metrics = ManualClock(NOW * 1_000), ClaimStore(database), Metrics()
    peers: list[Neighbour] = []
    vigil = Vigil(
        watch=cast(ChainWatch, watch),
        clock=clock,
        store=store,
        peers=lambda: cast(Sequence[Peer], peers),
        domain=DOMAIN,
        metrics=metrics,
    )
    return Post(vigil, store, clock, metrics, peers)


def report(signer: Signer = KEY, root: int = 1, clusters: int = 1, **change: Any) -> SignedReport:
    """A report of round 0 of EPOCH, but for what is changed."""
    words = tuple(cluster << 160 for cluster in range(1, clusters + 1))
    unsigned = SignedReport(SET, EPOCH, 0, Digest(root.to_bytes(32)), words, Signature(b""))
    unsigned = replace(unsigned, **change)
    return replace(unsigned, signature=signer.sign(unsigned.digest(DOMAIN)))


def told(*reports: SignedReport) -> list[dict[str, Any]]:
    """As a reporter's REST tells them."""
    return [shapes.claim(one).model_dump(by_alias=True) for one in reports]


async def test_hear__two_of_one_thing__kept_counted_and_told(post: Post) -> None:
    first, second = report(), report(root=2)
    await post.vigil.hear(first)
    assert await post.vigil.equivocations() == []
    await post.vigil.hear(second)
    await post.vigil.hear(second)
    (proof,) = await post.vigil.equivocations()
    assert (proof.reporter, proof.first, proof.second) == (KEY.address, first, second)
    series = f'rackstream_equivocations_total{{reporter="{KEY.address}"}} 1.0'
    assert series in post.metrics.render().decode()
    assert await post.vigil.claims(SET, EPOCH) == [first, second]


@pytest.mark.parametrize(
    "one",
    [
        report(STRANGER),
        report(reporter_set_id=SET - 1),
        report(clusters=3),
        replace(report(), signature=Signature(bytes(65))),
    ],
    ids=["no reporter", "of another set", "more clusters than there are", "unsigned"],
)
async def test_hear__what_no_present_reporter_signs__not_kept(
    post: Post, one: SignedReport
) -> None:
    await post.vigil.hear(one)
    assert await post.vigil.claims(one.reporter_set_id, EPOCH) == []


@pytest.mark.parametrize(
    ("age", "is_kept"),
    [(-1, False), (0, False), (1, True), (HEARD_EPOCHS, True), (HEARD_EPOCHS + 1, False)],
)
async def test_hear__epoch_of_an_age__kept_for_a_day_once_it_is_over(
    post: Post, age: int, is_kept: bool
) -> None:
    epoch = Epoch(EPOCH + 1 - age)
    await post.vigil.hear(report(epoch=epoch))
    assert await post.kept(epoch) == is_kept
    assert HEARD_EPOCHS == 25


@pytest.mark.parametrize(
    ("round_", "is_kept"), [(0, True), (2, True), (3, False), (2**32 - 1, False)]
)
async def test_hear__round__kept_up_to_the_next_one(post: Post, round_: int, is_kept: bool) -> None:
    await post.vigil.hear(report(round=round_))
    assert await post.kept() == is_kept


async def test_hear__many_of_one_round__a_few_are_proof(post: Post) -> None:
    for root in range(1, MAX_CLAIMS + 3):
        await post.vigil.hear(report(root=root))
    assert await post.kept() == MAX_CLAIMS
    assert len(await post.vigil.equivocations()) == 1


async def test_hear__many_of_one_epoch__bounded_for_each_signer_by_itself(post: Post) -> None:
    post.clock.advance_ms(80 * ROUND_SECONDS * 1_000)
    rounds = MAX_EPOCH_CLAIMS // MAX_CLAIMS
    for number in range(MAX_EPOCH_CLAIMS + MAX_CLAIMS):
        await post.vigil.hear(report(root=number + 1, round=number // MAX_CLAIMS))
    assert await post.kept() == MAX_EPOCH_CLAIMS
    last = report(root=999, round=rounds)
    await post.vigil.hear(last)
    assert last not in await post.vigil.claims(SET, EPOCH)
    await post.vigil.hear(report(OTHER))
    await post.vigil.hear(report(epoch=Epoch(EPOCH - 1)))
    assert (await post.kept(signer=OTHER), await post.kept(EPOCH - 1)) == (1, 1)


async def test_ask__peers_were_told_different_things__proof_together(post: Post) -> None:
    post.peers += [
        Neighbour(told(report())),
        Neighbour(told(report(root=2))),
        Neighbour(is_away=True),
        Neighbour([{"reporterSetId": SET}]),
    ]
    await post.vigil.ask()
    assert post.peers[0].asked == [(SET, EPOCH - 1), (SET, EPOCH)]
    assert len(await post.vigil.equivocations()) == 1


async def test_ask__peer_tells_of_other_epochs__bounded_as_ever(post: Post) -> None:
    old, new = Epoch(EPOCH - HEARD_EPOCHS), Epoch(EPOCH + 1)
    post.peers.append(Neighbour(told(*(report(epoch=epoch) for epoch in (old, new, EPOCH)))))
    await post.vigil.ask()
    assert [await post.kept(epoch) for epoch in (old, new, EPOCH)] == [0, 0, 1]
