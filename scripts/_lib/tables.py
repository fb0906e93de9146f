"""The console's tables: no digit of an amount and no letter of an address is left out."""

from __future__ import annotations

from rich.table import Table

from scripts._lib.money import dollars, units


def table_of(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        # An address is worth nothing with its middle left out.
        table.add_column(column, overflow="fold")
    return table


def numbers(table: Table, *columns: str) -> None:
    for column in columns:
        # In a narrow terminal an amount goes on in the next line: no digit is left out.
        table.add_column(column, justify="right", overflow="fold")


def money(usd6: int) -> str:
    """Dollars, and below them the same in units."""
    return f"{dollars(usd6)}\n[dim]{units(usd6)}[/dim]"


def plain(usd6: int) -> str:
    return f"{dollars(usd6, decimals=2 if usd6 % 10_000 == 0 else 6)} ({units(usd6)} units)"


def gpu_hours(gpu_seconds: int) -> str:
    """GPU-seconds as GPU-hours, rounded down."""
    hundredths = gpu_seconds // 36
    return f"{hundredths // 100:,}.{hundredths % 100:02d} GPU-h"
