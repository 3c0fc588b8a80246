"""A run that is followed: its figures read on as they are written, what they mean, and how far it has come."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import msgspec

from tuneloop.monitoring.history import History
from tuneloop.monitoring.places import RECIPE, SIGNALS, Place, Places, held
from tuneloop.monitoring.row_losses import RowLosses
from tuneloop.rows import Finding, Signal, jsonl

State = Literal["running", "stopped", "failed", "finished"]
_LATELY = 5.0
"""Seconds after its last figure in which a run is going on without any further look."""
_SILENT = 60.0
"""Seconds without figures after which a run whose lock cannot be seen counts as stopped."""
_PAUSE = 20
"""A wait this many times as long as a usual step, and over a minute, is a pause: the run was stopped and went on."""
_TAIL = 200
_RECENT = 50
_one, _many = msgspec.json.Decoder(Signal), msgspec.json.Decoder(dict[str, Any])


class Followed:
    """One run, followed through stops, new starts, its sealing, and times at which its disk is away.

    Args:
        place: Where it lies now.
        places: Where it will be looked for when it is sealed.
        only: Names of the only figures to read, where not all are wanted.

    Attributes:
        place: As given; the artifact's, after the run was sealed.
        history: Every figure read so far.
        away: Why the run cannot be read at present; empty where it can.
    """

    def __init__(self, place: Place, places: Places, only: Collection[str] = ()) -> None:
        self.place, self.places = place, places
        self._only = [f'"{name}"'.encode() for name in only]
        self.away = ""
        self._begin()

    def _begin(self) -> None:
        self.history = History()
        self.version = 0
        self._read, self._tail = 0, b""
        self._times: list[tuple[int, float]] = []
        self._recipe: dict[str, Any] = {}
        self._found: tuple[float, int, list[Finding]] = (0.0, -1, [])
        self._grew = 0.0

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.place.folder

    @property
    def finished(self) -> bool:
        """Whether it is over: sealed, or with the receipts that are written at the end."""
        return self.place.manifest is not None or (self.folder / "receipts.json").exists()

    @property
    def step(self) -> int:
        """The newest step."""
        return self.history.last.step if self.history.last else 0

    def look(self) -> bool:
        """Read what was written since, and go over to the artifact when the run was sealed meanwhile.

        Returns:
            Whether there is something new.
        """
        before, state = self.version, self.away
        try:
            self._look()
            self.away = ""
        except OSError as error:  # a mount that went away may come back
            self.away = error.strerror or str(error)
        return self.version != before or self.away != state

    def _look(self) -> None:
        if self.place.manifest is None and not (self.folder / RECIPE).exists() and not (self.folder / SIGNALS).exists():
            sealed = self.places.sealed(self.folder.name)
            if sealed is None:
                raise FileNotFoundError(2, "the run's folder is not there", str(self.folder))
            self.place = sealed
            version = self.version
            self._begin()
            self.version = version + 1
        self._read_recipe()
        path = self.folder / SIGNALS
        if not path.exists():
            return
        with path.open("rb") as file:
            if self._read and not self._same(file):  # a run that goes on cuts off what its checkpoint does not know
                version = self.version
                self._begin()
                self.version = version + 1
                self._read_recipe()
            file.seek(self._read)
            whole, _, _ = file.read().rpartition(b"\n")
        if whole:
            self._take(whole + b"\n")

    def _same(self, file: Any) -> bool:
        """Whether the file still holds what was read of it."""
        file.seek(self._read - len(self._tail))
        return bool(file.read(len(self._tail)) == self._tail)

    def _take(self, data: bytes) -> None:
        wanted = (
            data
            if not self._only
            else b"".join(line for line in data.splitlines(keepends=True) if any(name in line for name in self._only))
        )
        for signal in _signals(wanted):
            self.history.add(signal)
            if signal.name == "train/loss":
                self._times.append((signal.step, signal.time))
        if self._read:
            self._grew = time.monotonic()
        self._read += len(data)
        self._tail = data[-_TAIL:]
        self.version += 1

    def _read_recipe(self) -> None:
        path = self.folder / RECIPE
        if not self._recipe and path.exists():
            import yaml

            try:
                read = yaml.safe_load(path.read_text(encoding="utf-8"))
            except (yaml.YAMLError, UnicodeDecodeError):
                return  # half written
            self._recipe = read if isinstance(read, dict) else {}
        self.history.recipe = self._recipe

    @property
    def recipe(self) -> dict[str, Any]:
        """The resolved recipe; empty where it is not known."""
        return self._recipe

    @property
    def name(self) -> str:
        """The recipe's name, or else the folder's."""
        return str(self._recipe.get("name") or self.place.id)

    @property
    def silent(self) -> float:
        """Seconds since its last figure, by the clock of whoever is nearer."""
        if self.history.last is None:
            return 0.0
        since = max(0.0, time.time() - self.history.last.time)
        return min(since, time.monotonic() - self._grew) if self._grew else since

    @property
    def state(self) -> State:
        """Whether it is ``running``, ``stopped`` (and can go on), ``failed`` or ``finished``."""
        if self.finished:
            return "finished"
        lock = None if self.history.last and self.silent < _LATELY else held(self.place.lock)
        patience = max(_SILENT, 3 * max(self._waits(self._times[-20 * _RECENT :]), default=0.0))
        if lock or (lock is None and self.silent < patience):
            return "running"
        return "failed" if any(each.severity == "error" for each in self._written()) else "stopped"

    @property
    def share(self) -> float:
        """How much of the run is done, 0 to 1; 0 where it cannot be known."""
        train = self._recipe.get("train") or {}
        if train.get("max_steps"):
            return min(1.0, self.step / float(train["max_steps"]))
        epoch = self.history.latest("train/epoch")
        return min(1.0, epoch / float(train["num_train_epochs"])) if epoch and train.get("num_train_epochs") else 0.0

    @property
    def steps(self) -> int:
        """How many steps the whole run has; 0 where it cannot be known."""
        return round(self.step / self.share) if self.share else 0

    @property
    def began(self) -> float:
        """Time of its first figure, in seconds since the epoch; 0 where there is none."""
        return self._times[0][1] if self._times else 0.0

    @property
    def spent(self) -> float:
        """Seconds at work, pauses left out."""
        return sum(self._waits(self._times))

    @property
    def left(self) -> float | None:
        """Seconds until the end at the present pace, evaluations counted; None where it cannot be known."""
        waits = self._waits(self._times[-_RECENT:])
        if not self.share or not waits:
            return None
        return statistics.fmean(waits) * (self.steps - self.step)

    @staticmethod
    def _waits(times: list[tuple[int, float]]) -> list[float]:
        waits = [after - before for (_, before), (_, after) in itertools.pairwise(times)]
        pause = max(60.0, _PAUSE * statistics.median(waits)) if waits else 0.0
        return [wait for wait in waits if 0 <= wait <= pause]

    def findings(self) -> list[Finding]:
        """What the checks see: as written at the end, or seen now while it goes on; root causes first."""
        if self.state != "running":
            return self._written()
        due, version, found = self._found
        if version != self.version and time.monotonic() >= due:
            found, cost = self._seen()
            self._found = (time.monotonic() + 10 * cost, self.version, found)  # a tenth of the time at most
        return found

    def _written(self) -> list[Finding]:
        return list(_rows(self.folder / "findings.jsonl", Finding))

    def _seen(self) -> tuple[list[Finding], float]:
        """What the checks see now, and the seconds that it took."""
        from tuneloop.monitoring.checks import findings
        from tuneloop.monitoring.section import MonitorSection

        try:
            section = MonitorSection.model_validate(self._recipe.get("monitor") or {})
        except ValueError:  # a recipe of another version: every check there is, as by default
            section = MonitorSection()
        began = time.monotonic()
        self.history.train_rows = RowLosses.read(self.folder / "row_losses.train.bin")
        self.history.validation_rows = RowLosses.read(self.folder / "row_losses.validation.bin")
        return findings(section.checks, self.history), time.monotonic() - began

    def samples(self) -> list[dict[str, Any]]:
        """The model's answers to the sample prompts, in the order of writing: step, prompt, answer and more."""
        rows = _rows(self.folder / "samples.jsonl", dict[str, Any])
        return [row for row in rows if {"step", "prompt", "answer"} <= row.keys()]

    def document(self, name: str) -> dict[str, Any]:
        """A JSON object of the run's folder, such as ``receipts.json``; empty where it is not there or half written."""
        try:
            return _many.decode((self.folder / name).read_bytes())
        except (OSError, ValueError):
            return {}


def _signals(data: bytes) -> list[Signal]:
    """The signals of whole lines; a damaged line, as a disk that went away leaves, is passed over."""
    try:
        return _one.decode_lines(data)
    except msgspec.MsgspecError:
        kept = []
        for line in data.splitlines():
            try:
                kept.append(_one.decode(line))
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
        return kept


def _rows(path: Path, kind: Any) -> list[Any]:
    try:
        return list(jsonl.read(path, kind))
    except (OSError, msgspec.MsgspecError):
        return []
