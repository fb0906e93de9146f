"""The chain of ape's provider: put back to where it was, on a clock of its own.

Ape's own isolation skips a restore that it cannot place, without a word, once fixtures of several
scopes, other nodes and snapshots of the tests' own come together. Here a state that cannot be
restored is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ape import chain

# A Tuesday, at no boundary of a minute, an epoch or a stream.
FIRST_SECOND: Final = 1_893_512_345


def start_clock() -> None:
    """Let every block be a second after the one before it, from a second that is always the same.

    A chain with a clock of its own makes every run of a test the same run, however loaded the
    machine: whether an income comes out whole depends on the seconds it streamed in.
    """
    chain.provider.make_request("anvil_setBlockTimestampInterval", [1])
    chain.pending_timestamp = FIRST_SECOND
    chain.mine()


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
