"""Solidity sources as trees, from the compiler's own syntax tree with types and places."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

_BLANKS = re.compile(r"\s+")


class SourceError(Exception):
    """The compiler refuses a source; the message is the compiler's."""


@dataclass(frozen=True)
class Source:
    """One file: its path from the repository's root and its bytes, which all places count."""

    path: str
    content: bytes

    def text(self, start: int, end: int) -> str:
        return self.content[start:end].decode()

    def lines(self, start: int, end: int) -> tuple[int, int]:
        """The span of the whole lines that a span touches, without the last line's break."""
        first = self.content.rfind(b"\n", 0, start) + 1
        last = self.content.find(b"\n", max(start, end - 1))
        return first, len(self.content) if last < 0 else last

    def line(self, at: int) -> int:
        """The number of a byte's line, from 1."""
        return self.content.count(b"\n", 0, at) + 1


def one_line(text: str) -> str:
    """A piece of source with every run of blanks as one."""
    return _BLANKS.sub(" ", text).strip()


@dataclass(frozen=True, eq=False)
class Node:
    """A node of a syntax tree. `fields` are the compiler's, by the names in its documentation."""

    source: Source
    fields: dict[str, Any] = field(repr=False)
    parent: Node | None = field(repr=False, default=None)
    role: str = ""
    """The field of the parent that holds the node."""

    @property
    def kind(self) -> str:
        return str(self.fields["nodeType"])

    @cached_property
    def span(self) -> tuple[int, int]:
        start, length, _ = map(int, self.fields["src"].split(":"))
        return start, start + length

    @property
    def start(self) -> int:
        return self.span[0]

    @property
    def end(self) -> int:
        return self.span[1]

    @cached_property
    def text(self) -> str:
        return self.source.text(*self.span)

    @cached_property
    def type(self) -> str:
        """The type of an expression in the compiler's words; empty where there is none."""
        return str(self.fields.get("typeDescriptions", {}).get("typeString", ""))

    @property
    def is_integer(self) -> bool:
        return self.type.startswith(("uint", "int"))

    @cached_property
    def _children(self) -> dict[str, list[Node]]:
        grouped = {}
        for name, value in self.fields.items():
            parts = value if isinstance(value, list) else [value]
            nodes = [
                Node(self.source, part, self, name)
                for part in parts
                if isinstance(part, dict) and "nodeType" in part and "src" in part
            ]
            if nodes:
                grouped[name] = nodes
        return grouped

    def all(self, name: str) -> list[Node]:
        """The nodes in a field that holds a list; none if it holds none."""
        return self._children.get(name, [])

    def maybe(self, name: str) -> Node | None:
        """The node in a field, or None."""
        nodes = self.all(name)
        return nodes[0] if nodes else None

    def one(self, name: str) -> Node:
        """The node in a field that every node of this kind has. KeyError without."""
        return self._children[name][0]

    @property
    def children(self) -> Iterator[Node]:
        for nodes in self._children.values():
            yield from nodes

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        for node in self.children:
            yield from node.walk()

    def ancestors(self) -> Iterator[Node]:
        """The nodes above this one, the nearest first."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def above(self, *kinds: str) -> Node | None:
        """The nearest node above of one of those kinds."""
        return next((node for node in self.ancestors() if node.kind in kinds), None)

    @property
    def is_global(self) -> bool:
        """Whether it stands in a contract or a file, not within a function."""
        return self.parent is not None and self.parent.kind in ("ContractDefinition", "SourceUnit")

    @cached_property
    def where(self) -> str:
        """`Contract.function` that the node is in, or the variable that it sets."""
        names = []
        for node in (self, *self.ancestors()):
            if node.kind in ("FunctionDefinition", "ModifierDefinition"):
                names = [node.fields["name"] or node.fields["kind"]]
            elif node.kind == "VariableDeclaration" and node.is_global:
                names = [node.fields["name"]]
            elif node.kind == "ContractDefinition":
                names.append(node.fields["name"])
        return ".".join(reversed(names))


def trees(root: Path, paths: Iterable[str]) -> list[Node]:
    """The trees of some sources, by their paths from `root`. Raises SourceError."""
    sources = {path: Source(path, (root / path).read_bytes()) for path in sorted(paths)}
    return parse(root, sources.values())


def parse(root: Path, sources: Iterable[Source]) -> list[Node]:
    """The trees of sources that may import from `root`. Raises SourceError."""
    sources = list(sources)
    request = {
        "language": "Solidity",
        "sources": {source.path: {"content": source.content.decode()} for source in sources},
        "settings": {
            "remappings": ["@openzeppelin/contracts/=node_modules/@openzeppelin/contracts/"],
            "outputSelection": {"*": {"": ["ast"]}},
        },
    }
    process = subprocess.run(
        ["solc", "--standard-json", "--base-path", str(root)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
    )
    if process.returncode != 0:
        raise SourceError(process.stderr.strip())
    answer = json.loads(process.stdout)
    errors = [
        one["formattedMessage"] for one in answer.get("errors", []) if one["severity"] == "error"
    ]
    if errors:
        raise SourceError("\n".join(errors))
    return [Node(source, answer["sources"][source.path]["ast"]) for source in sources]
