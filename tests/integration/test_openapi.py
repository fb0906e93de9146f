"""The reporter does what its OpenAPI document says: every operation, with what it allows and not.

schemathesis makes the requests and compares the answers with the document: status, media type,
schema.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import schemathesis
from hypothesis import given
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import positive_data_acceptance

from api.store.embedded import EmbeddedPostgres
from scripts._lib import cast
from tests.support.reporting import FIRST_EPOCH, Stage, World, opened
from tests.support.search import searched

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.property]

EXAMPLES = 15
"""Of each operation and mode."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    stage: Stage, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """Four reporters, with one epoch on chain."""
    async with opened(stage, postgres, tmp_path_factory.mktemp("openapi")) as world:
        await world.up(cast.REPORTERS)
        await world.measure(FIRST_EPOCH)
        await world.reported(FIRST_EPOCH)
        yield world


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
async def test_every_operation__any_request__answered_as_documented(
    world: World, mode: GenerationMode
) -> None:
    url = world.reporters[0].url
    schema = await asyncio.to_thread(schemathesis.openapi.from_url, f"{url}/openapi.json")
    found = list(schema.get_all_operations())
    operations = [one.ok() for one in found if isinstance(one, Ok)]
    assert len(operations) == len(found) >= 15
    for operation in operations:
        # What takes nothing cannot be asked wrongly.
        if mode is GenerationMode.POSITIVE or operation.body or any(operation.iter_parameters()):
            await asyncio.to_thread(_search, operation, mode)


def _search(operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode) -> None:
    @searched(EXAMPLES)
    @given(operation.as_strategy(generation_mode=mode))
    def is_as_documented(case: schemathesis.Case[Any]) -> None:
        # A schema cannot say that a signature has to be right, or that from is before to.
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    is_as_documented()
