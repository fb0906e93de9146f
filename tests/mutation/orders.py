"""Mutants of order: two statements that stand side by side change places.

Only where the order can matter, as far as the text tells: one writes what the other reads, or one
calls what may do anything while the other looks at, writes or tells more than its own variables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from tests.mutation.change import Change, postpone, swap
from tests.mutation.statements import is_check
from tests.mutation.syntax import Node

_PLAIN = {"ExpressionStatement", "VariableDeclarationStatement", "EmitStatement"}

Place = tuple[int | str, ...]
"""A variable by the compiler's number of its declaration, and of which member it is a part."""


def orders(node: Node) -> Iterator[Change]:
    """Neighbours in a block change places."""
    for first, second in pairwise(node.all("statements")):
        if _is_movable(first) and _is_movable(second):
            one, other = _Effects.of(first), _Effects.of(second)
            if one.may_matter_to(other) and not _meet(one.declares, other.touches):
                yield swap("order", first, second)


def late_effects(node: Node) -> Iterator[Change]:
    """What is written last before a call is written after it; neighbours are left to `orders`."""
    statements = node.all("statements")
    for place, call in enumerate(statements):
        if not _is_movable(call) or not _Effects.of(call).calls:
            continue
        effect = next((one for one in reversed(statements[:place]) if _is_effect(one)), None)
        if effect is not None and effect is not statements[place - 1]:
            yield postpone("order", effect, call)


def _is_effect(statement: Node) -> bool:
    """Whether it writes to storage, and calls nothing."""
    if statement.kind != "ExpressionStatement":
        return False
    effects = _Effects.of(statement)
    return bool(effects.writes) and effects.reaches_out and not effects.calls


def _is_movable(statement: Node) -> bool:
    """No loops, branches and ways out; refusals may move."""
    return statement.kind in _PLAIN or is_check(statement)


@dataclass(frozen=True)
class _Effects:
    """What a statement does."""

    touches: frozenset[Place]
    writes: frozenset[Place]
    declares: frozenset[Place]
    reaches_out: bool
    """Whether it names more than the values of its function."""
    looks: bool
    """Whether it calls what may read anywhere."""
    calls: bool
    """Whether it calls what may do anything."""
    is_event: bool
    is_check: bool

    @classmethod
    def of(cls, statement: Node) -> _Effects:
        nodes = list(statement.walk())
        called = [
            node.one("expression").type
            for node in nodes
            if node.kind == "FunctionCall"
            and node.fields["kind"] == "functionCall"
            and node.role != "eventCall"
        ]
        named = [node for node in nodes if _number(node) is not None]
        # A function may write into whatever it is handed that is no value, even if it only looks.
        handed = [node for node in named if _is_reference(node)] if called else []
        own = _locals(statement)
        return cls(
            touches=_places(_whole(node) for node in named),
            writes=_places([*handed, *(part for node in nodes for part in _targets(node))]),
            declares=_declared(nodes),
            reaches_out=any(
                _is_reference(node) or ((_number(node),) not in own and _is_variable(node))
                for node in named
            ),
            looks=any(" pure" not in each for each in called),
            calls=any(" view" not in each and " pure" not in each for each in called),
            is_event=statement.kind == "EmitStatement",
            is_check=is_check(statement),
        )

    def may_matter_to(self, other: _Effects) -> bool:
        """Whether anybody could see which of the two comes first."""
        if self.is_check and other.is_check:
            return False
        if _meet(self.writes, other.touches) or _meet(other.writes, self.touches):
            return True
        return self._disturbs(other) or other._disturbs(self)

    def _disturbs(self, other: _Effects) -> bool:
        if self.calls:
            return other.calls or other.looks or other.is_event or other.reaches_out
        return self.looks and bool(other.writes) and other.reaches_out


def _targets(node: Node) -> list[Node]:
    """What a node writes to."""
    if node.kind == "Assignment":
        target = node.one("leftHandSide")
        return target.all("components") if target.kind == "TupleExpression" else [target]
    if node.kind == "UnaryOperation" and node.fields["operator"] in ("++", "--", "delete"):
        return [node.one("subExpression")]
    return []


def _whole(name: Node) -> Node:
    """The longest `a.b.c` that begins with a name."""
    node = name
    while node.parent is not None and node.parent.kind == "MemberAccess":
        node = node.parent
    return node


def _places(expressions: Iterable[Node]) -> frozenset[Place]:
    return frozenset(place for node in expressions if (place := _place(node)))


def _place(expression: Node) -> Place:
    """Where an expression lies; what is below an index counts as the whole of what is indexed."""
    node: Node | None = expression
    members: list[str] = []
    while node is not None and node.kind in ("MemberAccess", "IndexAccess"):
        if node.kind == "MemberAccess":
            members.insert(0, str(node.fields["memberName"]))
            node = node.one("expression")
        else:
            members.clear()
            node = node.one("baseExpression")
    number = _number(node) if node is not None else None
    return () if number is None else (number, *members)


def _meet(some: frozenset[Place], others: frozenset[Place]) -> bool:
    """Whether a place of one is a part of a place of the other."""
    return any(
        all(a == b for a, b in zip(one, other, strict=False)) for one in some for other in others
    )


def _number(name: Node) -> int | None:
    """The number of the declaration that a name stands for; None of what the language gives."""
    number = name.fields.get("referencedDeclaration") if name.kind == "Identifier" else None
    return number if number is not None and number > 0 else None


def _is_reference(name: Node) -> bool:
    return " memory" in name.type or " storage" in name.type


def _is_variable(name: Node) -> bool:
    """No function, type, constant or immutable: those are written in capitals."""
    return not name.type.startswith(("function", "type(")) and not name.text.isupper()


def _declared(nodes: Iterable[Node]) -> frozenset[Place]:
    return frozenset(
        (int(node.fields["id"]),) for node in nodes if node.kind == "VariableDeclaration"
    )


def _locals(statement: Node) -> frozenset[Place]:
    """The variables of the function around."""
    function = statement.above("FunctionDefinition", "ModifierDefinition")
    return _declared(function.walk()) if function else frozenset()
