"""The solver that halmos calls: `python -m tests.symbolic.solver QUERY.smt2`.

Over the integers where that can be said (`integers.py`), over the bit vectors where not. A solution
is held against the bit vectors themselves before it is given out.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import z3  # type: ignore[import-not-found]

from tests.symbolic.integers import (
    UntranslatableError,
    integers,
    is_about_arrays,
    is_variable,
    meaning,
    terms,
)


def with_meaning(facts: Sequence[z3.BoolRef]) -> list[z3.BoolRef]:
    """The facts with the true operations for those that halmos leaves open."""
    replacements = {}
    for term in terms(facts):
        if name := meaning(term):
            x, y = (z3.Var(i, term.sort()) for i in (0, 1))
            zero = z3.BitVecVal(0, term.size())
            body = {
                "bvmul": x * y,
                "bvudiv": z3.If(y == 0, zero, z3.UDiv(x, y)),
                "bvurem": z3.If(y == 0, zero, z3.URem(x, y)),
            }[name]
            replacements[term.decl().name()] = (term.decl(), body)
    return [z3.substitute_funs(fact, *replacements.values()) for fact in facts]


def solve(facts: Sequence[z3.BoolRef]) -> dict[z3.BitVecRef, int] | None:
    """Values of the variables for which the facts hold; None if there are none.

    UntranslatableError if that was not found out.
    """
    # Only what a fact reads of an array could matter, and that has no translation.
    facts = [fact for fact in facts if not is_about_arrays(fact)]
    exact = with_meaning(facts)
    variables = [term for term in terms(facts) if is_variable(term) and z3.is_bv(term)]
    try:
        model = _model(integers(facts))
        unknowns = [z3.Int(one.decl().name()) for one in variables]
    except UntranslatableError:
        model, unknowns = _model(exact), variables
    if model is None:
        return None
    found = {
        one: model.eval(unknown, model_completion=True).as_long()
        for one, unknown in zip(variables, unknowns, strict=True)
    }
    values = [(one, z3.BitVecVal(value, one.size())) for one, value in found.items()]
    if not all(z3.is_true(z3.simplify(z3.substitute(fact, *values))) for fact in exact):
        raise AssertionError("what was found is no solution of the bit vectors")
    return found


def _model(facts: Sequence[z3.BoolRef]) -> z3.ModelRef | None:
    solver = z3.Solver()
    solver.add(*facts)
    answer = solver.check()
    if answer == z3.unknown:
        raise UntranslatableError(f"z3: {solver.reason_unknown()}")
    return solver.model() if answer == z3.sat else None


def main() -> None:
    found = solve(list(z3.parse_smt2_file(sys.argv[1])))
    if found is None:
        print("unsat")
        return
    print("sat\n(model")
    for variable, value in found.items():
        name, size = variable.decl().name(), variable.size()
        print(f"(define-fun |{name}| () (_ BitVec {size}) (_ bv{value} {size}))")
    print(")")


if __name__ == "__main__":
    main()
