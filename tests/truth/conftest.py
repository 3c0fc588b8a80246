"""Fixtures of the loss-truth suite."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.models.conftest import stock  # noqa: F401 - a fixture


@pytest.fixture(scope="session")
def stock_tokenizer(stock: Callable[..., Any]) -> Callable[..., Any]:  # noqa: F811
    """Gives the tokenizer of a family with its stock chat template, a new copy each time."""
    made: dict[Any, Any] = {}

    def give(name: str, kind: str = "") -> Any:
        if (name, kind) not in made:
            made[name, kind] = stock(name, kind)
        return copy.deepcopy(made[name, kind])

    return give
