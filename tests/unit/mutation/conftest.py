"""The mutants of a small contract."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.syntax import Source, parse
from tests.unit.mutation.till import TILL

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def till() -> Sequence[Mutant]:
    """All mutants of the contract, in its order."""
    (tree,) = parse(ROOT, [Source("contracts/share/Till.sol", TILL.encode())])
    return mutants_of(tree)
