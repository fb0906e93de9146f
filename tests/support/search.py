"""How far a search with hypothesis goes.

`make test` tries the same few examples every time; HYPOTHESIS_PROFILE=deep many new ones.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
DEEP_FACTOR = 10


def searched(examples: int) -> settings:
    """A decorator: `examples` repeatable ones, or DEEP_FACTOR times as many at random when deep."""
    return settings(
        max_examples=examples * (DEEP_FACTOR if DEEP else 1),
        derandomize=not DEEP,
        database=None,
        deadline=None,
        print_blob=True,
        # Fixtures are of the module: each example undoes what it did to the chain.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
