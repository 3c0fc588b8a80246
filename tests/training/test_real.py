"""A real small model on a real book: the loss comes down as far as it should."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.training.conftest import Bench, seal, section_of

from tuneloop.models import find_base
from tuneloop.models.section import ModelSection
from tuneloop.parts import find
from tuneloop.rows import Record, Text
from tuneloop.store import Store
from tuneloop.tasks import Task


@pytest.mark.slow
@pytest.mark.parametrize(
    ("adapter", "rate", "goal"),
    [({"lora": {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0}}, 1e-2, 2.60), ("full", 3e-3, 2.53)],
    ids=["lora", "full"],
)
def test_stories_learn_to_tell_grimm(tmp_path: Path, real: Path, adapter: object, rate: float, goal: float) -> None:
    text = (real / "long/grimm/GrimmsFairyTales.txt").read_text(encoding="utf-8")
    cut = int(len(text) * 0.9)
    store = Store(tmp_path / "store")
    learned = Record.of(Text(text[:cut]), origin="grimm:1")
    held_out = Record.of(Text(text[cut : cut + 30_000]), origin="grimm:2")
    model = ModelSection(base=str(real / "models/stories260K"))
    base = find_base(model, folder=tmp_path, store=store)
    bench = Bench(store, seal(store, [learned], [held_out]), model, base, find(Task, "pretrain")())
    section = section_of(
        adapter=adapter,
        optimizer={"adamw": {"learning_rate": rate}},
        batch={"size": 8},
        max_steps=100,
        max_length=256,
        eval_steps=100,
    )
    run, _ = bench.train(section)
    losses = [signal.value for signal in run.signals() if signal.name == "validation/loss"]
    print(f"held-out loss {losses[0]:.3f} -> {losses[-1]:.3f} nats per token")
    assert losses[0] == pytest.approx(3.74, abs=0.1)
    assert losses[-1] <= goal
