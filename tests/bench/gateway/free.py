"""The gateway with a desk that asks for nothing: `python -m tests.bench.gateway.free`.

It is the same process with the same settings and the same loops. Requests are parsed, sent on and
metered as ever; nobody's payment is looked at, nothing is held, signed, charged or noted.
"""

from __future__ import annotations

import sys
from typing import Any

from api.domain.receipts import Receipt
from api.gateway import service
from api.gateway.__main__ import main
from api.types import Address

NOBODY = Address("0x" + "00" * 20)


class FreePurse:
    """Pays whatever it is."""

    payer = key = NOBODY
    promised_usd6 = 0

    def hold(self, most_usd6: int) -> None:
        pass

    async def begin(self) -> None:
        pass

    async def record(self, receipt: Receipt, *, is_open: bool) -> None:
        pass

    def release(self) -> None:
        pass


class FreeDesk:
    """Gives everybody a purse."""

    def __init__(self, **_parts: Any) -> None:
        pass

    async def purse(self, *_asked: Any) -> FreePurse:
        return FreePurse()


if __name__ == "__main__":
    service.Desk = FreeDesk  # type: ignore[assignment, attr-defined]
    sys.exit(main())
