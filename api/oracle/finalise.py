"""Making figures final when their dispute window is over, so that the meters count them.

Everybody may call `finalize`, and one call is enough: the reporters take turns at it.

1. Of each cluster the oldest epoch that waits, as `follow` read it from the chain. While a dispute
   holds that one, nothing of the cluster can be made final: it is left alone until it is settled.
2. Time after the end of its window is cut into rounds of 60 s. In round r of epoch e of cluster c
   it is the turn of reporter (e + c + r) mod n: a reporter that is dead costs a round, and clusters
   that fall due together are shared out.
3. Whose turn it is asks the contract what it would count now. If that is nothing (somebody was
   faster, or this machine's clock is ahead of the chain's), there is nothing to do.
4. Otherwise it calls `finalize`, which counts all epochs of the cluster whose window is over. If
   two do so at once, the second counts nothing: it costs a little gas and changes nothing.
"""

from __future__ import annotations

from typing import Final

from api.clock import Clock
from api.oracle.chain_watch import ChainWatch
from api.oracle.rounds import proposer_of
from api.sending.sender import Call
from api.store.reports import ReportStore
from api.types import ROUND_SECONDS, Address

MAX_EPOCHS: Final = 48
"""Made final in one transaction: each takes about 20,000 gas, so all of them fit into any block."""


class Finalising:
    """Says what is to be made final by this reporter now."""

    def __init__(
        self, *, account: Address, watch: ChainWatch, clock: Clock, store: ReportStore
    ) -> None:
        self._account = account
        self._watch = watch
        self._clock = clock
        self._store = store

    async def due(self) -> Call | None:
        """The first call that it is this reporter's turn to make; None if there is none.

        Raises Unavailable or ChainError.
        """
        reporters = (await self._watch.refresh()).reporters
        if self._account not in reporters:
            return None
        now, oracle = self._clock.now(), self._watch.oracle
        for waiting in await self._store.waiting():
            round_ = (now - waiting.final_at) // ROUND_SECONDS
            turn = proposer_of(reporters, waiting.epoch, waiting.cluster_id + round_)
            if waiting.is_held or round_ < 0 or turn != self._account:
                continue
            if await oracle.finalizable(waiting.cluster_id, MAX_EPOCHS):
                return Call(
                    f"finalize/{waiting.cluster_id}/{waiting.epoch}",
                    oracle.address,
                    oracle.encode_finalize(waiting.cluster_id, MAX_EPOCHS),
                )
        return None
