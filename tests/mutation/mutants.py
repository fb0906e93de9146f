"""All mutants of a source: every operator at every place where it applies."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from tests.mutation.change import Change
from tests.mutation.expressions import EXPRESSION_OPERATORS
from tests.mutation.orders import late_effects, orders
from tests.mutation.statements import STATEMENT_OPERATORS
from tests.mutation.syntax import Node, Source, one_line

_OPERATORS = (*EXPRESSION_OPERATORS, *STATEMENT_OPERATORS, orders, late_effects)

_SKIPPED = {
    "ErrorDefinition", "EventDefinition", "StructDefinition", "EnumDefinition", "ImportDirective",
    "PragmaDirective", "UsingForDirective", "InheritanceSpecifier", "OverrideSpecifier",
    "ArrayTypeName", "Mapping", "UserDefinedTypeName", "ParameterList",
}  # fmt: skip
"""What computes nothing."""


@dataclass(frozen=True)
class Mutant:
    """A source with one change. Everything but `change` says which it is, wherever it moves."""

    source: Source
    where: str
    operator: str
    was: str
    now: str
    change: Change
    place: int = 0
    """Counts mutants that are otherwise described alike, in the order of the source."""

    @property
    def file(self) -> str:
        return self.source.path

    @property
    def line(self) -> int:
        return self.source.line(self.change.start)

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What a survivor is known by in `survivors.toml`."""
        return self.file, self.where, self.operator, self.was, self.now

    @cached_property
    def name(self) -> str:
        """Short, and the same as long as the changed lines are."""
        return hashlib.sha256(repr((*self.key, self.place)).encode()).hexdigest()[:10]

    @property
    def content(self) -> bytes:
        """The changed source."""
        before, after = (
            self.source.content[: self.change.start],
            self.source.content[self.change.end :],
        )
        return before + self.change.replacement.encode() + after


def mutants_of(tree: Node) -> list[Mutant]:
    """The mutants of one source, in its order, no two with the same text."""
    made = sorted(_described(tree), key=lambda mutant: (mutant.change.start, mutant.change.end))
    return list(_numbered(_different(made)))


def _described(tree: Node) -> Iterator[Mutant]:
    for node in _computing(tree):
        for operator in _OPERATORS:
            for change in operator(node):
                yield _describe(node, change)


def _computing(node: Node) -> Iterator[Node]:
    """The nodes that become code. Interfaces have none."""
    if node.kind in _SKIPPED or node.fields.get("contractKind") == "interface":
        return
    yield node
    for children in node.children:
        yield from _computing(children)


def _describe(node: Node, change: Change) -> Mutant:
    first, last = node.source.lines(change.start, change.end)
    before = node.source.text(first, change.start)
    after = node.source.text(change.end, last)
    return Mutant(
        node.source,
        node.where,
        _class(node, change),
        one_line(node.source.text(first, last)),
        one_line(before + change.replacement + after),
        change,
    )


def _class(node: Node, change: Change) -> str:
    """The operator's, but for what is only told: the figures of events and of refusals."""
    if node.above("EmitStatement"):
        return "event"
    if node.above("RevertStatement"):
        return "refusal"
    return change.operator


def _different(mutants: Iterable[Mutant]) -> Iterator[Mutant]:
    seen = set()
    for mutant in mutants:
        content = mutant.content
        if content != mutant.source.content and content not in seen:
            seen.add(content)
            yield mutant


def _numbered(mutants: Iterable[Mutant]) -> Iterator[Mutant]:
    counts: Counter[tuple[str, ...]] = Counter()
    for mutant in mutants:
        yield replace(mutant, place=counts[mutant.key])
        counts[mutant.key] += 1
