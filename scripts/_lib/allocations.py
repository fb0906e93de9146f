"""Lists of who gets how many shares."""

from __future__ import annotations

import csv
from pathlib import Path

from api.domain.codec import parse_address
from api.errors import Duplicated, Malformed
from scripts._lib.money import parse_six_decimals

COLUMNS = ("wallet", "shares")


def read_allocations(path: Path) -> dict[str, int]:
    """Wallet → shares in millionths, from a CSV file with the columns `wallet` and `shares`.

    Raises Malformed naming row and value, Duplicated for a wallet that is there twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Malformed("list", str(path), f"a readable CSV file ({error})") from None
    reader = csv.DictReader(text.splitlines())
    if not set(COLUMNS) <= set(reader.fieldnames or ()):
        raise Malformed("columns", reader.fieldnames, ", ".join(COLUMNS))
    allocations: dict[str, int] = {}
    # Line 1 is the header.
    for number, row in enumerate(reader, start=2):
        wallet = str(parse_address((row["wallet"] or "").strip(), f"wallet in line {number}"))
        if wallet in allocations:
            raise Duplicated(f"line {number}: wallet", wallet)
        try:
            allocations[wallet] = parse_six_decimals((row["shares"] or "").strip())
        except ValueError as error:
            raise Malformed(
                f"shares in line {number}", row["shares"], f"a number of shares ({error})"
            ) from None
    if not allocations:
        raise Malformed("list", str(path), "at least one allocation")
    return allocations
