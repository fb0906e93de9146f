"""Customers who lease GPU time and pay for what was measured of it, and the distribution of all
income.
"""

from __future__ import annotations

from api.chain.contracts import Waterfall
from api.chain.views import IncomeKind, MeterReading
from api.domain.hashing import keccak256
from api.types import EPOCH_SECONDS
from scripts._lib import cast
from scripts._lib.local_chain import LocalChain
from scripts._lib.opening import Opened

CUSTOMER_PARTS = (50, 30, 20)
"""How the customers share the billable time, in per cent."""


def bill_usd6(billable_gpu_seconds: int, price_usd6: int) -> int:
    """What billable time costs at `price_usd6` a GPU-hour, rounded down."""
    return billable_gpu_seconds * price_usd6 // EPOCH_SECONDS


class Commerce:
    """The customers of one cluster, who pay `price_usd6` for a billable GPU-hour, in a lump after
    each hour. What they pay by the inference does not come through here.
    """

    def __init__(self, opened: Opened, chain: LocalChain, price_usd6: int) -> None:
        self.price_usd6 = price_usd6
        self._opened = opened
        self._chain = chain
        self._waterfall = Waterfall(chain.client, opened.waterfall)
        self._paid = [0] * len(cast.CUSTOMERS)

    @property
    def paid_usd6(self) -> int:
        """All that was paid for leases so far."""
        return sum(self._paid)

    async def pay(self, reading: MeterReading) -> None:
        """Each customer pays its part of all billable time so far, less what it has paid: the
        remainder of a division waits for the next bill, the last customer takes the rest."""
        due = bill_usd6(reading.billable_gpu_seconds, self.price_usd6)
        parts = [due * part // 100 for part in CUSTOMER_PARTS[:-1]]
        parts.append(due - sum(parts))
        for number, (customer, part) in enumerate(zip(cast.CUSTOMERS, parts, strict=True)):
            amount = part - self._paid[number]
            if amount <= 0:
                continue
            reference = keccak256(f"{customer.name}, epoch {reading.epoch}".encode())
            data = self._waterfall.encode(
                "receiveIncome",
                self._opened.cluster_id,
                amount,
                int(IncomeKind.LEASE),
                reference,
            )
            await self._chain.send(customer.signer, self._opened.waterfall, data)
            self._paid[number] += amount

    async def distribute(self) -> None:
        """Anybody may; the keeper does."""
        data = self._waterfall.encode("distribute", self._opened.cluster_id)
        await self._chain.send(cast.keeper(), self._opened.waterfall, data)
