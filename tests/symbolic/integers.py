"""Facts on bit vectors, said of integers: sums, products and quotients of 256 bits need it.

Solvers answer questions on bit vectors by building the circuits, and cannot with multipliers of
this size. Over the integers the same questions are small: a variable of n bits lies in [0, 2^n), a
sum is a sum. What remains of the machine are the wraps. Each is first tried to be excluded, by what
the facts before it say of the very term; where that fails, a new integer stands for the number of
turns.

The translation is exact: the integers have a solution if and only if the bit vectors have one.
`check_integers.py` holds it against small vectors.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import z3  # type: ignore[import-not-found]

PATIENCE_MS = 2_000
"""For each attempt to exclude a wrap. One that is not excluded, but could, costs time alone."""

_MEANING = re.compile(r"f_evm_(bvmul|bvudiv|bvurem)_\d+")
"""halmos's names for operations on unknowns. A division by zero is zero, as on the machine."""


class UntranslatableError(Exception):
    """A term that has no counterpart here: bitwise operations between unknowns, for one."""


@dataclass(frozen=True)
class Number:
    """An integer that a bit vector stands for, and what it lies between."""

    value: z3.ArithRef
    low: int
    high: int


def meaning(term: z3.ExprRef) -> str | None:
    """`bvmul`, `bvudiv` or `bvurem` of a term that halmos leaves open; otherwise None."""
    match = _MEANING.fullmatch(term.decl().name())
    return match and match[1]


def terms(facts: Iterable[z3.ExprRef]) -> list[z3.ExprRef]:
    """Every term in the facts, once."""
    seen, waiting = {}, list(facts)
    while waiting:
        term = waiting.pop()
        if term.get_id() not in seen:
            seen[term.get_id()] = term
            waiting.extend(term.children())
    return list(seen.values())


def is_variable(term: z3.ExprRef) -> bool:
    return bool(z3.is_const(term) and term.decl().kind() == z3.Z3_OP_UNINTERPRETED)


def is_about_arrays(fact: z3.BoolRef) -> bool:
    """Whether a fact only names a new array, as halmos does after each write."""
    return bool(z3.is_eq(fact) and z3.is_array(fact.arg(0)) and is_variable(fact.arg(0)))


def integers(facts: Iterable[z3.BoolRef]) -> list[z3.BoolRef]:
    """The facts, on integers. UntranslatableError for what cannot be said of them."""
    return _Translation(facts).facts


class _Translation:
    def __init__(self, facts: Iterable[z3.BoolRef]) -> None:
        self.facts: list[z3.BoolRef] = []
        self._names = itertools.count()
        self._numbers: dict[tuple[object, ...], Number] = {}
        self._kept: list[z3.ExprRef] = []
        self._widths: dict[int, int] = {}
        self._edges: dict[int, set[int]] = defaultdict(set)
        self._solver = z3.Solver()
        self._solver.set("timeout", PATIENCE_MS)
        wanted = [z3.simplify(fact) for fact in facts if not is_about_arrays(fact)]
        for fact in wanted:
            self._learn_width(fact)
        for term in terms(wanted):
            if term.decl().kind() == z3.Z3_OP_EXTRACT:
                high, low = term.params()
                self._edges[term.arg(0).get_id()] |= {low, high + 1}
        # Simple ones first: they help to exclude the wraps of the others.
        for fact in sorted(wanted, key=lambda one: (_is_open(one), len(one.sexpr()))):
            self._state(self._truth(fact))

    def _state(self, fact: z3.BoolRef) -> None:
        self.facts.append(fact)
        self._solver.add(fact)

    def _learn_width(self, fact: z3.BoolRef) -> None:
        """Take note of `variable = 0…0 ++ something`."""
        if not z3.is_eq(fact):
            return
        for one, other in (fact.children(), fact.children()[::-1]):
            if (
                is_variable(one)
                and other.decl().kind() == z3.Z3_OP_CONCAT
                and z3.is_bv_value(other.arg(0))
                and other.arg(0).as_long() == 0
            ):
                self._widths[one.get_id()] = one.size() - other.arg(0).size()

    def _new(self, low: int, high: int) -> Number:
        value = z3.Int(f"new!{next(self._names)}")
        self._state(z3.And(low <= value, value <= high))
        return Number(value, low, high)

    def _follows(self, claim: z3.BoolRef) -> bool:
        """Whether a claim follows from the facts stated so far, as far as that is found out."""
        self._solver.push()
        self._solver.add(z3.Not(claim))
        answer = self._solver.check()
        self._solver.pop()
        return bool(answer == z3.unsat)

    # ------------------------------------------------------------------ numbers

    def _number(self, term: z3.BitVecRef) -> Number:
        key = (term.get_id(),)
        if key not in self._numbers:
            self._kept.append(term)
            self._numbers[key] = self._translated(term)
        return self._numbers[key]

    def _translated(self, term: z3.BitVecRef) -> Number:
        kind, parts, bits = term.decl().kind(), term.children(), term.size()
        if z3.is_bv_value(term):
            return _constant(term.as_long())
        if is_variable(term):
            return self._variable(term)
        if kind == z3.Z3_OP_BADD:
            return self._wrapped(_sum(map(self._summand, parts)), bits)
        if kind == z3.Z3_OP_BMUL or meaning(term) == "bvmul":
            if len(parts) > 2:
                raise UntranslatableError(f"a product of {len(parts)}")
            if kind == z3.Z3_OP_BMUL and z3.is_bv_value(parts[0]):
                return self._wrapped(self._summand(term), bits)
            return self._wrapped(_product(*map(self._number, parts)), bits)
        if meaning(term) == "bvudiv":
            return self._divided(*parts)[0]
        if meaning(term) == "bvurem":
            return self._divided(*parts)[1]
        if kind == z3.Z3_OP_CONCAT:
            return self._joined(parts)
        if kind == z3.Z3_OP_EXTRACT:
            return self._extracted(parts[0], *term.params())
        if kind == z3.Z3_OP_ITE:
            one, other = self._number(parts[1]), self._number(parts[2])
            value = z3.If(self._truth(parts[0]), one.value, other.value)
            return Number(value, min(one.low, other.low), max(one.high, other.high))
        if kind == z3.Z3_OP_BNOT:
            one = self._number(parts[0])
            top = 2**bits - 1
            return Number(top - one.value, top - one.high, top - one.low)
        raise UntranslatableError(term.decl().name())

    def _variable(self, term: z3.BitVecRef) -> Number:
        """A variable, as the sum of the pieces that the facts take from it."""
        value = z3.Int(term.decl().name())
        width = self._widths.get(term.get_id(), term.size())
        edges = [0, *sorted(edge for edge in self._edges[term.get_id()] if 0 < edge < width), width]
        if len(edges) == 2:
            self._state(z3.And(value >= 0, value < 2**width))
            return Number(value, 0, 2**width - 1)
        whole = _sum(
            _product(_constant(2**low), self._new(0, 2 ** (high - low) - 1))
            for low, high in itertools.pairwise(edges)
        )
        self._state(value == whole.value)
        return whole

    def _summand(self, term: z3.BitVecRef) -> Number:
        """A number equal to a term modulo its size: −1·x is −x, so that a difference is one."""
        half, whole = 2 ** (term.size() - 1), 2 ** term.size()
        if z3.is_bv_value(term) and term.as_long() >= half:
            return _constant(term.as_long() - whole)
        if term.decl().kind() == z3.Z3_OP_BMUL and z3.is_bv_value(term.arg(0)):
            factor = term.arg(0).as_long()
            if term.num_args() == 2:
                scale = _constant(factor - whole if factor >= half else factor)
                return _product(scale, self._number(term.arg(1)))
        return self._number(term)

    def _wrapped(self, number: Number, bits: int) -> Number:
        """A number modulo 2^bits."""
        size = 2**bits
        first, last = number.low // size, number.high // size
        if first < last and first <= 0 <= last:
            inside = z3.And(number.value >= 0, number.value < size)
            if self._follows(inside):
                return Number(number.value, max(0, number.low), min(size - 1, number.high))
        if first == last:
            away = first * size
            value = number.value - away if away else number.value
            return Number(value, number.low - away, number.high - away)
        turns, rest = self._new(first, last), self._new(0, size - 1)
        self._state(number.value == turns.value * size + rest.value)
        return rest

    def _divided(self, number: z3.BitVecRef, divisor: z3.BitVecRef) -> tuple[Number, Number]:
        """Quotient and remainder."""
        keys = [(name, number.get_id(), divisor.get_id()) for name in ("quotient", "remainder")]
        if keys[0] not in self._numbers:
            self._kept += [number, divisor]
            self._numbers[keys[0]], self._numbers[keys[1]] = self._ratio(number, divisor)
        return self._numbers[keys[0]], self._numbers[keys[1]]

    def _ratio(self, number: z3.BitVecRef, divisor: z3.BitVecRef) -> tuple[Number, Number]:
        above, below = self._number(number), self._number(divisor)
        if meaning(number) == "bvmul":
            for one, other in (number.children(), number.children()[::-1]):
                factor = self._number(other)
                # Solidity's check of a product: x·y / x is y, if nothing wrapped and x is not zero.
                if one.eq(divisor) and below.high * factor.high < 2 ** number.size():
                    value = z3.If(below.value == 0, 0, factor.value)
                    return Number(value, 0, factor.high), _constant(0)
        quotient = self._new(0, above.high // max(1, below.low))
        remainder = self._new(0, max(0, min(above.high, below.high - 1)))
        euclid = z3.And(
            above.value == quotient.value * below.value + remainder.value,
            remainder.value < below.value,
        )
        if below.low > 0 or self._follows(below.value > 0):
            self._state(euclid)
        else:
            nothing = z3.And(quotient.value == 0, remainder.value == 0)
            self._state(z3.If(below.value == 0, nothing, euclid))
        return quotient, remainder

    def _joined(self, parts: list[z3.BitVecRef]) -> Number:
        shifts = itertools.accumulate((part.size() for part in reversed(parts)), initial=0)
        return _sum(
            _product(_constant(2**shift), self._number(part))
            for part, shift in zip(reversed(parts), shifts, strict=False)
        )

    def _extracted(self, whole: z3.BitVecRef, high: int, low: int) -> Number:
        number = self._number(whole)
        if number.high >= 2 ** (high + 1):
            if self._follows(number.value < 2 ** (high + 1)):
                number = Number(number.value, number.low, 2 ** (high + 1) - 1)
            else:
                number = self._cut(whole, number, high + 1)[1]
        if low == 0:
            return number
        return self._cut(whole, number, low)[0]

    def _cut(self, whole: z3.BitVecRef, number: Number, at: int) -> tuple[Number, Number]:
        """What is above and below a bit."""
        keys = [(name, whole.get_id(), number.high, at) for name in ("above", "below")]
        if keys[0] not in self._numbers:
            self._numbers[keys[0]], self._numbers[keys[1]] = self._parted(number, at)
        return self._numbers[keys[0]], self._numbers[keys[1]]

    def _parted(self, number: Number, at: int) -> tuple[Number, Number]:
        size = 2**at
        # Of packed fields each is a multiple of its own power of two: where none overflows no
        # unknown is needed.
        multiples, rest = [], []
        for factor, monomial in _monomials(number.value):
            if factor % size == 0:
                multiples.append(factor // size * monomial)
            else:
                rest.append(factor * monomial)
        low = z3.simplify(z3.Sum([z3.IntVal(0), *rest]))
        if multiples and self._follows(z3.And(low >= 0, low < size)):
            above = Number(z3.simplify(z3.Sum(multiples)), number.low >> at, number.high >> at)
            return above, Number(low, 0, min(number.high, size - 1))
        above, below = (
            self._new(number.low >> at, number.high >> at),
            self._new(0, min(number.high, size - 1)),
        )
        self._state(number.value == above.value * size + below.value)
        return above, below

    # ------------------------------------------------------------------ truths

    def _truth(self, fact: z3.BoolRef) -> z3.BoolRef:
        kind, parts = fact.decl().kind(), fact.children()
        if z3.is_true(fact) or z3.is_false(fact):
            return fact
        if is_variable(fact):
            return z3.Bool(fact.decl().name())
        if kind in (z3.Z3_OP_EQ, z3.Z3_OP_ULEQ, z3.Z3_OP_ULT, z3.Z3_OP_UGEQ, z3.Z3_OP_UGT):
            if z3.is_bool(parts[0]):
                return self._truth(parts[0]) == self._truth(parts[1])
            if not z3.is_bv(parts[0]):
                raise UntranslatableError(f"a comparison of {parts[0].sort()}")
            one, other = (self._number(part).value for part in parts)
            return {
                z3.Z3_OP_EQ: one == other,
                z3.Z3_OP_ULEQ: one <= other,
                z3.Z3_OP_ULT: one < other,
                z3.Z3_OP_UGEQ: one >= other,
                z3.Z3_OP_UGT: one > other,
            }[kind]
        if kind == z3.Z3_OP_NOT:
            return z3.Not(self._truth(parts[0]))
        if kind in (z3.Z3_OP_AND, z3.Z3_OP_OR):
            join = z3.And if kind == z3.Z3_OP_AND else z3.Or
            return join([self._truth(part) for part in parts])
        if kind == z3.Z3_OP_IMPLIES:
            return z3.Implies(self._truth(parts[0]), self._truth(parts[1]))
        if kind == z3.Z3_OP_ITE:
            return z3.If(*map(self._truth, parts))
        raise UntranslatableError(fact.decl().name())


def _constant(value: int) -> Number:
    return Number(z3.IntVal(value), value, value)


def _normal(value: z3.ArithRef) -> z3.ArithRef:
    """A polynomial as a sum of monomials."""
    return z3.simplify(value, som=True)


def _monomials(value: z3.ArithRef) -> list[tuple[int, z3.ArithRef]]:
    """A polynomial's coefficients, each with what it stands before."""
    found = []
    for part in value.children() if z3.is_add(value) else [value]:
        if z3.is_int_value(part):
            found.append((part.as_long(), z3.IntVal(1)))
        elif z3.is_mul(part) and z3.is_int_value(part.arg(0)):
            found.append((part.arg(0).as_long(), z3.Product(part.children()[1:])))
        else:
            found.append((1, part))
    return found


def _sum(numbers: Iterable[Number]) -> Number:
    each = list(numbers)
    return Number(
        _normal(z3.Sum([one.value for one in each])),
        sum(one.low for one in each),
        sum(one.high for one in each),
    )


def _product(x: Number, y: Number) -> Number:
    ends = [one * other for one in (x.low, x.high) for other in (y.low, y.high)]
    return Number(_normal(x.value * y.value), min(ends), max(ends))


def _is_open(fact: z3.ExprRef) -> bool:
    """Whether a fact speaks of operations that halmos leaves open."""
    return any(meaning(term) for term in terms([fact]))
