"""What a collected batch of vouchers brought, and for which work, from the transaction's own
bytes and events: `contracts/payments/VoucherBatch.sol`, read back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from api.domain.codec import address_bytes, to_address
from api.domain.eip712 import Eip712Domain
from api.domain.signing import recover
from api.domain.vouchers import Allocation, Split, voucher_message
from api.domain.work import Work
from api.errors import BadSignature, Malformed
from api.types import Address

_BY_CONTRACT: Final = 0x80
_KEY_TAIL: Final = 2**40 - 1
_USD6: Final = 2**56 - 1


@dataclass(frozen=True, slots=True)
class PackedVoucher:
    """A voucher as it stood in a batch; `key` is None where the signature leads to nobody."""

    payer: Address
    key: Address | None
    cumulative_usd6: int
    allocation: Allocation


class Brought(NamedTuple):
    """What a key's voucher brought for a work, of what was asked for it, in 10⁻⁶ dollars."""

    payer: Address
    key: Address
    work: Work
    asked_usd6: int
    brought_usd6: int


def unpack_vouchers(
    batch: bytes, domain: Eip712Domain, gateway: Address
) -> Sequence[PackedVoucher]:
    """The vouchers in `collect`'s bytes; `domain` is `payments_domain`'s. Raises Malformed."""
    vouchers, at = [], 0

    def read(size: int) -> bytes:
        nonlocal at
        piece = batch[at : at + size]
        if len(piece) != size:
            raise Malformed("vouchers", len(batch), f"{at + size} bytes or more")
        at += size
        return piece

    while at < len(batch):
        (count,) = read(1)
        payer, cumulative = to_address(read(20)), int.from_bytes(read(7))
        key: Address | None = payer
        if count & _BY_CONTRACT:
            read(int.from_bytes(read(2)))
        else:
            key = _signer(domain, payer, gateway, cumulative, read(64))
        parts = count & ~_BY_CONTRACT
        allocation: Allocation
        if parts:
            before = int.from_bytes(read(7))
            allocation = Split(
                before, [(read(1)[0], int.from_bytes(read(7))) for _ in range(parts)]
            )
        else:
            (allocation,) = read(1)
        vouchers.append(PackedVoucher(payer, key, cumulative, allocation))
    return vouchers


def _signer(
    domain: Eip712Domain, payer: Address, gateway: Address, cumulative_usd6: int, compact: bytes
) -> Address | None:
    """Whoever made a compact signature (ERC-2098); None if nobody did."""
    v = 27 + (compact[32] >> 7)
    signature = compact[:32] + bytes([compact[32] & 0x7F]) + compact[33:] + bytes([v])
    try:
        message = voucher_message(domain, payer, gateway, cumulative_usd6)
        return recover(message.digest, signature)
    except BadSignature:
        return None


def breakdown_of(
    vouchers: Iterable[PackedVoucher],
    works: Sequence[Work],
    entries: Iterable[int],
    short_usd6: Mapping[tuple[Address, Address], int],
) -> list[Brought]:
    """What each voucher brought for each of its works.

    Args:
        works: Those that the batch named.
        entries: Of VouchersCollected: payer, the last 40 bits of the key, amount. Two keys of one
            payer that share these bits are told apart by their order, which is the batch's.
        short_usd6: Of VoucherShort, by payer and key: what could not be collected.
    """
    waiting: dict[tuple[bytes, int], list[PackedVoucher]] = {}
    for voucher in vouchers:
        if voucher.key is not None:
            tail = int.from_bytes(address_bytes(voucher.key)) & _KEY_TAIL
            waiting.setdefault((address_bytes(voucher.payer), tail), []).append(voucher)
    brought: list[Brought] = []
    for entry in entries:
        payer, tail, left = (entry >> 96).to_bytes(20), entry >> 56 & _KEY_TAIL, entry & _USD6
        matching = waiting.get((payer, tail))
        if not matching:
            raise Malformed("vouchers", hex(entry), "a voucher for each entry")
        voucher = matching.pop(0)
        assert voucher.key is not None
        if isinstance(voucher.allocation, int):
            asked = left + short_usd6.get((voucher.payer, voucher.key), 0)
            parts: Sequence[tuple[int, int]] = [(voucher.allocation, asked)]
        else:
            parts = voucher.allocation.parts
        for place, asked in parts:
            filled = min(asked, left)
            left -= filled
            if asked:
                brought.append(Brought(voucher.payer, voucher.key, works[place], asked, filled))
    return brought
