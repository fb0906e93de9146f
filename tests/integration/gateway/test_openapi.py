"""The gateway does what its OpenAPI document says, whatever is asked."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import given
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.support.search import searched
from tests.support.selling import Shop

EXAMPLES = 15
"""Of each operation and mode."""


@pytest.mark.property
@pytest.mark.parametrize("is_paid", [False, True])
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_operation__any_request__answered_as_documented(
    shop: Shop, mode: GenerationMode, is_paid: bool
) -> None:
    schema = schemathesis.openapi.from_url(f"{shop.gateway.url}/openapi.json")
    found = list(schema.get_all_operations())
    operations = [one.ok() for one in found if isinstance(one, Ok)]
    assert len(operations) == len(found) == 13
    number = 20 + 2 * is_paid + (mode is GenerationMode.POSITIVE)
    headers = {"authorization": f"Bearer {shop.customer(number, 10**9).api_key}"} if is_paid else {}
    for operation in operations:
        # What takes nothing cannot be asked wrongly.
        if mode is GenerationMode.POSITIVE or operation.body or any(operation.iter_parameters()):
            _search(operation, mode, headers)


def _search(
    operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, headers: dict[str, str]
) -> None:
    @searched(EXAMPLES)
    @given(operation.as_strategy(generation_mode=mode))
    def is_as_documented(case: schemathesis.Case[Any]) -> None:
        # A schema cannot say what is paid for.
        case.call_and_validate(excluded_checks=[positive_data_acceptance], headers=headers)

    is_as_documented()
