"""Why a peer is cheaper in an operation, where one is."""

from __future__ import annotations

_LESS = {
    "openzeppelin": "It asks nobody who may hold and pays no income",
    "accumulator": "It asks nobody who may hold and has no votes",
}

_OURS = {
    "transfer": (
        "ours reads the records of both wallets, the share's rules and its excluded countries, "
        "and settles the income of both sides: a second slot each, and the stream's two"
    ),
    "transfer_delegated": (
        "both move the votes of two delegates, which is most of the gas; ours adds what a "
        "transfer adds: eligibility, rules, and the income of both sides"
    ),
    "funding": (
        "ours keeps a rate for each end of a funding, so that no later one can delay it, and "
        "measures what has arrived; theirs spreads what is left over a new day"
    ),
    "claim": (
        "ours crosses the boundaries of fundings that end each at its own time, and looks "
        "whether the holder is frozen and whom they want paid"
    ),
    "issue_100": (
        "ours reads each receiver's record and second slot, where their income will start from, "
        "counts the holders, with an event each, and brings the stream up to each new supply"
    ),
}


def reason(operation: str, peer: str) -> str | None:
    """One sentence; None if nobody has written it yet."""
    if peer not in _LESS or operation not in _OURS:
        return None
    return f"{_LESS[peer]}; {_OURS[operation]}."
