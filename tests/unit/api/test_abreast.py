"""Side by side, with the outcome of one after the other."""

from __future__ import annotations

import asyncio

import pytest

from api.abreast import abreast


async def test_abreast__slower_first__results_in_order_and_no_more_at_a_time() -> None:
    at_work: set[int] = set()
    most = 0

    async def work(item: int) -> int:
        nonlocal most
        at_work.add(item)
        most = max(most, len(at_work))
        for _ in range(10 - item):
            await asyncio.sleep(0)
        at_work.remove(item)
        return item * item

    assert await abreast(work, range(10), 3) == [item * item for item in range(10)]
    assert most == 3


async def test_abreast__second_fails_sooner__error_of_the_first_and_nothing_more_begun() -> None:
    begun: list[int] = []

    async def work(item: int) -> None:
        begun.append(item)
        for _ in range(0 if item == 1 else 5):
            await asyncio.sleep(0)
        raise ValueError(item)

    with pytest.raises(ValueError, match=r"^0$"):
        await abreast(work, range(10), 2)
    assert begun == [0, 1]


async def test_abreast__nothing__nothing() -> None:
    assert await abreast(asyncio.sleep, [], 4) == []
