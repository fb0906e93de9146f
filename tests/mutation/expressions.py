"""Mutants of expressions: other operators, bounds, widths, roundings, constants and parties."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from tests.mutation.change import Change, replace
from tests.mutation.syntax import Node, one_line

_ARITHMETIC = {
    "+": ("-",),
    "-": ("+",),
    "*": ("/",),
    "/": ("*", "%"),
    "%": ("/", "*"),
    "**": ("*",),
}
_BITS = {"&": ("|",), "|": ("&",), "^": ("&",), "<<": (">>",), ">>": ("<<",)}
_BOUNDARY = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_COMPARISON = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_YUL = {
    "add": "sub", "sub": "add", "mul": "add", "div": "mul", "mod": "div", "lt": "gt", "gt": "lt",
    "and": "or", "or": "and", "shl": "shr", "shr": "shl", "eq": "lt",
}  # fmt: skip
_UINT = re.compile(r"uint(\d*)\Z")
_CARRIED = re.compile(r"remainder|carry", re.IGNORECASE)
_COMMUTATIVE = {"min", "max"}


def binary(node: Node) -> Iterator[Change]:
    """Another operator between the same operands, also in `+=` and its like."""
    if node.kind == "BinaryOperation":
        left, right, suffix = node.one("leftExpression"), node.one("rightExpression"), ""
    elif node.kind == "Assignment" and node.fields["operator"] != "=":
        left, right, suffix = node.one("leftHandSide"), node.one("rightHandSide"), "="
    else:
        return
    operator = node.fields["operator"].removesuffix("=") if suffix else node.fields["operator"]
    said = node.source.text(left.end, right.start)
    if said.strip() != operator + suffix:
        return  # A comment or a parenthesis stands there as well.
    start = left.end + len(said) - len(said.lstrip())
    others = [("arithmetic", other) for other in _ARITHMETIC.get(operator, ())]
    others += [("bits", other) for other in _BITS.get(operator, ())]
    if operator in _BOUNDARY and not _is_clamp(node):
        others.append(("boundary", _BOUNDARY[operator]))
    if operator in _COMPARISON:
        others.append(("comparison", _COMPARISON[operator]))
    if operator in ("&&", "||"):
        others.append(("boolean", "||" if operator == "&&" else "&&"))
        yield replace("boolean", node, left.text)
        yield replace("boolean", node, right.text)
    for name, other in others:
        yield Change(name, start, start + len(operator + suffix), other + suffix)


def _is_clamp(node: Node) -> bool:
    """Whether both sides' being equal makes no difference: `if (a > b) a = b` and its like."""
    parent = node.parent
    if parent is None or node.role != "condition":
        return False
    left, right = (
        one_line(node.one("leftExpression").text),
        one_line(node.one("rightExpression").text),
    )
    if parent.kind == "Conditional":
        chosen = {one_line(parent.one(name).text) for name in ("trueExpression", "falseExpression")}
        differences = {f"{left} - {right}", f"{right} - {left}"}
        return chosen == {left, right} or ("0" in chosen and bool(chosen & differences))
    if parent.kind == "IfStatement" and parent.maybe("falseBody") is None:
        body = one_line(parent.one("trueBody").text).strip("{}; ")
        return body in (f"{left} = {right}", f"{right} = {left}")
    return False


def unary(node: Node) -> Iterator[Change]:
    """`!` and `~` go, `++` and `--` change places, before and after change places."""
    if node.kind != "UnaryOperation":
        return
    operator, operand = node.fields["operator"], node.one("subExpression")
    if operator in ("!", "~"):
        yield replace("boolean" if operator == "!" else "bits", node, operand.text)
    elif operator == "-":
        yield replace("arithmetic", node, operand.text)
    elif operator in ("++", "--") and not _is_loop_step(node):
        other = {"++": "--", "--": "++"}[operator]
        before = node.fields["prefix"]
        yield replace("arithmetic", node, other + operand.text if before else operand.text + other)
        if node.parent is not None and node.parent.kind != "ExpressionStatement":
            moved = operand.text + operator if before else operator + operand.text
            yield replace("boundary", node, moved)


def _is_loop_step(node: Node) -> bool:
    """Whether it is the step of a `for`: changed, it never ends, which every test would notice."""
    return any(above.role == "loopExpression" for above in node.ancestors())


def conditions(node: Node) -> Iterator[Change]:
    """A yes or no becomes its opposite; comparisons are changed by their operators instead."""
    if node.kind == "Literal" and node.fields["kind"] == "bool":
        yield replace("boolean", node, "false" if node.text == "true" else "true")
    elif node.kind in ("Identifier", "MemberAccess", "FunctionCall", "IndexAccess"):
        of_operator = node.parent is not None and node.parent.kind == "BinaryOperation"
        if node.type == "bool" and (node.role == "condition" or of_operator):
            yield replace("boolean", node, f"!{node.text}")


def widths(node: Node) -> Iterator[Change]:
    """Eight bits less in a cast or a mask; a cast to 256 bits, which keeps products whole, goes."""
    if node.kind != "ElementaryTypeNameExpression" or node.parent is None:
        return
    found = _UINT.match(node.text)
    if not found or node.parent.kind != "FunctionCall":
        return
    bits = int(found[1] or 256)
    if node.parent.fields["kind"] == "typeConversion":
        operand = node.parent.one("arguments")
        if bits == 256:
            yield replace("width", node.parent, f"({operand.text})")
        elif bits > 8 and not operand.type.startswith("int_const"):
            yield replace("width", node, f"uint{bits - 8}")
    elif bits > 8:
        yield replace("width", node, f"uint{bits - 8}")


def roundings(node: Node) -> Iterator[Change]:
    """Down instead of up and up instead of down, and remainders that are dropped."""
    if node.kind == "BinaryOperation" and node.is_integer and not node.fields["isPure"]:
        left, right = node.one("leftExpression"), node.one("rightExpression")
        if node.fields["operator"] == "/":
            up = f" + {right.text} - 1)"
            if left.text.endswith(up):
                yield replace("rounding", left, left.text.removesuffix(up) + ")")
            else:
                ceiled = f"(({left.text} + {right.text} - 1) / {right.text})"
                yield replace("rounding", node, ceiled)
        elif node.fields["operator"] == "+":
            for carried, other in ((left, right), (right, left)):
                if _CARRIED.search(_last_name(carried)):
                    yield replace("rounding", node, other.text)
        elif node.fields["operator"] == "%" and _is_kept(node):
            yield replace("rounding", node, "0")
    elif node.kind == "FunctionCall" and _last_name(node.one("expression")) == "ceilDiv":
        dividend, divisor = node.all("arguments")
        yield replace("rounding", node, f"({dividend.text}) / ({divisor.text})")
    elif node.kind == "MemberAccess" and node.fields["memberName"] in ("Ceil", "Floor"):
        opposite = "Floor" if node.fields["memberName"] == "Ceil" else "Ceil"
        yield replace("rounding", node, f"{node.one('expression').text}.{opposite}")
    elif node.kind in ("Identifier", "MemberAccess") and node.role == "expression":
        for ending, opposite in (("Down", "Up"), ("Up", "Down")):
            if node.text.endswith(ending) and node.type.startswith("function"):
                yield replace("rounding", node, node.text.removesuffix(ending) + opposite)


def _is_kept(remainder: Node) -> bool:
    """Whether a remainder is assigned to what carries it."""
    assignment = remainder.above("Assignment", "VariableDeclarationStatement")
    if assignment is None:
        return False
    target = assignment.maybe("leftHandSide") or assignment.maybe("declarations")
    return target is not None and bool(_CARRIED.search(target.text))


def _last_name(node: Node) -> str:
    return str(node.fields.get("memberName") or node.fields.get("name") or "")


def constants(node: Node) -> Iterator[Change]:
    """One more and one less than a number that is written out."""
    if node.kind != "Literal" or node.fields["kind"] != "number":
        return
    text = node.text
    if text.replace("_", "").isdecimal():
        value = int(text.replace("_", ""))
        yield replace("constant", node, str(value + 1))
        if value > 0:
            yield replace("constant", node, str(value - 1))
    elif not text.startswith("0x"):
        yield replace("constant", node, f"({text} + 1)")
        yield replace("constant", node, f"({text} - 1)")


def parties(node: Node) -> Iterator[Change]:
    """Somebody else: another address of the function, or the sender."""
    function = node.above("FunctionDefinition")
    if function is None or node.type not in ("address", "address payable"):
        return
    addresses = [
        parameter.fields["name"]
        for parameter in function.one("parameters").all("parameters")
        if parameter.type == "address" and parameter.fields["name"]
    ]
    is_sender = node.kind == "MemberAccess" and node.text == "msg.sender"
    if is_sender:
        others = addresses[:1] or ["address(this)"]
    elif node.kind == "Identifier" and node.text in addresses and node.role != "leftHandSide":
        others = [name for name in addresses if name != node.text][:1]
        if not others and function.fields["visibility"] in ("external", "public"):
            others = ["msg.sender"]
    else:
        return
    for other in others:
        yield replace("party", node, other)


def arguments(node: Node) -> Iterator[Change]:
    """Two arguments of one type, or two unsigned numbers, side by side, change places."""
    if node.kind != "FunctionCall" or _last_name(node.one("expression")) in _COMMUTATIVE:
        return
    given = node.all("arguments")
    for first, second in pairwise(given):
        are_numbers = all(one.type.startswith(("uint", "int_const")) for one in (first, second))
        if (are_numbers or first.type == second.type) and first.text != second.text:
            between = first.source.text(first.end, second.start)
            swapped = second.text + between + first.text
            yield Change("argument", first.start, second.end, swapped)


def assembly(node: Node) -> Iterator[Change]:
    """Other instructions and other numbers in assembly."""
    if node.kind == "YulFunctionCall":
        name = node.one("functionName")
        if name.text in _YUL:
            yield replace("assembly", name, _YUL[name.text])
    elif node.kind == "YulLiteral" and node.fields["kind"] == "number":
        value = int(node.text, 0)
        yield replace("assembly", node, str(value + 1))
        if value > 0:
            yield replace("assembly", node, str(value - 1))


EXPRESSION_OPERATORS = (
    binary, unary, conditions, widths, roundings, constants, parties, arguments, assembly,
)  # fmt: skip
