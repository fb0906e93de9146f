from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from api.domain.tokens import (
    MAX_PROMPT_TOKENS,
    MESSAGE_TOKENS,
    PromptSource,
    count_chat_tokens,
    count_tokens,
    prose,
    tokenize,
)
from api.errors import InvalidInput, OutOfRange
from tests.support.search import searched

TEXT = """# Way of a dollar

customer → `Waterfall` (12,345 dollars),
then the_holders.

| table | left out |
|---|---|

    code   stays
"""

texts = st.text(
    st.sampled_from("abcXYZäß 1234567890\n\t_.,-{}→\u0301²|") | st.characters(), max_size=200
)


@pytest.mark.property
@searched(300)
@given(texts)
def test_tokenize__any_text__is_the_text_in_pieces(text: str) -> None:
    tokens = tokenize(text)
    assert "".join(tokens) == text
    assert all(tokens)
    assert count_tokens(text) == len(tokens)


@pytest.mark.property
@searched(300)
@given(texts, st.integers(0, 10_000), st.integers(1, 400))
def test_prompt__of_any_prose__has_exactly_the_tokens_wanted(
    text: str, number: int, tokens: int
) -> None:
    try:
        source = PromptSource.of(text)
    except InvalidInput:
        assume(False)
    assert count_tokens(source.prompt(number, tokens)) == tokens


def test_tokenize__words_numbers_and_signs__are_cut_as_said() -> None:
    assert tokenize("Tokenised clusters, 12345 of_them!!!!") == [
        "Tokenise", "d", " clusters", ",", " 123", "45", " of", "_", "them", "!!!", "!",
    ]  # fmt: skip
    assert tokenize("a\n\n  b") == ["a", "\n\n ", " b"]


def test_count_chat_tokens__of_messages__counts_each_with_what_is_around_it() -> None:
    assert count_chat_tokens(["two words", ""]) == 2 + 2 * MESSAGE_TOKENS


def test_prose__of_a_document__is_its_paragraphs_one_a_line() -> None:
    assert prose(TEXT) == (
        "# Way of a dollar\n"
        "customer → `Waterfall` (12,345 dollars), then the_holders.\n"
        "code stays\n"
    )


def test_prompt__of_another_number__begins_elsewhere() -> None:
    source = PromptSource.of(TEXT)
    assert source.prompt(0, 10) == source.prompt(0, 10) != source.prompt(1, 10)


@pytest.mark.parametrize("tokens", [0, MAX_PROMPT_TOKENS + 1])
def test_prompt__none_or_too_many_tokens__is_refused(tokens: int) -> None:
    with pytest.raises(OutOfRange, match="tokens"):
        PromptSource.of(TEXT).prompt(0, tokens)


@pytest.mark.parametrize("text", ["", " \n\t", "| only | a table |"])
def test_prose__no_word__is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="no word"):
        prose(text)
