"""scripts/_lib/allocations.py: lists of shares, refused with line and reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.domain.codec import to_address
from api.errors import Duplicated, InvalidInput, Malformed
from scripts._lib.allocations import read_allocations

A, B = to_address(b"\x01" * 20), to_address(b"\x02" * 20)


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "list.csv"
    path.write_text(text)
    return path


def test_read_allocations__list__is_in_units(tmp_path: Path) -> None:
    path = _write(tmp_path, f"\ufeffwallet,name,shares\n{A},Ann,1.5\n {B.lower()} ,Bob, 1000\n")

    assert read_allocations(path) == {A: 1_500_000, B: 1_000_000_000}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wallet,amount\n", "columns is ['wallet', 'amount'], expected wallet, shares"),
        ("", "columns is None"),
        ("wallet,shares\n", "at least one allocation"),
        (f"wallet,shares\n{A},1\n0x12,1\n", "wallet in line 3 is '0x12'"),
        (f"wallet,shares\n{A},many\n", "shares in line 2 is 'many'"),
        (f"wallet,shares\n{A}\n", "shares in line 2 is None"),
    ],
)
def test_read_allocations__bad_list__is_refused_with_the_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_allocations(_write(tmp_path, text))

    assert message in str(caught.value)


def test_read_allocations__wallet_twice__is_refused(tmp_path: Path) -> None:
    with pytest.raises(Duplicated, match=f"line 3: wallet {A} is there twice"):
        read_allocations(_write(tmp_path, f"wallet,shares\n{A},1\n{A.lower()},2\n"))


def test_read_allocations__no_file__is_refused(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match="No such file"):
        read_allocations(tmp_path / "none.csv")
