"""What the tests of finders look at: the tiny training of its neighbours, not made but tried."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.training.conftest import Bench, make_bench, section_of

from tuneloop.training.finders.asked import Asked
from tuneloop.training.section import TrainSection


@pytest.fixture
def bench(tmp_path: Path, tiny_model: Path) -> Bench:
    return make_bench(tmp_path / "store", tiny_model)


@pytest.fixture
def asked(bench: Bench) -> Callable[..., Asked]:
    """Makes what a finder is asked, from a section or from changes to the tiny one."""

    def make(section: TrainSection | None = None, **changes: Any) -> Asked:
        section = section or section_of(**changes)
        return Asked(section, bench.task, bench.model, bench.base, bench.dataset, bench.store, seed=3)

    return make
