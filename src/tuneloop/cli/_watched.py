"""A run that is watched: found in the work folder while it goes on, in the artifact afterwards."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tuneloop.cli._chart import chart, spark
from tuneloop.cli._screen import duration, figure, figures, terminal
from tuneloop.monitoring.history import History
from tuneloop.rows import Finding, Signal, jsonl
from tuneloop.store import Run, Store

_STALE_SECONDS = 60.0
_RECENT = 50


class Watched:
    """One run's signals, read on as they are written.

    Args:
        store: The store.
        folder: Where ``signals.jsonl`` is: the work folder, or the artifact of a finished run.
        run: The artifact, of a finished run.
    """

    def __init__(self, store: Store, folder: Path, run: Run | None = None) -> None:
        self.store, self.folder, self.run = store, folder, run
        self.signals: list[Signal] = []
        self._read = 0
        self._recipe: dict[str, Any] | None = None

    @property
    def finished(self) -> bool:
        """Whether the run is over and sealed."""
        return self.run is not None

    @property
    def step(self) -> int:
        """The newest step that was written."""
        return self.signals[-1].step if self.signals else 0

    def look(self) -> bool:
        """Read what was written since; when the run was sealed meanwhile, go over to its artifact.

        Returns:
            Whether there is something new.
        """
        before = len(self.signals)
        if self.run is None and not self.folder.exists():
            sealed = [each for each in self.store.artifacts(Run) if each.key.startswith(self.folder.name)]
            if sealed:
                self.run = self.store.get(Run, sealed[-1].id)
                self.folder, self._read, self.signals = self.run.folder, 0, []
        path = self.folder / "signals.jsonl"
        if not path.exists():
            return False
        if path.stat().st_size < self._read:  # a run that goes on cuts off what its checkpoint does not know
            self._read, self.signals = 0, []
        with path.open("rb") as file:
            file.seek(self._read)
            whole, _, _ = file.read().rpartition(b"\n")
        if whole:
            self._read += len(whole) + 1
            self.signals += msgspec.json.Decoder(Signal).decode_lines(whole)
        return len(self.signals) != before

    def frame(self, width: int = 80) -> list[str]:
        """What there is to see now, as lines of text."""
        self.look()
        history = History(self.signals)
        return [self._title(), self._state(), "", *_curves(history, width), *_latest(history), *self._findings(history)]

    def line(self) -> str:
        """The latest figures on one line."""
        latest = {signal.name: signal.value for signal in self.signals[-40:]}
        return f"step {self.step:,}{self._of()}  {figures(latest)}"

    def _title(self) -> str:
        names = [ref for ref, id in self.store.refs.all().items() if self.run and id == self.run.id]
        return "  ".join([self._recipe_values().get("name", ""), self.run.id if self.run else "", *names]).strip()

    def _state(self) -> str:
        if self.run is not None:
            spent = self.signals[-1].time - self.signals[0].time if self.signals else 0.0
            ended = {"patience": ", stopped early"}.get(str(self.run.facts.get("ended")), "")
            return f"finished after step {self.step:,}{ended}, {duration(spent)}"
        if not self.signals:
            return "no figures yet"
        age = time.time() - self.signals[-1].time
        if age > _STALE_SECONDS:
            return f"step {self.step:,}{self._of()}: no figures for {duration(age)}; stopped, or in an evaluation"
        return f"step {self.step:,}{self._of()}{self._left()}"

    def _share(self) -> float:
        """How much of the run is done, 0 to 1; 0 where it cannot be known."""
        train = self._recipe_values().get("train", {})
        if train.get("max_steps"):
            return self.step / float(train["max_steps"])
        epochs = [signal.value for signal in self.signals[-_RECENT:] if signal.name == "train/epoch"]
        return (
            min(1.0, epochs[-1] / float(train["num_train_epochs"])) if epochs and "num_train_epochs" in train else 0.0
        )

    def _of(self) -> str:
        share = self._share()
        return f" of {round(self.step / share):,} ({share:.0%})" if share else ""

    def _left(self) -> str:
        share = self._share()
        recent = [signal for signal in self.signals if signal.name == "train/loss"][-_RECENT:]
        if not share or len(recent) < 2 or recent[-1].step == recent[0].step:
            return ""
        rate = (recent[-1].time - recent[0].time) / (recent[-1].step - recent[0].step)
        return f", {duration(rate * (self.step / share - self.step))} left"

    def _recipe_values(self) -> dict[str, Any]:
        path = self.folder / "recipe.yaml"
        if self._recipe is None and path.exists():
            import yaml

            self._recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
        return self._recipe or {}

    def _findings(self, history: History) -> Iterator[str]:
        path = self.folder / "findings.jsonl"
        found = list(jsonl.read(path, Finding)) if self.run is not None else _seen(history, self._recipe_values())
        if found:
            yield ""
        for finding in found:
            yield f"{finding.severity}: {finding.check}: {finding.evidence}"
            if finding.advice:
                yield f"  {finding.advice}"


def find(root: Path, name: str | None) -> Watched | None:
    """Find the run to watch: the named one, else the one in progress, else the latest; None where there is none.

    Raises:
        StoreError: There is no run of that name.
    """
    if not (root / "artifacts").is_dir():
        return None
    store = Store(root)
    if name:
        run = store.get(Run, name if name not in _recipes(store) else f"{name}/run")
        return Watched(store, run.folder, run)
    going = sorted((root / "work").glob("*/signals.jsonl"), key=lambda path: path.stat().st_mtime)
    if going:
        return Watched(store, going[-1].parent)
    runs = store.artifacts(Run)
    if not runs:
        return None
    run = store.get(Run, runs[-1].id)
    return Watched(store, run.folder, run)


def _recipes(store: Store) -> set[str]:
    return {ref.rpartition("/")[0] for ref in store.refs.all()}


def _seen(history: History, recipe: dict[str, Any]) -> list[Finding]:
    from tuneloop.monitoring.checks import findings
    from tuneloop.monitoring.section import MonitorSection

    history.recipe = recipe
    section = MonitorSection.model_validate(recipe["monitor"]) if "monitor" in recipe else MonitorSection()
    return findings(section.checks, history)


def _curves(history: History, width: int) -> list[str]:
    series = {"·": history.series("train/loss"), "o": history.series("validation/loss")}
    drawn = chart(series, width=max(20, min(width, terminal() if sys.stdout.isatty() else width) - 14))
    return ["loss, nats:  · training   o held-out", *drawn, ""] if drawn else []


def _latest(history: History) -> Iterator[str]:
    for name in history.names:
        values = history.values(name)
        if name != "train/epoch":
            yield f"{name.ljust(24)} {figure(values[-1]).rjust(10)}  {spark(values)}"
