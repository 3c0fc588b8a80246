"""The shelf: all runs that can be looked at, each in brief for the list, or followed figure by figure."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneloop.looking import figures
from tuneloop.looking.differences import flat
from tuneloop.monitoring.followed import Followed, State
from tuneloop.monitoring.places import SIGNALS, Place, Places
from tuneloop.monitoring.plots import smooth
from tuneloop.rows import Finding
from tuneloop.store.artifact import Manifest

_GLANCED = ("train/loss", "validation/loss", "train/epoch")
_OPEN = 24


@dataclass(frozen=True)
class Brief:
    """One run on one line of the list.

    Attributes:
        id: The run's id.
        name: The recipe's name.
        names: Refs that point at it.
        store: The folder it was found below.
        state: ``running``, ``stopped``, ``failed`` or ``finished``.
        ended: Why it ended, of a finished one: ``patience``.
        began: Seconds since the epoch.
        spent: Seconds at work.
        left: Seconds until the end; None where that is not known.
        step: The newest step.
        steps: Steps of the whole run; 0 where that is not known.
        train: The newest training loss, smoothed.
        best: The lowest held-out loss.
        base: The base model.
        options: The recipe's options by path.
        curve: The training loss, smoothed: (step, value).
        held: The held-out loss: (step, value).
        findings: What the checks see.
    """

    id: str
    name: str
    names: tuple[str, ...]
    store: str
    state: State
    ended: str
    began: float
    spent: float
    left: float | None
    step: int
    steps: int
    train: float | None
    best: float | None
    base: str
    options: dict[str, str]
    curve: list[tuple[int, float]]
    held: list[tuple[int, float]]
    findings: list[Finding]

    @property
    def alarms(self) -> dict[str, int]:
        """How many findings of each severity that needs somebody, the worst first."""
        count = {
            severity: sum(each.severity == severity for each in self.findings) for severity in ("error", "warning")
        }
        return {severity: number for severity, number in count.items() if number}


class Shelf:
    """The runs below some folders.

    Args:
        roots: Stores, folders of runs, or a run's own folder.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = [Places(root) for root in roots]
        self._followed: OrderedDict[str, Followed] = OrderedDict()
        self._briefs: dict[str, tuple[tuple[Any, ...], Brief]] = {}
        self._lock = threading.Lock()

    def briefs(self) -> list[Brief]:
        """Every run, the one that began last first; those that go on before all others."""
        with self._lock:
            found = [self._brief(place, places) for places in self.roots for place in places.all()]
        return sorted(found, key=lambda brief: (brief.state != "running", -brief.began))

    def with_run(self, id: str, tell: Callable[[Followed], Any]) -> Any:
        """Look at one run and tell something of it; None where there is no such run.

        Args:
            id: The run's id. It is looked up among what is there, never made a path.
            tell: Makes what is asked for; nobody else reads on meanwhile.
        """
        with self._lock:
            followed = self._follow(id)
            return None if followed is None else tell(followed)

    def manifest(self, id: str) -> tuple[Manifest, Path] | None:
        """An artifact of any kind with its folder; None where there is none of that id."""
        with self._lock:
            for places in self.roots:
                for manifest in places.manifests():
                    if manifest.id == id:
                        return manifest, places.folder(id)
        return None

    def studies(self) -> list[Manifest]:
        """Every search that is over, the newest first."""
        with self._lock:
            found = [each for places in self.roots for each in places.manifests() if each.kind == "study"]
        return sorted(found, key=lambda each: -each.created)

    def made_from(self, id: str) -> list[Manifest]:
        """The artifacts that were made directly from one, or from the model that came of it."""
        with self._lock:
            known = [manifest for places in self.roots for manifest in places.manifests()]
        children = [each for each in known if id in each.parents.values()]
        below = {each.id for each in children if each.kind == "model"}
        return children + [each for each in known if each not in children and below & set(each.parents.values())]

    def _follow(self, id: str) -> Followed | None:
        followed = self._followed.get(id)
        if followed is None:
            found = self._find(id)
            if found is None:
                return None
            followed = self._followed[id] = Followed(*found)
        self._followed.move_to_end(id)
        while len(self._followed) > _OPEN:
            self._followed.popitem(last=False)
        followed.look()
        return followed

    def _find(self, id: str) -> tuple[Place, Places] | None:
        """Where a run lies; a run that was sealed since is found under the name of its work folder too."""
        for places in self.roots:
            there = {place.id: place for place in places.all()}
            place = there.get(id) or places.sealed(id)
            if place is not None:
                return place, places
        return None

    def _brief(self, place: Place, places: Places) -> Brief:
        key = (place.names, place.manifest is None and _size(place.folder / SIGNALS))
        known = self._briefs.get(place.id)
        if known and known[0] == key and known[1].state != "running":
            return known[1]
        followed = Followed(place, places, _GLANCED)
        followed.look()
        if followed.state == "running":
            followed = self._follow(place.id) or followed  # its checks need every figure
        made = _told(followed, str(places.root))
        self._briefs[place.id] = (key, made)
        return made


def _told(followed: Followed, store: str) -> Brief:
    curve = smooth(followed.history.series("train/loss"))
    held = followed.history.series("validation/loss")
    facts = followed.place.manifest.facts if followed.place.manifest else {}
    return Brief(
        id=followed.place.id,
        name=followed.name,
        names=followed.place.names,
        store=store,
        state=followed.state,
        ended=str(facts.get("ended", "")),
        began=followed.began,
        spent=followed.spent,
        left=followed.left,
        step=followed.step,
        steps=followed.steps,
        train=curve[-1][1] if curve else None,
        best=min((value for _, value in held), default=None),
        base=figures.base(followed.recipe),
        options=flat(followed.recipe),
        curve=curve,
        held=held,
        findings=followed.findings(),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
