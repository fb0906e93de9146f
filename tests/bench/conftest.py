"""What can be asked of a bench on the command line."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    gateway = parser.getgroup("bench of the gateway")
    gateway.addoption(
        "--replay-seconds",
        type=float,
        default=3_600.0,
        help="of the recorded requests (default: all of the hour)",
    )
    gateway.addoption(
        "--replay-pace",
        type=float,
        default=20.0,
        help="how much faster than recorded they come (default: 20; 1 is their own pace)",
    )
