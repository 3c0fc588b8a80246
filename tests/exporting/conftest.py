"""Tuned tiny models in a fresh store: their adapters are moved by hand instead of by training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop.parts import find
from tuneloop.store import Model, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def tuned(store: Store) -> Callable[..., Model]:
    def make(base: Path, adapter: str = "lora", **options: Any) -> Model:
        import torch

        from tuneloop.models import find_base, load_base, save_model
        from tuneloop.models.adapters import Adapter
        from tuneloop.models.section import ModelSection
        from tuneloop.tasks import Task

        section, task = ModelSection(base=str(base)), find(Task, "sft")()
        found = find_base(section, folder=base, store=store)
        loaded = load_base(found, section, task, device=torch.device("cpu"), seed=0)
        loaded.model = find(Adapter, adapter)(**options).attach(loaded.model)
        torch.manual_seed(1)
        with torch.no_grad():
            for weight in loaded.model.parameters():
                if weight.requires_grad:
                    weight.add_(torch.randn_like(weight) * 0.05)
        with store.draft() as folder:
            facts = save_model(loaded, folder / "model") | {"task": task.spelled()}
            return store.seal(Model, folder, parents={}, key=adapter, facts=facts)

    return make
