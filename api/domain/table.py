"""Rows of a CSV file by the names of its columns, refused by row."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter

from api.errors import TraceRefused


def rows_of(lines: Iterable[str], columns: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """(row, the fields of `columns`, two or more of them) of each row of data.

    Rows count the file's lines from 1, the header included; columns may be in any order, with
    others between.

    Raises:
        TraceRefused: A column is missing or there twice, a row has more or fewer fields than the
            header, or it is no CSV.
    """
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise TraceRefused("the file is empty", row=1)
        # Excel writes a byte order mark before the first name.
        names = [name.strip().removeprefix("\ufeff") for name in header]
        for column in columns:
            if names.count(column) != 1:
                raise TraceRefused(
                    f"column {column} is there {names.count(column)} times, once is needed;"
                    f" the header is {shown(','.join(header))}",
                    row=1,
                    value=names.count(column),
                    limit=1,
                )
        chosen: Callable[[list[str]], tuple[str, ...]] = itemgetter(*map(names.index, columns))
        width = len(names)
        for fields in reader:
            if len(fields) != width:
                if not fields:
                    continue  # an empty line, as many editors leave at the end
                raise TraceRefused(
                    f"{len(fields)} fields, the header has {width}",
                    row=reader.line_num,
                    value=len(fields),
                    limit=width,
                )
            yield reader.line_num, chosen(fields)
    except csv.Error as error:
        raise TraceRefused(f"not CSV: {error}", row=reader.line_num) from None


def shown(text: str) -> str:
    """A field as it stands in a message."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
