"""Mutants of statements: checks, modifiers, writes, calls and events that go."""

from __future__ import annotations

from collections.abc import Iterator

from tests.mutation.change import Change, remove, replace
from tests.mutation.syntax import Node

_CHECKS = {"require", "assert"}
_JUMPS = {"Return", "Continue", "Break"}


def removals(node: Node) -> Iterator[Change]:
    """A check, a modifier, an early way out, an event, or a statement that does something, goes."""
    if node.kind == "ModifierInvocation" and node.fields.get("kind") == "modifierInvocation":
        yield replace("modifier", node, "")
    elif is_check(node):
        yield remove("check", node)
    elif node.kind == "IfStatement" and _only(node, *_JUMPS):
        yield remove("statement", node)
    elif node.kind == "EmitStatement":
        yield remove("event", node)
    elif node.kind == "ExpressionStatement" and not node.role.endswith("Expression"):
        yield remove("statement", node)


def initial_values(node: Node) -> Iterator[Change]:
    """A new variable stays zero."""
    if node.kind != "VariableDeclarationStatement" or len(node.all("declarations")) != 1:
        return
    variable, value = node.one("declarations"), node.maybe("initialValue")
    is_value = variable.fields["storageLocation"] == "default"
    if value is not None and is_value and node.role == "statements" and value.text != "0":
        yield Change("statement", variable.end, value.end, "")


def is_check(node: Node) -> bool:
    """Whether a statement refuses something, or else does nothing."""
    if node.kind == "IfStatement":
        return _only(node, "RevertStatement")
    if node.kind == "RevertStatement":
        # The last word of a function; that of an `if` goes with the `if`.
        body = node.parent
        return body is not None and body.kind == "Block" and body.role == "body"
    if node.kind == "ExpressionStatement":
        called = node.one("expression").maybe("expression")
        return called is not None and called.fields.get("name") in _CHECKS
    return False


def _only(condition: Node, *kinds: str) -> bool:
    """Whether an `if` without `else` does nothing but one statement of those kinds."""
    if condition.maybe("falseBody") is not None:
        return False
    body = condition.one("trueBody")
    inner = body.all("statements") if body.kind == "Block" else [body]
    return len(inner) == 1 and inner[0].kind in kinds


STATEMENT_OPERATORS = (removals, initial_values)
