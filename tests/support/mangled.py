"""Bytes of a broken or hostile sender: almost what is expected, or nothing like it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

# What parsers get wrong: edges of integers, of floats, of strings, and of what JSON can say at all.
_EDGES: st.SearchStrategy[Any] = st.sampled_from(
    [
        None, True, False, [], {}, "", "0", "-1", "0x", "0x00", "0X" + "00" * 32, "0x" + "00" * 32,
        "0x" + "0g" * 32, "0x" + "ff" * 65, "1e3", " 1", "١", "\x00", "\ud800", "\U0001f4a5",
        0, -0.0, 1, -1, 0.5, 1e308, float("nan"), float("inf"), 10**4_299, -(10**4_299),
        *(sign * 2**bits + off for bits in (8, 16, 32, 53, 63, 64, 160, 256)
          for off in (-1, 0, 1) for sign in (1, -1)),
        *(str(2**bits + off) for bits in (32, 53, 64, 256) for off in (-1, 0)),
    ]
)  # fmt: skip
_VALUES = st.recursive(
    _EDGES | st.integers() | st.floats() | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


@st.composite
def mangled_values(draw: st.DrawFn, value: Any) -> Any:
    """The JSON value with one to three of its parts replaced, taken away, doubled or added."""
    changed = deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(changed))
        if not places:
            return draw(_VALUES)
        container, key = draw(st.sampled_from(places))
        what = draw(st.sampled_from(["replace", "replace", "replace", "remove", "double", "add"]))
        if what == "replace":
            container[key] = draw(_VALUES)
        elif what == "remove":
            del container[key]
        elif isinstance(container, list):
            container.append(deepcopy(container[key]) if what == "double" else draw(_VALUES))
        else:
            name = f"{key}2" if what == "double" else draw(st.text(max_size=8))
            container[name] = deepcopy(container[key]) if what == "double" else draw(_VALUES)
    return changed


@st.composite
def mangled_text(draw: st.DrawFn, text: bytes) -> bytes:
    """The text with up to four stretches cut, repeated or overwritten."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        part = draw(st.sampled_from([b"", text[start:end] * 2]) | st.binary(max_size=20))
        text = text[:start] + part + text[end:]
    return text


def mangled_json(value: Any) -> st.SearchStrategy[bytes]:
    """Bodies where `value` as JSON is expected: wrong in parts, cut to pieces, something else."""
    written = mangled_values(value).map(_written)
    return st.one_of(
        written,
        written,
        written.flatmap(mangled_text),
        mangled_text(_written(value)),
        _VALUES.map(_written),
        st.binary(max_size=200),
        st.integers(1, 200_000).map(lambda depth: b"[" * depth),
    )


def _written(value: Any) -> bytes:
    return json.dumps(value).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every part of a JSON value, as its container and the key there."""
    if isinstance(value, dict):
        parts: Any = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    else:
        return
    for key, part in list(parts):
        yield value, key
        yield from _places(part)
