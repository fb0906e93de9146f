"""What the operators of mutation make of a small contract."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.sampling import sample
from tests.mutation.syntax import Source, SourceError, parse
from tests.unit.mutation.till import TILL

ROOT = Path(__file__).resolve().parents[3]


def nows(mutants: Sequence[Mutant], where: str, operator: str) -> list[str]:
    """The changed lines of one function and operator."""
    return [each.now for each in mutants if (each.where, each.operator) == (where, operator)]


def test_mutants_of__whole_contract__each_is_another_and_compiles(till: Sequence[Mutant]) -> None:
    assert len({mutant.content for mutant in till} | {TILL.encode()}) == len(till) + 1 > 100
    sources = [Source(f"{mutant.name}.sol", mutant.content) for mutant in sample(till, 40)]
    assert len(parse(ROOT, sources)) == 40


def test_mutants_of__same_source_again__same_names(till: Sequence[Mutant]) -> None:
    moved = Source(
        "contracts/share/Till.sol", TILL.replace("contract Till", "\n\ncontract Till").encode()
    )
    (tree,) = parse(ROOT, [moved])
    assert [mutant.name for mutant in mutants_of(tree)] == [mutant.name for mutant in till]
    assert len({mutant.name for mutant in till}) == len(till)


def test_mutants_of__interface__none(till: Sequence[Mutant]) -> None:
    assert not [mutant for mutant in till if mutant.where.startswith("Token")]


def test_binary__sum_and_quotient__other_operators(till: Sequence[Mutant]) -> None:
    assert nows(till, "Till.split", "arithmetic") == [
        "uint256 total = amount - books.carry;",
        "books.carry = uint64(total / parts);",
        "books.carry = uint64(total * parts);",
        "part = total * parts;",
        "part = total % parts;",
    ]


def test_binary__compound_assignment__the_opposite(till: Sequence[Mutant]) -> None:
    assert nows(till, "Till.pay", "arithmetic") == ["books.income += uint128(amount);"]


def test_binary__comparison__boundary_and_opposite(till: Sequence[Mutant]) -> None:
    refusal = "revert Till_TooMuch(amount, books.income);"
    assert nows(till, "Till.pay", "boundary") == [f"if (amount >= books.income) {refusal}"]
    assert nows(till, "Till.pay", "comparison") == [f"if (amount <= books.income) {refusal}"]


def test_binary__smaller_of_two_and_difference_or_zero__boundary_is_the_same_and_left_out(
    till: Sequence[Mutant],
) -> None:
    assert nows(till, "Till.clamped", "boundary") == []
    assert nows(till, "Till.clamped", "comparison") == [
        "if (a <= b) a = b;",
        "return a <= 7 ? a - 7 : 0;",
    ]


def test_binary__bits__shifts_and_masks(till: Sequence[Mutant]) -> None:
    assert nows(till, "Till.word", "bits") == [
        "return raw << 8 & mask | ~mask;",
        "return raw >> 8 | mask | ~mask;",
        "return raw >> 8 & mask & ~mask;",
        "return raw >> 8 & mask | mask;",
    ]


def test_binary__either_of_two_conditions__both_or_one(till: Sequence[Mutant]) -> None:
    assert sorted(nows(till, "Till.count", "boolean")) == [
        "if (!open) continue;",
        "if (i % 2 == 0 && !open) continue;",
        "if (i % 2 == 0 || open) continue;",
        "if (i % 2 == 0) continue;",
    ]


def test_unary__counted_before_the_comparison__counted_after(till: Sequence[Mutant]) -> None:
    assert "while (n++ < to) {}" in nows(till, "Till.count", "boundary")
    assert nows(till, "Till.count", "arithmetic")[-1] == "while (--n < to) {}"


def test_unary__step_of_a_loop__left_alone(till: Sequence[Mutant]) -> None:
    assert not [mutant for mutant in till if "--i" in mutant.now or "i++" in mutant.now]


def test_widths__casts_and_masks__eight_bits_less_or_no_cast(till: Sequence[Mutant]) -> None:
    assert nows(till, "Till.wide", "width") == [
        "return (a) * b + type(uint96).max;",
        "return uint256(a) * b + type(uint88).max;",
    ]
    assert nows(till, "Till.pay", "width") == ["books.income -= uint120(amount);"]


def test_roundings__quotient_and_carried_remainder__up_and_dropped(till: Sequence[Mutant]) -> None:
    assert nows(till, "Till.split", "rounding") == [
        "uint256 total = amount;",
        "books.carry = uint64(0);",
        "part = ((total + parts - 1) / parts);",
    ]


def test_roundings__named_or_written_out__the_other_way(till: Sequence[Mutant]) -> None:
    assert sorted(nows(till, "Till.rounded", "rounding")) == [
        "return Maths.shareDown(a) + (a) / (3);",
        "return Maths.shareUp(a) + Maths.ceilDiv(a, 3);",
    ]
    assert nows(till, "Maths.ceilDiv", "rounding") == ["return (a) / b;"]


def test_constants__numbers_with_and_without_units__one_more_and_one_less(
    till: Sequence[Mutant],
) -> None:
    assert nows(till, "Till.PERIOD", "constant") == [
        "uint256 public constant PERIOD = (1 days + 1);",
        "uint256 public constant PERIOD = (1 days - 1);",
    ]
    assert "if (i % 2 == 1 || !open) continue;" in nows(till, "Till.count", "constant")


def test_parties__receiver_and_sender__somebody_else(till: Sequence[Mutant]) -> None:
    assert nows(till, "Till.pay", "party") == ["TOKEN.pay(msg.sender, amount);"]
    assert nows(till, "Till.close", "party") == [
        "TOKEN.pay(msg.sender, TOKEN.balanceOf(msg.sender));",
        "TOKEN.pay(to, TOKEN.balanceOf(to));",
    ]


def test_arguments__two_of_one_type__change_places(till: Sequence[Mutant]) -> None:
    assert nows(till, "Maths.shareUp", "argument") == ["return ceilDiv(2, a);"]
    assert nows(till, "Till.pay", "argument") == []


def test_removals__check_modifier_event_and_statement__each_goes(till: Sequence[Mutant]) -> None:
    assert nows(till, "Till.pay", "check") == [""]
    assert nows(till, "Till.pay", "modifier") == [
        "function pay(address to, uint256 amount) external {"
    ]
    assert nows(till, "Till.pay", "event")[0] == ""
    assert [mutant.was for mutant in till if mutant.where == "Till.close" and mutant.now == ""] == [
        "delete books.carry;",
        "open = false;",
        "TOKEN.pay(to, TOKEN.balanceOf(msg.sender));",
    ]


def test_removals__only_statement_of_an_if__an_empty_block_stays(till: Sequence[Mutant]) -> None:
    assert "if (a > b) {}" in nows(till, "Till.clamped", "statement")


def test_removals__way_out_of_a_loop__goes_with_its_condition(till: Sequence[Mutant]) -> None:
    gone = [mutant.was for mutant in till if mutant.where == "Till.count" and mutant.now == ""]
    assert "if (i % 2 == 0 || !open) continue;" in gone


def test_initial_values__variable_with_a_value__stays_zero(till: Sequence[Mutant]) -> None:
    assert "uint256 step;" in nows(till, "Till.count", "statement")


def test_orders__effects_before_a_call__after_it(till: Sequence[Mutant]) -> None:
    pay = nows(till, "Till.pay", "order")
    assert (
        "emit Paid(to, amount, books.income); TOKEN.pay(to, amount);"
        " books.income -= uint128(amount);" in pay
    )
    assert nows(till, "Till.close", "order") == [
        "TOKEN.pay(to, TOKEN.balanceOf(msg.sender)); open = false;"
    ]


def test_orders__statements_that_touch_nothing_in_common__left_alone(
    till: Sequence[Mutant],
) -> None:
    assert not [now for now in nows(till, "Till.close", "order") if now.startswith("open = false")]


def test_assembly__instructions_and_numbers__others(till: Sequence[Mutant]) -> None:
    assert nows(till, "Till.first", "assembly") == [
        "found := or(shr(4, raw), 15)",
        "found := and(shl(4, raw), 15)",
        "found := and(shr(5, raw), 15)",
        "found := and(shr(3, raw), 15)",
        "found := and(shr(4, raw), 16)",
        "found := and(shr(4, raw), 14)",
    ]


def test_class__figures_that_are_only_told__of_their_own(till: Sequence[Mutant]) -> None:
    refusals = nows(till, "Till.pay", "refusal")
    assert refusals == ["if (amount > books.income) revert Till_TooMuch(books.income, amount);"]
    assert "emit Paid(to, books.income, amount);" in nows(till, "Till.pay", "event")


def test_parse__source_with_a_mistake__refused_in_the_compilers_words() -> None:
    with pytest.raises(SourceError, match="Undeclared identifier"):
        parse(ROOT, [Source("A.sol", b"pragma solidity 0.8.37; contract A { uint256 a = b; }")])


def test_text__letters_of_several_bytes_before_it__found_at_its_place() -> None:
    text = TILL.replace("contract Till {", "// 10⁻⁶ × ≤\ncontract Till {")
    (tree,) = parse(ROOT, [Source("Till.sol", text.encode())])
    assert nows(mutants_of(tree), "Till.pay", "width") == ["books.income -= uint120(amount);"]
