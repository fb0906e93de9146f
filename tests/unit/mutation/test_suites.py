"""Which tests judge a source, and how their ends are read."""

from __future__ import annotations

import pytest

from tests.mutation.suites import DOES_NOT_COMPILE, Stage, Suites

FILES = {
    "contracts/libraries/Cost.sol": b"library Cost {}",
    "contracts/share/Share.sol": b"contract Share {}",
    "contracts/revenue/Split.sol": b'import {Cost} from "../libraries/Cost.sol";',
    "contracts/compliance/Rules.sol": b"contract Rules {}",
    "contracts/payments/Till.sol": b"contract Till {}",
    "tests/invariant/Vm.sol": b"interface Vm {}",
    "tests/invariant/share/Share.t.sol": b'import "../../../contracts/share/Share.sol";',
    "tests/invariant/revenue/Split.t.sol": (
        b'import "../../../contracts/revenue/Split.sol";\n'
        b'import "../../../contracts/share/Share.sol";\nimport "../Vm.sol";'
    ),
    "tests/unit/contracts/share/test_pay.py": b"",
    "tests/unit/contracts/revenue/test_split.py": b"",
    "tests/unit/contracts/compliance/test_admit.py": b"",
    "tests/unit/contracts/payments/test_collect.py": b"",
    "tests/model/test_meter.py": b"",
    "tests/model/test_stream.py": b"",
    "tests/support/usd.py": b"",
    "foundry.toml": b"",
    "README.md": b"",
}


def stages(source: str) -> list[Stage]:
    return Suites(FILES).stages(source)


def test_stages__of_a_source_with_forge_tests__own_first_and_all_at_length() -> None:
    quick, unit, long, model = stages("contracts/share/Share.sol")
    assert quick.command[-1] == "tests/invariant/share/Share.t.sol"
    assert unit.command[-1] == "tests/unit/contracts/share"
    assert long.command[-1] == (
        "{tests/invariant/revenue/Split.t.sol,tests/invariant/share/Share.t.sol}"
    )
    assert model.command[-1] == "tests/model/test_stream.py"
    assert int(quick.environment["FOUNDRY_FUZZ_RUNS"]) > 0
    assert "FOUNDRY_FUZZ_RUNS" not in long.environment


def test_stages__of_a_library__tests_of_the_modules_that_use_it() -> None:
    quick, unit, *_ = stages("contracts/libraries/Cost.sol")
    assert quick.command[-1] == "tests/invariant/revenue/Split.t.sol"
    assert unit.command[-1] == "tests/unit/contracts/revenue"


def test_stages__of_a_source_without_forge_tests__on_a_chain_only() -> None:
    assert [stage.name for stage in stages("contracts/compliance/Rules.sol")] == ["unit", "model"]


def test_stages__of_a_module_without_models__end_with_its_own_tests() -> None:
    (unit,) = stages("contracts/payments/Till.sol")
    assert unit.command[-1] == "tests/unit/contracts/payments"


@pytest.mark.parametrize(
    ("changed", "differing"),
    [
        ("contracts/share/Share.sol", {"forge", "unit", "forge at length", "model"}),
        ("contracts/compliance/Rules.sol", {"unit", "model"}),
        ("tests/unit/contracts/share/test_pay.py", {"unit"}),
        ("tests/unit/contracts/revenue/test_split.py", set()),
        ("tests/invariant/Vm.sol", {"forge at length"}),
        ("tests/model/test_stream.py", {"model"}),
        ("tests/support/usd.py", {"unit", "model"}),
        ("README.md", set()),
    ],
)
def test_key__one_file_changed__of_the_runs_that_read_it(changed: str, differing: set[str]) -> None:
    before = {stage.name: stage.key(FILES) for stage in stages("contracts/share/Share.sol")}
    files = {**FILES, changed: b"// another"}
    if changed == "contracts/share/Share.sol":
        files[changed] = FILES[changed] + b"\n"
    after = {stage.name: stage.key(files) for stage in stages("contracts/share/Share.sol")}
    assert {name for name in before if before[name] != after[name]} == differing


FORGE, PYTEST = stages("contracts/share/Share.sol")[:2]
SEQUENCE = (
    "[FAIL: paid twice]\n"
    "\t[Sequence] (original: 2, shrunk: 2)\n"
    "\t\tsender=0x01 addr=[Till.t.sol:Till]0x02 calldata=pay(uint256) args=[1 [1e0]]\n"
    "\t\tsender=0x01 addr=[Till.t.sol:Till]0x02 calldata=pay(uint256) args=[2]\n"
    " invariant_pay() (runs: 1, calls: 2, reverts: 1)\n"
)
FAILED = (
    "[FAIL: off by [one]; counterexample: calldata=0x00 args=[1 [1e0]]]"
    " test_pay__all__paid(uint256) (runs: 3)\n"
)


@pytest.mark.parametrize(
    ("stage", "status", "output", "outcome"),
    [
        (FORGE, 0, "Suite result: ok", ("survived", "")),
        (FORGE, 1, FAILED, ("killed", "test_pay__all__paid: off by [one]")),
        (FORGE, 1, "[FAIL] invariant_pay() (runs: 1)", ("killed", "invariant_pay: failed")),
        (FORGE, 1, SEQUENCE, ("killed", "invariant_pay: paid twice")),
        (FORGE, 1, "Error: Compiler run failed:\nError (7576)", ("invalid", "")),
        (FORGE, 1, "Error: no solc", None),
        (FORGE, 101, FAILED, None),
        (PYTEST, 0, "2 passed", ("survived", "")),
        (PYTEST, 1, "FAILED a/test_b.py::test_c - E", ("killed", "a/test_b.py::test_c: E")),
        (PYTEST, 1, "ERROR a/test_b.py::test_c - E", ("killed", "a/test_b.py::test_c: E")),
        (PYTEST, DOES_NOT_COMPILE, "DeclarationError", ("invalid", "")),
        (PYTEST, 1, "Traceback (most recent call last)", None),
        (PYTEST, 4, "ERROR: file or directory not found", None),
    ],
)
def test_outcome__ends_of_runs__killed_only_where_a_test_failed(
    stage: Stage, status: int, output: str, outcome: tuple[str, str] | None
) -> None:
    assert stage.outcome(status, output) == outcome
