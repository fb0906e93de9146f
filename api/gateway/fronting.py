"""Finds payments that somebody else has brought to the stablecoin before they were brought here.

1. A successful transaction used the authorisation and moved its value to the address that it names:
   `AuthorizationUsed` without that `Transfer` is no payment.
2. The settler had no part in it: what it takes it splits, once.
3. It is as deep in the chain as it has to be, and not so old that it would have to be searched for.

Its bytes are public then: whoever brings them first is served for them, as with any payment that is
handed around. What that request does not use is still its payer's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from api.chain.client import WINDOW_BLOCKS, ChainClient
from api.chain.contracts import Stablecoin, X402Settler
from api.chain.views import Log
from api.domain.codec import to_hex
from api.domain.eip3009 import Authorization
from api.domain.exact_batches import ExactBatch
from api.errors import PaymentRefused
from api.types import Digest

PENDING: Final = "settlement_pending"


class Fronting:
    """Looks at the stablecoin's past."""

    def __init__(
        self,
        *,
        client: ChainClient,
        stablecoin: Stablecoin,
        settler: X402Settler,
        confirmations: int,
    ) -> None:
        self._client = client
        self._stablecoin = stablecoin
        self._settler = settler
        self._confirmations = confirmations

    async def paid_in(self, one: Authorization) -> Digest | None:
        """The transaction by which somebody else has paid; None if nobody has.

        Raises PaymentRefused while that is not deep enough: it can be brought again.
        """
        if not await self._stablecoin.is_used(one.payer, one.nonce):
            return None
        newest = (await self._client.block()).number
        used = await self._stablecoin.used_in(
            one.payer,
            one.nonce,
            from_block=max(newest - WINDOW_BLOCKS + 1, 0),
            to_block=newest,
        )
        mined = None if used is None else await self._client.receipt(used.tx_hash)
        if mined is None or not mined.succeeded:
            return None
        if not self._stablecoin.has_moved(mined.logs, one) or self._is_settled(mined.logs, one):
            return None
        depth = newest - mined.block_number
        if depth < self._confirmations:
            raise PaymentRefused(
                PENDING,
                f"somebody else has brought it; {to_hex(mined.tx_hash)} is not deep enough yet: "
                "bring it again",
                value=depth,
                limit=self._confirmations,
            )
        return Digest(mined.tx_hash)

    def _is_settled(self, logs: Sequence[Log], one: Authorization) -> bool:
        return any(
            ExactBatch.of(event.fields["entries"]).place_of(one) is not None
            for event in self._settler.decode_logs(logs)
            if event.name in ("Settled", "SettledAhead")
        )
