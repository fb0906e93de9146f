"""The gateway with a desk that asks for nothing: `python -m tests.bench.gateway.free`.

It is the same process with the same settings and the same loops. Requests are parsed, sent on and
metered as ever; nobody's payment is looked at, nothing is held, signed, charged or noted.
"""

from __future__ import annotations

import secrets
import sys
from typing import Any

from api.domain.receipts import RECEIPT_ID_BYTES, Receipt
from api.domain.work import Work
from api.domain.x402 import PaymentResponse, network_of
from api.gateway import service
from api.gateway.__main__ import main
from api.gateway.ledger import LockNeeded
from api.gateway.purse import Purse
from api.types import LOCAL_CHAIN_ID, Address, ClusterId

NOBODY = Address("0x" + "00" * 20)


class FreePurse:
    """Pays whatever it is."""

    payer = key = NOBODY
    cluster_id: ClusterId | None = None
    promised_usd6 = 0

    def receipt_id(self) -> bytes:
        return secrets.token_bytes(RECEIPT_ID_BYTES)

    def response(self, charge_usd6: int | None) -> PaymentResponse:
        return PaymentResponse(True, network_of(LOCAL_CHAIN_ID), amount=charge_usd6)

    def hold(self, most_usd6: int) -> None:
        pass

    async def lock(self, needed: LockNeeded) -> bool:
        return True

    async def begin(self, work: Work) -> None:
        pass

    async def record(self, receipt: Receipt, *, is_open: bool) -> None:
        pass

    def release(self) -> None:
        pass


class FreeDesk:
    """Gives everybody a purse."""

    def __init__(self, **_parts: Any) -> None:
        pass

    async def purse(self, *_asked: Any) -> Purse:
        return FreePurse()


if __name__ == "__main__":
    service.Desk = FreeDesk  # type: ignore[assignment, attr-defined]
    sys.exit(main())
