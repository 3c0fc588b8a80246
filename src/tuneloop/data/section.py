"""The ``data`` section: where rows come from, what is done to them, and how they are split."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from tuneloop.data.formats import Format
from tuneloop.data.readers import Reader
from tuneloop.data.transforms import Transform
from tuneloop.parts import OneOf, Section


class Source(Section):
    """One place that rows come from: a file, a folder, a glob, or a Hugging Face dataset."""

    path: str
    """File, folder or glob, relative to the recipe; or ``hf://owner/name`` for a Hugging Face dataset."""
    reader: OneOf[Reader] | None = None
    """How the file is read; by default its ending decides."""
    format: OneOf[Format] | None = None
    """What the rows look like; by default it is recognised from the rows."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Renames: the name a format expects, and the column of the file that holds it (``{instruction: Question}``)."""
    licence: str = ""
    """The licence of the data, kept with every row."""
    limit: int | None = Field(None, ge=1)
    """Take only the first so many rows."""


def _source(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


class Split(Section):
    """What share of the rows is held out. A row's side follows from what it asks, so it never moves."""

    validation: float = Field(0.1, ge=0, lt=1)
    """Share of rows that training watches for over-fitting."""
    test: float = Field(0.1, ge=0, lt=1)
    """Share of rows that only the final evaluation sees."""

    @model_validator(mode="after")
    def _leaves_training(self) -> Split:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together must leave a share for training (below 1)")
        return self


class DataSection(Section):
    """Raw rows in, a dataset version out."""

    sources: list[Annotated[Source, BeforeValidator(_source)]] = Field(min_length=1)
    """Where the rows come from."""
    transforms: list[OneOf[Transform]] = Field(default_factory=lambda: _default_transforms())
    """What is done to the rows, in this order, before the split."""
    split: Split = Split()
    """What is held out."""


def _default_transforms() -> list[Transform]:
    from tuneloop.parts import find

    return [find(Transform, name)() for name in ("normalize", "length", "duplicates")]
