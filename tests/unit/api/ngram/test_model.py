"""What the model generates, over this repository's own documents and over a few words."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.domain.tokens import count_tokens, tokenize
from api.errors import ConfigurationError, InvalidInput
from api.files import corpus
from api.ngram.embedding import embed
from api.ngram.model import Completion, NgramModel
from tests.support.search import searched

ROOT = Path(__file__).resolve().parents[4]
MODEL = NgramModel(corpus(ROOT / "contracts" / "payments" / "README.md"))
SMALL = NgramModel("it is so.\n\nit is so.\n\nit is not.\n\nit is so.")


def complete(
    prompt: str = "What is a voucher",
    *,
    model: NgramModel = MODEL,
    limit: int = 80,
    temperature: float = 1,
    seed: int = 7,
    stop: tuple[str, ...] = (),
    ignore_end: bool = False,
) -> Completion:
    return model.complete(
        prompt,
        limit=limit,
        temperature=temperature,
        random=Random(seed),
        stop=stop,
        ignore_end=ignore_end,
    )


@pytest.mark.property
@searched(100)
@given(st.text(max_size=40), st.integers(0, 2**32), st.floats(0, 2), st.integers(1, 300))
def test_complete__whatever_is_asked__counts_as_many_tokens_as_its_text(
    prompt: str, seed: int, temperature: float, limit: int
) -> None:
    made = complete(prompt, seed=seed, temperature=temperature, limit=limit, ignore_end=True)
    assert made.tokens == limit == count_tokens(made.text)
    assert made.finish_reason == "length"


def test_complete__the_same_seed__is_the_same_text() -> None:
    assert complete() == complete()
    assert complete(seed=8).text != complete().text


@pytest.mark.parametrize(
    ("temperature", "least", "most"), [(0, 4_000, 4_000), (1, 2_900, 3_100), (0.5, 3_500, 3_700)]
)
def test_complete__by_temperature__draws_as_counts_to_its_inverse_power(
    temperature: float, least: int, most: int
) -> None:
    """After "it is" comes "so" three times and "not" once: 3 in 4 at 1, 9 in 10 at a half."""
    made = [
        complete("it is", model=SMALL, temperature=temperature, seed=seed, limit=1).text
        for seed in range(4_000)
    ]
    assert set(made) <= {" so", " not"}
    assert least <= made.count(" so") <= most


def test_complete__a_paragraphs_end__ends_the_text_unless_told_to_go_on() -> None:
    made = complete("it is", model=SMALL, temperature=0)
    assert (made.text, made.tokens, made.finish_reason) == (" so.", 2, "stop")
    made = complete("it is", model=SMALL, temperature=0, limit=5, ignore_end=True)
    assert (made.text, made.finish_reason) == (" so.\nit is", "length")


def test_complete__at_a_paragraphs_end_or_after_unknown_words__begins_another() -> None:
    for prompt in ("", "it is so.", "unheard"):
        assert complete(prompt, model=SMALL, temperature=0).text == "it is so."


@pytest.mark.parametrize(
    ("stop", "text"),
    [(("is",), "it "), (("s n", "is"), "it "), ((" so", "is n", "t is"), "i"), (("it",), "")],
)
def test_complete__a_stop_text__is_where_the_text_ends(stop: tuple[str, ...], text: str) -> None:
    made = complete("", model=SMALL, temperature=0, stop=stop)
    assert (made.text, made.finish_reason) == (text, "stop")


def test_complete__a_stop_text_within_a_token__counts_the_token_and_cuts_it() -> None:
    made = complete("", model=SMALL, temperature=0, stop=("s",))
    assert (made.text, made.tokens, made.finish_reason) == ("it i", 2, "stop")
    assert made.pieces == ("it", " i")


def test_complete__a_stop_text_that_never_comes__changes_nothing() -> None:
    assert complete(stop=("§§",)) == complete()


def test_learn__no_word__is_refused() -> None:
    with pytest.raises(InvalidInput, match="no word"):
        NgramModel(" \n| a | table |\n")


def test_embed__texts_that_share_words__are_closer() -> None:
    def likeness(a: str, b: str) -> float:
        return sum(x * y for x, y in zip(embed(a, 256), embed(b, 256), strict=True))

    voucher = "A voucher is collected as far as it goes."
    assert likeness(voucher, voucher) == pytest.approx(1)
    assert likeness(voucher, "a voucher is COLLECTED later") > 0.4
    assert abs(likeness(voucher, "GPU agents sign samples")) < 0.3
    assert embed("", 8) == [0] * 8


def test_corpus__of_a_folder__is_its_documents_by_path(tmp_path: Path) -> None:
    for name in ("b.md", "a/c.txt", "a/code.py", ".git/d.md", "node_modules/e.md", "LICENSE"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"text of {name}")
    assert tokenize(corpus(tmp_path)) == tokenize(
        "text of LICENSE\n\ntext of a/c.txt\n\ntext of b.md"
    )


def test_corpus__nothing_to_learn_from__is_refused_by_path(tmp_path: Path) -> None:
    (tmp_path / "bytes.md").write_bytes(b"\xff")
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "none", tmp_path / "bytes.md", tmp_path / "empty"):
        with pytest.raises(ConfigurationError) as refused:
            corpus(path)
        assert refused.value.value == str(path)
