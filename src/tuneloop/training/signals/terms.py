"""Terms: which row every single loss belongs to, and where in the answer it stands."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from tuneloop.monitoring.row_losses import FIELDS
from tuneloop.rows.record import source_of
from tuneloop.tasks import Task
from tuneloop.training.encoded import Encoded

REST, FIRST, END = 0, 1, 2
PLACES = {"loss/first": FIRST, "loss/end": END, "loss/rest": REST}
COUNT = " terms"
"""What the name of a number of terms ends with, beside the name of their summed loss."""
MOST_SOURCES = 32


@dataclass(frozen=True)
class Terms:
    """The supervised terms of a split, in the order of its examples.

    Attributes:
        ends: Where the terms of each example end, ``(examples,)``, int64.
        places: Where each term stands: 1 the first token of an answer, 2 the end token of one, 0 any other,
            ``(terms,)``, uint8; None where terms are no tokens.
        source: Number of the source of each example, ``(examples,)``; None where there is one source, or very many.
        sources: The names of the sources.
    """

    ends: np.ndarray
    places: np.ndarray | None = None
    source: np.ndarray | None = None
    sources: tuple[str, ...] = ()

    @classmethod
    def of(cls, rows: Encoded, task: Task, end_ids: Collection[int]) -> Terms:
        """Look through a split.

        Args:
            rows: The split.
            task: Its loss is a sum over labelled tokens, or has one summand for each example.
            end_ids: The tokens that end an answer.
        """
        source, sources = _sources(rows.origins)
        if task.term != "token" or task.choices:  # one summand for each example
            return cls(np.arange(1, len(rows) + 1), None, source, sources)
        labelled = labels(rows)
        ends = np.concatenate([[0], labelled.cumsum()])[rows.ends] if len(rows) else rows.ends
        return cls(ends, _places(rows, labelled, end_ids), source, sources)

    def sums(
        self, rows: Sequence[int], losses: np.ndarray, *, chances: bool = False
    ) -> tuple[dict[str, float], np.ndarray]:
        """Add the losses of some examples up.

        Args:
            rows: The examples, in the order of their losses.
            losses: Their terms' losses in nats, ``(terms,)``.
            chances: Whether probabilities of end tokens are wanted too; the losses must be unsmoothed.

        Returns:
            Summed loss and number of terms by place and by source, and an entry for each example with the fields of
            :data:`FIELDS`, its step still 0.
        """
        index = np.asarray(rows, dtype=np.int64)
        stops = self.ends[index]
        starts = np.where(index > 0, self.ends[index - 1], 0)
        counts = stops - starts
        offsets = counts.cumsum() - counts
        totals = np.add.reduceat(losses.astype(np.float64), offsets)
        entries = np.zeros(len(index), FIELDS)
        entries["row"], entries["terms"], entries["loss"] = index, counts, totals / counts
        found: dict[str, float] = {}
        if self.places is not None:
            where = np.concatenate([self.places[a:b] for a, b in zip(starts.tolist(), stops.tolist(), strict=True)])
            number, summed = np.bincount(where, minlength=3), np.bincount(where, losses, minlength=3)
            if number[FIRST] or number[END]:
                for name, place in PLACES.items():
                    found[name], found[name + COUNT] = float(summed[place]), float(number[place])
            if chances and number[END]:
                found["end_probability"] = float(np.exp(-losses[where == END]).sum())
                found["end_probability" + COUNT] = float(number[END])
        if self.source is not None:
            number, summed = np.bincount(self.source[index], counts), np.bincount(self.source[index], totals)
            for source in np.flatnonzero(number).tolist():
                name = f"loss/source/{self.sources[source]}"
                found[name], found[name + COUNT] = float(summed[source]), float(number[source])
        return found, entries


def means(sums: dict[str, float]) -> dict[str, float]:
    """The mean losses that summed losses and numbers of terms give.

    Example:
        >>> means({"first": 6.0, "first terms": 2.0, "end": 0.0, "end terms": 0.0})
        {'first': 3.0}
    """
    return {name: sums[name] / sums[name + COUNT] for name in sums if sums.get(name + COUNT)}


def labels(rows: Encoded) -> np.ndarray:
    """Whether each token of a split is labelled: learned, and not the first one of its example; ``(tokens,)``, bool."""
    labelled: np.ndarray = rows.learn != 0
    labelled[rows.ends - rows.lengths] = False
    return labelled


def _places(rows: Encoded, labelled: np.ndarray, end_ids: Collection[int]) -> np.ndarray:
    """Of each labelled token, where it stands in its run of learned tokens, if that run answers something."""
    begins = rows.ends - rows.lengths
    before = np.concatenate([[False], labelled[:-1]])
    after = np.concatenate([labelled[1:], [False]])
    after[rows.ends - 1] = False
    first = labelled & ~before
    bare = begins[begins + 1 < len(labelled)] + 1
    first[bare] = False  # nothing but the first token stands before it: a text, not an answer
    place: np.ndarray = np.zeros(len(labelled), np.uint8)
    place[first] = FIRST
    place[labelled & ~after & np.isin(rows.ids, list(end_ids))] = END
    found: np.ndarray = place[labelled]
    return found


def _sources(origins: Sequence[str]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    names = [source_of(origin) for origin in origins]
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    if not 1 < len(known) <= MOST_SOURCES:
        return None, ()
    return np.array([known[name] for name in names]), tuple(known)
