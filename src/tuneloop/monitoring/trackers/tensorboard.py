"""TensorBoard: event files with scalars, sample answers and the gradients of all layers as a picture."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, final

from tuneloop.monitoring.history import History
from tuneloop.monitoring.trackers import About, Journal, Tracker, _events
from tuneloop.rows import Signal, jsonl

LAYERS = "train/grad_norm/"


@final
class TensorBoard(Tracker):
    """Writes event files; ``tensorboard --logdir FOLDER`` shows them. Nothing has to be installed to write them.

    The file is written anew from the run's own figures whenever it is opened, so it never holds a figure twice.
    """

    folder: str | None = None
    """Where the folders of the runs go; null takes ``trackers/tensorboard`` in the store."""

    def open(self, about: About) -> Journal:
        """Begin the run's event file anew.

        Raises:
            OSError: It cannot be written.
        """
        above = Path(self.folder) if self.folder else about.local / "tensorboard"
        return _File(above / about.name / about.key[:20])


class _File:
    """The event file of one run."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        self.file: BinaryIO = (folder / f"events.out.tfevents.{time.time_ns() // 10**9:010d}.tuneloop").open("wb")
        self.file.write(_events.record(_events.head(time.time())))
        self.last: dict[str, int] = {}
        self.history = History()

    def log(self, signals: Sequence[Signal]) -> int:
        fresh = []
        for signal in signals:
            if signal.step > self.last.get(signal.name, -1):
                self.last[signal.name] = signal.step
                fresh.append(signal)
        for signal in fresh:
            self.history.add(signal)
            event = _events.scalar(signal.name, signal.value, signal.step, signal.time)
            self.file.write(_events.record(event))
        self.file.flush()
        return len(fresh)

    def finish(self, files: Mapping[str, Path], tags: Mapping[str, str]) -> None:
        now, step = time.time(), max(self.last.values(), default=0)
        told = "\n".join(f"- {name}: `{value}`" for name, value in tags.items())
        self.file.write(_events.record(_events.text("run", told, step, now)))
        for row in jsonl.read(files["samples.jsonl"], dict) if "samples.jsonl" in files else ():
            text = f"**{row['prompt']}**\n\n{row['answer']}"
            self.file.write(_events.record(_events.text("samples", text, int(row["step"]), now)))
        drawn = heat_map(self.history)
        if drawn is not None:
            self.file.write(_events.record(_events.image("train/grad_norm by layer", *drawn, step, now)))
        self.file.flush()

    def close(self) -> None:
        self.file.close()


def heat_map(history: History) -> tuple[bytes, int, int] | None:
    """The gradients of all groups of layers over the run as PNG, with width and height; None where none were kept."""
    layers = history.under(LAYERS)
    if not layers:
        return None
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps = sorted({step for series in layers.values() for step, _ in series})
    values = np.full((len(layers), len(steps)), np.nan)
    for row, series in enumerate(layers.values()):
        for step, value in series:
            values[row, steps.index(step)] = np.log10(max(value, 1e-12))
    figure = Figure(figsize=(8, 1 + 0.25 * len(layers)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    shown = axes.imshow(values, aspect="auto", cmap="cividis", extent=(steps[0], steps[-1] + 1, len(layers), 0))
    axes.set_yticks([row + 0.5 for row in range(len(layers))], list(layers))
    axes.set_xlabel("optimizer step")
    figure.colorbar(shown, label="gradient norm (log10)")
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=100)
    width, height = (int(100 * size) for size in figure.get_size_inches())
    return data.getvalue(), width, height
