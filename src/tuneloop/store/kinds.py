"""The seven kinds of artifact and the names of the files inside each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from tuneloop.errors import DataError
from tuneloop.rows import Drop, Finding, Record, Signal, jsonl
from tuneloop.store.artifact import Artifact

ENCODERS = "encoders.json"
"""How rows of tables were written for the model, fitted on its training rows: in the dataset and in the model."""


class Dataset(Artifact):
    """Splits as Parquet, the rows set aside with reasons, a report and a card.

    Files: ``train.parquet``, ``validation.parquet``, ``test.parquet`` (those that have rows),
    ``dropped.jsonl``, ``report.json``, ``certificate.json``, ``card.md``, ``card.html``, and ``encoders.json`` where
    the recipe has encoders.
    """

    kind: ClassVar[str] = "dataset"

    @property
    def splits(self) -> list[str]:
        """The splits that have rows, in the order train, validation, test."""
        return [name for name in ("train", "validation", "test") if (self.folder / f"{name}.parquet").exists()]

    def records(self, split: str) -> Iterator[Record]:
        """The records of one split, in stored order; none if the split has no rows."""
        from tuneloop.store.parquet import read_records

        path = self.folder / f"{split}.parquet"
        if path.exists():
            yield from read_records(path)

    def need(self, split: str) -> None:
        """Make sure that a split has rows.

        Raises:
            DataError: It has none.
        """
        if split not in self.splits:
            raise DataError(
                f"the dataset has no rows in its {split} split; it has {', '.join(self.splits) or 'no splits'}",
                where=f"evaluate.split, {self.id}",
                fix=f"set data.split.{split} above 0 (more rows may be needed), or evaluate another split",
            )

    def dropped(self) -> Iterator[Drop]:
        """The rows that were set aside, with the reason of each."""
        return jsonl.read(self.folder / "dropped.jsonl", Drop)

    @property
    def report(self) -> dict[str, Any]:
        """Counts of every step: rows in = rows kept + rows dropped."""
        return read_json(self.folder / "report.json")


class Run(Artifact):
    """One training: the resolved recipe, what was measured, what was found, and its last state.

    Files: ``recipe.yaml``, ``signals.jsonl``, ``findings.jsonl``, ``environment.json``, ``receipts.json``; where there
    are some, ``row_losses.train.bin``, ``row_losses.validation.bin``, ``samples.jsonl`` and ``general.json``.
    """

    kind: ClassVar[str] = "run"

    def signals(self) -> Iterator[Signal]:
        """Every figure measured, in the order of writing."""
        return jsonl.read(self.folder / "signals.jsonl", Signal)

    def findings(self) -> Iterator[Finding]:
        """What the checks found."""
        return jsonl.read(self.folder / "findings.jsonl", Finding)


class Model(Artifact):
    """A tuned model: a PEFT adapter or full weights, its tokenizer with chat template, and a card.

    Files: ``model/`` (as Hugging Face and PEFT write it, safetensors only), ``model.json``, ``card.md``, and the
    ``encoders.json`` of its dataset where that has one.
    """

    kind: ClassVar[str] = "model"

    @property
    def weights(self) -> Path:
        """The folder that ``PeftModel.from_pretrained`` or ``AutoModel.from_pretrained`` opens."""
        return self.folder / "model"

    @property
    def is_adapter(self) -> bool:
        """Whether the weights are an adapter to a base rather than full weights."""
        return (self.weights / "adapter_config.json").exists()


class Report(Artifact):
    """An evaluation: ``report.json`` (scores, samples), ``report.html`` (self-contained), ``answers.jsonl``."""

    kind: ClassVar[str] = "report"

    @property
    def scores(self) -> dict[str, Any]:
        """The scores by model and metric."""
        scores: dict[str, Any] = read_json(self.folder / "report.json")["scores"]
        return scores


class Bundle(Artifact):
    """An exported model ready for other tools, in a folder per format, with ``verify.json``."""

    kind: ClassVar[str] = "bundle"


class Release(Artifact):
    """A model that may be served, with the report (and bundle) that speak for it: ``release.json``."""

    kind: ClassVar[str] = "release"


class Study(Artifact):
    """A search over changes of a recipe: ``trials.jsonl`` (its journal), ``study.json`` (its summary) and pictures."""

    kind: ClassVar[str] = "study"

    @property
    def summary(self) -> dict[str, Any]:
        """What was compared, the best trial, what mattered, what it cost, and all trials, the best first."""
        return read_json(self.folder / "study.json")


_ALL: tuple[type[Artifact], ...] = (Dataset, Run, Model, Report, Bundle, Release, Study)
KINDS: dict[str, type[Artifact]] = {kind.kind: kind for kind in _ALL}


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file."""
    value: dict[str, Any] = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    return value
