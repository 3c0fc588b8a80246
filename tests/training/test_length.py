"""Rows are never longer than the model can read."""

from __future__ import annotations

import json
from pathlib import Path

import tuneloop
from tuneloop.monitoring.progress import Silent
from tuneloop.store import Store


class Notes(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def test_a_row_longer_than_the_context_is_dropped_though_max_length_would_take_it(
    tiny_model: Path, chats: Path, tmp_path: Path
) -> None:
    with chats.open("a", encoding="utf-8") as file:
        long = [{"role": "user", "content": "fox " * 700}, {"role": "assistant", "content": "yes"}]
        file.write(json.dumps({"messages": long}) + "\n")
    recipe = tuneloop.load(
        {
            "data": {"sources": [str(chats)], "split": {"validation": 0, "test": 0}},
            "model": {"base": str(tiny_model)},
            "train": {"max_steps": 2, "max_length": 4096, "stop": None},
        }
    )
    notes = Notes()
    run, _ = tuneloop.train(recipe, Store(tmp_path / "store"), notes)
    assert any("512 tokens" in said for said in notes.said)
    account = json.loads((run.folder / "rows.json").read_text())["train"]
    assert account["examples"] == 60, account
