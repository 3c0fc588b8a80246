"""What the tests of data share: a store, and a short way to prepare rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop.data.prepare import prepare
from tuneloop.data.section import DataSection
from tuneloop.store import Dataset, Store


class Notes:
    """Keeps what progress was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.done = 0

    def start(self, what: str, total: int | None = None) -> None:
        self.done = 0

    def advance(self, done: int, figures: Any = None) -> None:
        assert done >= self.done
        self.done = done

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def make(tmp_path: Path, store: Store, notes: Notes) -> Callable[..., Dataset]:
    """Prepare a source; ``rows`` are first written as JSON lines to ``rows.jsonl``."""

    def run(rows: list[Any] | None = None, *, folder: Path = tmp_path, seed: int = 42, **section: Any) -> Dataset:
        if rows is not None:
            lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
            (folder / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
            section.setdefault("sources", ["rows.jsonl"])
        section.setdefault("split", {"validation": 0, "test": 0})
        return prepare(DataSection.model_validate(section), store, seed=seed, folder=folder, progress=notes)

    return run
