"""A store with one life in it, made by hand, and a way to run commands in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from tuneloop import cli
from tuneloop.rows import Chat, Finding, Message, Record, Signal, jsonl
from tuneloop.store import Dataset, Model, Release, Run, Store
from tuneloop.store.parquet import write_records


@dataclass
class Said:
    """What a command said, and its status."""

    status: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs a command as the command line does."""

    def runs(*words: object) -> Said:
        capsys.readouterr()
        status = cli.execute([str(word) for word in words])
        out, err = capsys.readouterr()
        return Said(status, out, err)

    return runs


def signals(steps: int) -> list[Signal]:
    """A falling loss, a held-out loss every tenth step, one second a step."""
    rows = []
    for step in range(1, steps + 1):
        now = 1000.0 + step
        rows += [Signal(step, "train/loss", 3.0 / step, now), Signal(step, "train/epoch", step / 50, now)]
        if step % 10 == 0:
            rows.append(Signal(step, "validation/loss", 3.5 / step, now))
    return rows


RECIPE = "name: faq\ntrain: {num_train_epochs: 2.0, max_steps: null, optimizer: {adamw: {}}}\n"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Dataset, run, model and two releases, with refs that moved."""
    store = Store(tmp_path / "store")
    with store.draft() as folder:
        chat = Chat((Message("user", "hi"), Message("assistant", "hello")))
        write_records(folder / "train.parquet", [Record.of(chat, origin="faq.jsonl:1")])
        (folder / "report.json").write_bytes(msgspec.json.encode({"rows": {"read": 1}, "splits": {"train": 1}}))
        facts = {"rows": {"train": 1}, "dropped": 0}
        dataset = store.seal(Dataset, folder, parents={}, key="d", facts=facts)
    with store.draft() as folder:
        (folder / "recipe.yaml").write_text(RECIPE)
        jsonl.write(folder / "signals.jsonl", signals(100))
        jsonl.write(folder / "findings.jsonl", [Finding("overfit", "warning", 50, 100, "it rises", "stop earlier")])
        facts = {"steps": 100, "ended": "patience"}
        ran = store.seal(Run, folder, parents={"dataset": dataset.id}, key="r" * 40, facts=facts)
    with store.draft() as folder:
        (folder / "model.json").write_text("{}")
        model = store.seal(
            Model, folder, parents={"dataset": dataset.id, "run": ran.id}, key="m", facts={"form": "adapter"}
        )
    for number in (1, 2):
        time.sleep(0.01)
        with store.draft() as folder:
            (folder / "release.json").write_text(f"[{number}]")
            made = store.seal(Release, folder, parents={"model": model.id}, key=str(number), facts={"name": "faq"})
        store.refs.move("faq/champion", made.id, why=f"number {number}")
    for role, artifact in (("dataset", dataset), ("run", ran), ("model", model)):
        store.refs.move(f"faq/{role}", artifact.id, why="made")
    return store
