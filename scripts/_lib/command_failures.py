"""What a command says of a failure."""

from __future__ import annotations

from scripts._lib.failures import in_words
from scripts._lib.processes import ProcessFailure
from scripts._lib.story import StoryFailure


def failure_words(error: Exception) -> str | None:
    """What to tell whoever ran the command; None for what nobody foresaw, which keeps its trace."""
    if isinstance(error, ProcessFailure | StoryFailure):
        return str(error)
    return in_words(error)
