"""Texts on disk: the lines of a recorded trace, what a language model learns from."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Final

from api.errors import ConfigurationError, TraceRefused

_GZIP_MAGIC: Final = b"\x1f\x8b"

_PROSE_ENDINGS: Final = frozenset({".md", ".txt"})
_PROSE_NAMES: Final = frozenset({"LICENSE", "NOTICE"})
_NO_PROSE_FOLDERS: Final = frozenset({"node_modules", "out", "var"})


def trace_lines(path: Path) -> Iterator[str]:
    """The lines of a CSV file, compressed with gzip or not (its first bytes decide, not its name).

    Raises:
        TraceRefused: The file cannot be read, is damaged or not UTF-8, with the row where it breaks
            off.
    """
    row = 1
    try:
        with path.open("rb") as file:
            is_compressed = file.read(2) == _GZIP_MAGIC
            file.seek(0)
            text = (
                TextIOWrapper(gzip.GzipFile(fileobj=file), encoding="utf-8", newline="")
                if is_compressed
                else TextIOWrapper(file, encoding="utf-8", newline="")
            )
            with text:
                for line in text:
                    yield line
                    row += 1
    except UnicodeDecodeError as error:
        raise TraceRefused(f"not UTF-8: {error}", row=row) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TraceRefused(f"the compressed file is damaged: {error}", row=row) from None
    except OSError as error:
        raise TraceRefused(f"{path} cannot be read: {error}", value=str(path)) from None


def corpus(path: Path) -> str:
    """The text of a file, or of a folder's documents (`*.md`, `*.txt`, LICENSE) by their paths.
    Hidden folders and those of packages and outputs are left out.

    Raises:
        ConfigurationError: There is no such file, one that cannot be read, or no document.
    """
    try:
        documents = [path] if path.is_file() else _documents(path)
        text = "\n\n".join(document.read_text(encoding="utf-8") for document in documents)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the corpus cannot be read: {error}", value=str(path)) from None
    if not text.strip():
        raise ConfigurationError(f"there is no document to learn from at {path}", value=str(path))
    return text


def _documents(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if not path.name.startswith(".") and path.name not in _NO_PROSE_FOLDERS:
                yield from _documents(path)
        elif path.suffix in _PROSE_ENDINGS or path.name in _PROSE_NAMES:
            yield path
