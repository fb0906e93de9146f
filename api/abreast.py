"""Several pieces of work side by side, with the outcome of one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


async def abreast(
    work: Callable[[_Item], Awaitable[_Result]], items: Iterable[_Item], most: int
) -> list[_Result]:
    """What `work` gives for each of the items, of which at most `most` are in work at a time.

    They are begun in their order, and none after an error. Of several errors the one raised is that
    of the first item: it had been begun before any other that failed, so which one it is does not
    depend on who was quicker.
    """
    results: dict[int, _Result] = {}
    errors: dict[int, Exception] = {}
    left = enumerate(items)

    async def lane() -> None:
        for number, item in left:
            try:
                results[number] = await work(item)
            except Exception as error:  # noqa: BLE001 - raised below, once all have ended
                errors[number] = error
            if errors:
                return

    async with asyncio.TaskGroup() as lanes:
        for _ in range(most):
            lanes.create_task(lane())
    if errors:
        raise errors[min(errors)]
    return [results[number] for number in sorted(results)]
