"""The chain of ape's provider, put back to where it was.

Ape's own isolation skips a restore that it cannot place, without a word, once fixtures of several
scopes, other nodes and snapshots of the tests' own come together. Here a state that cannot be
restored is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ape import chain


@contextmanager
def restored_chain() -> Iterator[None]:
    """Whatever happens to the chain in this block is undone at its end.

    Raises RuntimeError where something in the block reverted to before its beginning.
    """
    provider = chain.provider
    snapshot = provider.snapshot()
    yield
    if not provider.restore(snapshot):
        raise RuntimeError(f"snapshot {snapshot!r} is no more: something went back to before it")
    chain.history.revert_to_block(provider.get_block("latest").number)
