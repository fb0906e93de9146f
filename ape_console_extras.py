"""The investors' verbs for `ape console`; they are in scripts/_lib/console.py."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path


def ape_init_extras(**_: object) -> Mapping[str, Callable[..., None]]:
    """Called by ape when a console opens: the names it is to know."""
    # The console is run from the project's folder, which ape does not put on sys.path.
    root = str(Path(__file__).parent)
    if root not in sys.path:
        sys.path.append(root)
    from scripts._lib.console import InvestorConsole

    return InvestorConsole().verbs()
