"""halmos, which goes on with the values that its path gives, and does not give loops up early.

A path that holds `a / b = 7` keeps the quotient as an unknown, and a place in storage that depends
on it cannot be told; one that holds `r = 0` still asks a solver whether `r ≠ 0`. halmos puts such
values in where it loads calldata; this does the same after arithmetic and before it asks.

Which way a jump can go is asked with little effort: a way that cannot be gone costs a question at
its end. A loop that has ended would be unrolled to the bound so, and no theorem on it counts as
proved. Effort is counted in the solver's steps: what is proved does not depend on how busy the
machine is.
"""

from __future__ import annotations

import sys
from typing import Any

import z3  # type: ignore[import-not-found]
from halmos import sevm  # type: ignore[import-not-found]
from halmos.__main__ import main  # type: ignore[import-not-found]
from halmos.bitvec import HalmosBitVec  # type: ignore[import-not-found]

FEW_STEPS, MANY_STEPS = 2_000, 500_000
TURNS = 3
"""So often a loop may go round before each question on it is given the greater effort."""

_calculate = sevm.SEVM.arith
_ask = sevm.Exec.check


def _arith(self: Any, state: Any, opcode: int, left: Any, right: Any) -> Any:
    result = _calculate(self, state, opcode, left, right)
    if result.is_symbolic:
        value = state.path.concretization.substitution.get(result.as_z3())
        if value is not None:
            return HalmosBitVec(value)
    return result


def _check(self: Any, condition: Any) -> Any:
    known = self.path.concretization.substitution.items()
    settled = z3.simplify(z3.substitute(condition, *known))
    if z3.is_true(settled) or z3.is_false(settled):
        return z3.sat if z3.is_true(settled) else z3.unsat
    turns = max(self.jumpis.get(self.jumpid(), {True: 0}).values())
    self.path.solver.set("rlimit", MANY_STEPS if turns >= TURNS else FEW_STEPS)
    return _ask(self, condition)


if __name__ == "__main__":
    sevm.SEVM.arith = _arith
    sevm.Exec.check = _check
    sys.argv += ["--solver-timeout-branching", "60s"]
    sys.exit(main())
