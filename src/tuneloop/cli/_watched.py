"""How a run that is followed looks in a terminal, and how it is found."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tuneloop.cli._chart import chart, spark
from tuneloop.cli._options import name_of
from tuneloop.cli._screen import duration, figure, figures, terminal, wide
from tuneloop.errors import StoreError
from tuneloop.monitoring.followed import Followed
from tuneloop.monitoring.history import History
from tuneloop.monitoring.places import Place, Places
from tuneloop.store import Run, Store

_SHOWN = ("train/", "validation/", "general/", "samples/")
_HIDDEN = ("train/epoch", "train/grad_norm/", "train/loss/", "validation/loss/")
"""What the page shows in full, and a terminal has no room for."""
_SAMPLES = 3


class Watched(Followed):
    """One run, drawn as lines of text."""

    def frame(self, width: int = 80) -> list[str]:
        """What there is to see now, as lines of text."""
        self.look()
        told = [self._title(), self._state(), "", *_curves(self.history, width), *_latest(self.history)]
        return [*told, *self._findings(), *self._answers(width)]

    def line(self) -> str:
        """The latest figures on one line."""
        names = [name for name in self.history.names if name.startswith(_SHOWN) and name.count("/") == 1]
        latest = {name: self.history.series(name)[-1] for name in names}
        fresh = {name: value for name, (step, value) in latest.items() if step > self.step - 2}
        return f"step {self.step:,}{self._of()}  {figures(fresh)}"

    def brief(self, width: int = 80) -> str:
        """The run on one line of a list."""
        loss = self.history.values("train/loss")
        last = f"loss {loss[-1]:.3f}  {spark(loss, 16)}" if loss else "no figures yet"
        return _cut(f"{self.place.id[:12]}  {self.name}: step {self.step:,}{self._of()}{self._left()}  {last}", width)

    def _title(self) -> str:
        id = self.place.id if self.place.manifest else ""
        return "  ".join([self.recipe.get("name", "") or self.place.id, id, *self.place.names]).strip()

    def _state(self) -> str:
        away = f" (cannot be read at present: {self.away}; this is what was seen last)" if self.away else ""
        if self.state == "finished":
            facts = self.place.manifest.facts if self.place.manifest else self.document("receipts.json")
            ended = {"patience": ", stopped early"}.get(str(facts.get("ended")), "")
            return f"finished after step {self.step:,}{ended}, {duration(self.spent)}{away}"
        if self.history.last is None:
            return f"no figures yet{away}"
        at = f"step {self.step:,}{self._of()}"
        if self.state == "failed":
            return f"failed after {at}{away}"
        if self.state == "stopped":
            return f"stopped after {at}, {duration(self.silent)} ago; the same command goes on{away}"
        return f"{at}{self._left()}{away}"

    def _of(self) -> str:
        return f" of {self.steps:,} ({self.share:.0%})" if self.share else ""

    def _left(self) -> str:
        return f", {duration(self.left)} left" if self.left is not None and not self.finished else ""

    def _findings(self) -> Iterator[str]:
        for number, finding in enumerate(self.findings()):
            if number == 0:
                yield ""
            yield f"{finding.severity}: {finding.check}: {finding.evidence}"
            if finding.advice:
                yield f"  {finding.advice}"
            if finding.change:
                yield f"  --set {finding.change}"
            if finding.rows:
                more = len(finding.rows) - _SAMPLES
                yield f"  rows: {', '.join(finding.rows[:_SAMPLES])}{f' and {more:,} more' if more > 0 else ''}"

    def _answers(self, width: int) -> Iterator[str]:
        rows = self.samples()
        if rows:
            last = rows[-1]["step"]
            yield from ("", f"answers after step {last:,}:")
            for row in [row for row in rows if row["step"] == last][:_SAMPLES]:
                yield _cut(f"  {row['prompt']!r}", width)
                yield _cut(f"    {row['answer']!r}", width)


def find(root: Path, name: str | None) -> Watched | None:
    """Find the run to watch: the named one, else the newest that is going on, else the latest; None without any.

    Args:
        root: The store.
        name: A recipe's name or file, a ref, a run's id or its beginning, the beginning of a work folder's name; or
            the path of a store, of a run's folder or of a folder of runs, which may lie on another machine.

    Raises:
        RecipeError: A recipe's file is not there, or something is wrong in it.
        StoreError: There is no run of that name, or no such folder.
    """
    if name and name.endswith((".yaml", ".yml")):
        name = name_of(name)
    if name and name.startswith(("/", "./", "../")) and not Path(name).exists():
        raise StoreError("there is no such folder", where=name, fix="name a store, a folder of runs or a run's own")
    if name and Path(name).is_dir():
        root, name = Path(name), None
    places = Places(root)
    there = places.all()
    going = [place for place in there if place.manifest is None]
    if name is None:
        return Watched(there[-1], places) if there else None
    for place in reversed(going):
        watched = Watched(place, places)
        watched.look()
        if name in (watched.name, f"{watched.name}/run") or (len(name) >= 4 and place.id.startswith(name)):
            return watched
    if not (root / "artifacts").is_dir():
        return None
    run = Store(root).get(Run, name)
    return Watched(Place(run.id, run.folder, run.manifest, None, places.names().get(run.id, ())), places)


def others(watched: Watched) -> list[Watched]:
    """The other runs that are going on beside one."""
    found = [Watched(place, watched.places) for place in watched.places.all() if place.manifest is None]
    beside = [each for each in found if each.folder != watched.folder]
    for each in beside:
        each.look()
    return [each for each in beside if each.state == "running"]


def _curves(history: History, width: int) -> list[str]:
    series = {"·": history.series("train/loss"), "o": history.series("validation/loss")}
    drawn = chart(series, width=max(20, min(width, terminal() if sys.stdout.isatty() else width) - 14))
    return ["loss, nats:  · training   o held-out", *drawn, ""] if drawn else []


def _latest(history: History) -> Iterator[str]:
    shown = [name for name in history.names if name.startswith(_SHOWN) and not name.startswith(_HIDDEN)]
    width = max(map(len, shown), default=0)
    for name in shown:
        values = history.values(name)
        if not name.endswith("/error"):
            yield f"{name.ljust(width)} {figure(values[-1]).rjust(10)}  {spark(values)}"


def _cut(text: str, width: int) -> str:
    """A text cut to some columns of the terminal."""
    if wide(text) <= width:
        return text
    while wide(text) >= width:
        text = text[:-1]
    return f"{text}…"
