"""Pytest in a tree whose sources change between runs, without a cache of its own.

The contracts are compiled before anything else is imported: a `conftest.py` that looks at ape's
project early would go on with what the last run compiled. Ends with pytest's status, or with
DOES_NOT_COMPILE.
"""

from __future__ import annotations

import sys

import pytest
from ape.exceptions import CompilerError

from scripts._lib.build import ensure_compiled
from tests.mutation.suites import DOES_NOT_COMPILE

if __name__ == "__main__":
    try:
        ensure_compiled()
    except CompilerError as error:
        print(error)
        sys.exit(DOES_NOT_COMPILE)
    sys.exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
