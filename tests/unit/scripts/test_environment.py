"""Which Python makes the environment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts._lib import environment


def interpreter(folder: Path, name: str, answer: str, status: int = 0) -> Path:
    """A program that answers as a Python of some version does."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{answer}'\nexit {status}\n")
    path.chmod(0o755)
    return path


def test_find_python__the_first_is_too_new__the_next_fitting_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter(tmp_path, "python3", "3 13")
    fitting = interpreter(tmp_path, "python3.12", "3 12")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.find_python(None) == str(fitting)


def test_find_python__none_fits__says_what_was_found_and_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = interpreter(tmp_path, "python3", "3 14")
    bare = interpreter(tmp_path, "python3.11", "No module named ensurepip", status=1)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit) as refusal:
        environment.find_python(None)
    words = str(refusal.value)
    assert "3.11 or 3.12 is needed" in words
    assert f"{new}: 3.14" in words
    assert f"{bare}: cannot make environments" in words
    assert "make PYTHON=" in words


def test_find_python__one_was_asked_for__no_other_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter(tmp_path, "python3", "3 12")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"python3\.9: not found"):
        environment.find_python("python3.9")


def test_find_python__the_environments_own__not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    (tmp_path / ".venv").mkdir()
    interpreter(tmp_path / ".venv" / "bin", "python3", "3 12")
    monkeypatch.setenv("PATH", str(tmp_path / ".venv" / "bin"))
    with pytest.raises(SystemExit):
        environment.find_python(None)


def test_version_of__this_interpreter__its_version() -> None:
    assert environment.version_of(sys.executable) == sys.version_info[:2]


def test_is_usable__made_at_another_place__not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    (tmp_path / ".venv").mkdir()
    python = interpreter(tmp_path / ".venv" / "bin", "python", "3 12")
    pip = tmp_path / ".venv" / "bin" / "pip"
    pip.write_text("#!/somewhere/else/.venv/bin/python\n")
    assert not environment.is_usable(python)
    pip.write_text(f"#!{python}\n")
    assert environment.is_usable(python)
