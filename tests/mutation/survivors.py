"""The survivors against `survivors.toml`, which says why each of them is no gap in the tests."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.mutation.judging import Verdict
from tests.mutation.mutants import Mutant

EXPLAINED = Path(__file__).parent / "survivors.toml"

Key = tuple[str, str, str, str, str]
_FIELDS = ("file", "where", "operator", "was", "now")


def explained(text: str) -> dict[Key, str]:
    """Why each listed mutant may survive, by its key.

    ValueError for an entry without a reason, or for one that is listed twice.
    """
    reasons: dict[Key, str] = {}
    for entry in tomllib.loads(text).get("survivor", []):
        file, where, operator, was, now = (str(entry[field]) for field in _FIELDS)
        key = (file, where, operator, was, now)
        if not str(entry["why"]).strip():
            raise ValueError(f"{file}, {where}: a survivor is listed without a reason")
        if key in reasons:
            raise ValueError(f"{file}, {where}: a survivor is listed twice: {now}")
        reasons[key] = str(entry["why"])
    return reasons


def problems(
    verdicts: Iterable[Verdict], made: Iterable[Mutant], reasons: Mapping[Key, str]
) -> list[str]:
    """What is wrong with the list: survivors that it lacks, and what is no survivor.

    An explanation of a mutant that was made and not judged stands.
    """
    verdicts = list(verdicts)
    survived = {verdict.mutant.key for verdict in verdicts if verdict.outcome == "survived"}
    judged = {verdict.mutant.key for verdict in verdicts}
    possible = {mutant.key for mutant in made}
    unexplained = [
        f"survived, and {EXPLAINED.name} does not say why:\n{entry(verdict.mutant)}"
        for verdict in verdicts
        if verdict.outcome == "survived" and verdict.mutant.key not in reasons
    ]
    stale = [
        f"{EXPLAINED.name} explains what {'is killed' if key in possible else 'is no more'}:"
        f" {key[1]} ({key[2]}): {key[4]}"
        for key in reasons
        if key not in possible or key in judged - survived
    ]
    return unexplained + stale


def entry(mutant: Mutant) -> str:
    """A mutant as it would be listed, but for the reason."""
    lines = [
        f"{field} = {_quoted(value)}" for field, value in zip(_FIELDS, mutant.key, strict=True)
    ]
    return "\n".join(["[[survivor]]", *lines])


def _quoted(text: str) -> str:
    return f"'{text}'" if "'" not in text else f"'''{text}'''"
