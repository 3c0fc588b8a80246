"""The cost of signals: the same steps with and without them, in turn, in CPU seconds.

    python -m bench.signals --quick --json signals.json    # stories260K and the embedded model
    python -m bench.signals --json signals.json            # and a LoRA run of SmolLM2-135M's shape

One learner makes each step twice over the same rows: with all figures of rows, places, layers, steps and noise,
written to their files, and with the loss alone. These take turns step by step, so that the load of the machine meets
both. Beside the difference of the whole, each part is timed by itself: their sum is ``share %``.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench import report
from bench.material import default_rows, gather, read_rows

CASES: dict[str, dict[str, Any]] = {
    "stories260K": {"adapter": "full", "steps": 100, "quick": 40},
    "embedded": {"adapter": "lora", "steps": 40, "quick": 20},
    "135M": {"adapter": "lora", "steps": 8, "quick": 0},
}
BATCH, LENGTH = 16, 256


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and write."""
    given = report.options("The cost of signals.")
    given.add_argument("--cases", choices=list(CASES), nargs="+", default=list(CASES))
    options = given.parse_args(arguments)
    where = report.machine()
    rows: list[dict[str, Any]] = []
    for name in options.cases:
        steps = CASES[name]["quick" if options.quick else "steps"]
        base = _base(name) if steps else None
        if base is not None:
            rows.append(_measured(name, base, CASES[name]["adapter"], steps))
    report.show("CPU milliseconds a step", rows)
    report.write(options.json, "signals", {"cases": rows}, where)
    return int(any(row["share %"] >= 2 for row in rows))


def _base(name: str) -> str | None:
    """The base of a case; None where it is not at hand."""
    if name == "135M":
        return str(gather(default_rows(), name, count=64, held_out=16, length=LENGTH).model)
    if name == "embedded":
        return name
    folder = Path(os.environ.get("TUNELOOP_TEST_DATA", "../shared/data")) / "models" / name
    return str(folder.resolve()) if folder.is_dir() else None


def _measured(name: str, base: str, adapter: str, steps: int) -> dict[str, Any]:
    from tuneloop.monitoring.recorder import Recorder
    from tuneloop.training import loop
    from tuneloop.training.state import State

    spent: dict[bool, list[float]] = {True: [], False: []}
    parts: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        learner, details = _learner(Path(place), base, adapter)
        states = {told: State() for told in spent}
        with Recorder(Path(place) / "with.jsonl") as most, Recorder(Path(place) / "without.jsonl") as least:
            recorders = {True: most, False: least}

            def step(told: bool) -> float:
                began = time.process_time()
                figures, rows = loop.advance(replace(learner, details=details if told else None), states[told])
                recorders[told].write(states[told].step, figures)
                recorders[told].rows("train", rows)
                return time.process_time() - began

            for told in (True, False) * 2:
                step(told)
            with _timed(parts):
                for place_ in range(steps):
                    for told in (True, False) if place_ % 2 else (False, True):
                        spent[told].append(step(told))
    usual = report.median(spent[False])
    more = sorted(one - other for one, other in zip(spent[True], spent[False], strict=True))
    extra = report.median(more)
    each = {f"{part} ms": round(1000 * seconds / steps, 4) for part, seconds in parts.items()}
    return {
        "case": name,
        "weights": sum(1 for _ in learner.weights),
        "step ms": round(1000 * usual, 2),
        "signals ms": round(1000 * extra, 3),
        "share %": round(100 * sum(parts.values()) / steps / usual, 3),
        "difference %": round(100 * extra / usual, 2),
        **each,
    }


@contextmanager
def _timed(parts: dict[str, float]) -> Iterator[None]:
    """Add up what each part of the signals takes."""
    from tuneloop.monitoring.recorder import Recorder
    from tuneloop.training import loop
    from tuneloop.training.signals.moves import Moves
    from tuneloop.training.signals.norms import Groups

    def watched(work: Callable[..., Any], part: str, wanted: Callable[..., bool]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            began = time.process_time()
            try:
                return work(*given, **named)
            finally:
                if wanted(*given):
                    parts[part] = parts.get(part, 0.0) + time.process_time() - began

        return timed

    def always(*_: Any) -> bool:
        return True

    with ExitStack() as stack:
        for where, name, part, wanted in (
            (loop, "placed", "rows and places", lambda terms, *_: terms is not None),
            (Groups, "norms", "layers", always),
            (Moves, "before", "steps and noise", always),
            (Moves, "after", "steps and noise", always),
            (Recorder, "rows", "writing rows", lambda _, __, rows: len(rows) > 0),
            (Recorder, "write", "writing figures", lambda _, __, figures: "train/loss/rest" in figures),
        ):
            stack.enter_context(patch.object(where, name, watched(getattr(where, name), part, wanted)))
        yield


def _learner(place: Path, base: str, adapter: str) -> tuple[Any, Any]:
    from tuneloop.models import find_base
    from tuneloop.models.section import ModelSection
    from tuneloop.monitoring.progress import Silent
    from tuneloop.monitoring.section import MonitorSection
    from tuneloop.parts import find
    from tuneloop.rows import Chat, Message, Record
    from tuneloop.store import Dataset, Store
    from tuneloop.store.parquet import write_records
    from tuneloop.tasks import Task
    from tuneloop.training.ready import open_to_learn, ready
    from tuneloop.training.section import TrainSection
    from tuneloop.training.signals import Details

    store, model = Store(place / "store"), ModelSection(base=base)
    found = find_base(model, folder=place, store=store)
    chats = [
        Chat((Message("user", row["prompt"]), Message("assistant", row["answer"])))
        for row in read_rows(default_rows())[:400]
    ]
    with store.draft() as folder:
        write_records(folder / "train.parquet", [Record.of(chat, origin=f"rows:{n}") for n, chat in enumerate(chats)])
        dataset = store.seal(Dataset, folder, parents={}, key="", facts={})
    section = TrainSection.model_validate(
        {
            "adapter": adapter,
            "optimizer": {"adamw": {"learning_rate": 1e-5}},
            "batch": {"size": BATCH},
            "max_length": LENGTH,
            "max_steps": 10_000,
        }
    )
    task = find(Task, "sft").model_validate({"on_overlength": "truncate"})
    loaded = open_to_learn(section, task, model, found, store, 0, None)
    learner = ready(section, loaded, task, dataset, MonitorSection(), store, 0, Silent())
    learner.model.train()
    return learner, Details.of(learner, loaded.tokenizer)


if __name__ == "__main__":
    raise SystemExit(main())
