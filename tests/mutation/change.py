"""What an operator of mutation does to a source: it replaces one span of bytes."""

from __future__ import annotations

from dataclasses import dataclass

from tests.mutation.syntax import Node


@dataclass(frozen=True)
class Change:
    """The bytes from `start` to `end` become `replacement`."""

    operator: str
    start: int
    end: int
    replacement: str


def replace(operator: str, node: Node, replacement: str) -> Change:
    """The whole of a node becomes something else."""
    return Change(operator, *node.span, replacement)


def remove(operator: str, statement: Node) -> Change:
    """A statement goes; where the grammar wants one, an empty block stays."""
    is_in_block = statement.role == "statements"
    return Change(operator, *_whole(statement), "" if is_in_block else "{}")


def swap(operator: str, first: Node, second: Node) -> Change:
    """Two statements change places; what is between them stays."""
    (start, first_end), (second_start, end) = _whole(first), _whole(second)
    source = first.source
    between = source.text(first_end, second_start)
    one, other = source.text(start, first_end), source.text(second_start, end)
    return Change(operator, start, end, other + between + one)


def postpone(operator: str, statement: Node, until: Node) -> Change:
    """A statement stands after a later one, and not before it."""
    (start, own_end), (_, end) = _whole(statement), _whole(until)
    source = statement.source
    others = source.text(own_end, end)
    return Change(operator, start, end, f"{others} {source.text(start, own_end)}".lstrip())


def _whole(statement: Node) -> tuple[int, int]:
    """A statement with its semicolon, which the compiler does not count to it."""
    rest = statement.source.content[statement.end :]
    blanks = len(rest) - len(rest.lstrip())
    has_semicolon = rest[blanks : blanks + 1] == b";"
    return statement.start, statement.end + (blanks + 1 if has_semicolon else 0)
