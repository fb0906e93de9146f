"""Whose turn it is to propose."""

from __future__ import annotations

from api.domain.epochs import epoch_end
from api.types import ROUND_SECONDS, Address, Epoch


def proposer_of(reporters: tuple[Address, ...], epoch: Epoch, round_: int) -> Address:
    """Whose turn it is: the chain's order, one further with every epoch and every round."""
    return reporters[(epoch + round_) % len(reporters)]


def round_at(now: int, epoch: Epoch) -> int:
    """The round of an epoch that is over, at the Unix second `now`; negative before its end."""
    return (now - epoch_end(epoch)) // ROUND_SECONDS
