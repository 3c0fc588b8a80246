"""A store with runs in it, made by hand, and a client of the pages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from starlette.testclient import TestClient

from tuneloop.looking.app import build_app
from tuneloop.looking.shelf import Shelf
from tuneloop.rows import Finding, Signal, jsonl
from tuneloop.store import Dataset, Model, Run, Store

EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>"


def recipe(name: str, rate: float, epochs: int = 6) -> str:
    return (
        f"name: {name}\nmodel: {{base: /models/small}}\n"
        f"train: {{optimizer: {{adamw: {{learning_rate: {rate}}}}}, num_train_epochs: {epochs}, max_grad_norm: 1.0}}\n"
    )


def figures(steps: int, *, began: float = 1_700_000_000.0, rise: float = 0.0) -> Iterator[Signal]:
    """A falling loss, a held-out loss every tenth step that rises after a third, and gradients of four groups."""
    for step in range(1, steps + 1):
        now = began + step
        yield Signal(step, "train/loss", 3.0 / step**0.5, now)
        yield Signal(step, "train/learning_rate", 1e-3 * (1 - step / steps), now)
        yield Signal(step, "train/grad_norm", 2.0 / step, now)
        for group in ("embedding", "layers.00", "layers.01", "head"):
            yield Signal(step, f"train/grad_norm/{group}", 1.0 / step, now)
        yield Signal(step, "train/tokens_per_second", 1000.0, now)
        yield Signal(step, "train/epoch", step / 10, now)
        if step % 10 == 0:
            yield Signal(step, "validation/loss", 3.0 / step**0.5 + rise * max(0, step - steps // 3), now)
            yield Signal(step, "validation/loss/source/<b>faq</b>", 1.0, now)


def seal(store: Store, name: str, rate: float, *, rise: float = 0.0, found: tuple[Finding, ...] = ()) -> Run:
    """A finished run."""
    with store.draft() as folder:
        (folder / "recipe.yaml").write_text(recipe(name, rate))
        jsonl.write(folder / "signals.jsonl", list(figures(60, rise=rise)))
        jsonl.write(folder / "findings.jsonl", list(found))
        (folder / "receipts.json").write_bytes(msgspec.json.encode({"ended": "epochs", "rows_seen": 480}))
        rows = [{"step": step, "prompt": EVIL, "answer": f"{EVIL} {step}"} for step in range(10, 61, 10)]
        jsonl.write(folder / "samples.jsonl", rows)
        return store.seal(Run, folder, parents={}, key=f"{name}{rate}".ljust(40, "x"), facts={"ended": "patience"})


OVERFIT = Finding(
    "overfit",
    "warning",
    20,
    60,
    f"held-out loss rose {EVIL}",
    "end earlier",
    "train.num_train_epochs=2",
    tuple(f"faq.jsonl:{line}{EVIL}" for line in range(30)),
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two finished runs of one recipe, and a dataset with a card."""
    store = Store(tmp_path / "store")
    with store.draft() as folder:
        (folder / "card.html").write_text("<!doctype html><h1>The card</h1><script>document.title='ran'</script>")
        dataset = store.seal(Dataset, folder, parents={}, key="d", facts={"rows": {"train": 90}})
    seal(store, "faq", 0.001)
    run = seal(store, "faq", 0.02, rise=0.05, found=(OVERFIT,))
    with store.draft() as folder:
        (folder / "model.json").write_text("{}")
        store.seal(Model, folder, parents={"dataset": dataset.id, "run": run.id}, key="m", facts={})
    store.refs.move("faq/run", run.id, why="made")
    return store


@pytest.fixture
def client(store: Store) -> TestClient:
    """Asks for pages as a browser of this machine does."""
    pytest.importorskip("plotly")
    return TestClient(build_app(Shelf([store.root])), base_url="http://127.0.0.1:7870")


def runs(store: Store) -> list[str]:
    """The ids of the sealed runs, the first learning rate first."""
    return [manifest.id for manifest in store.artifacts(Run)]


def begin(store: Store, steps: int = 20, key: str = "w" * 20) -> Path:
    """A run that is going on."""
    folder = store.root / "work" / key
    folder.mkdir()
    (folder / "recipe.yaml").write_text(recipe("faq", 0.005))
    jsonl.write(folder / "signals.jsonl", list(figures(steps, began=time.time() - steps)))
    return folder
