"""The ``data`` section: where rows come from, what is done to them, and how they are split."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from tuneloop.data.augmenters import Augmenter
from tuneloop.data.balancers import Balancer
from tuneloop.data.clusters import Cluster
from tuneloop.data.encoders import Encoder
from tuneloop.data.formats import Format
from tuneloop.data.readers import Reader
from tuneloop.data.transforms import Transform
from tuneloop.errors import RecordError
from tuneloop.parts import OneOf, Section


class About(Section):
    """What is known of a source besides its licence; it is kept in report and card."""

    url: str = ""
    """Where it comes from."""
    collected: str = ""
    """When it was collected (``2026-03-04``, ``2024 to 2025``)."""
    note: str = ""
    """Whatever else should be known of it."""


class Sample(Section):
    """A draw from a source. It follows from each row's content and the seed: a larger one holds the smaller one."""

    rows: int | None = Field(None, ge=1)
    """Take so many rows, all of them where there are fewer."""
    share: float | None = Field(None, gt=0, le=1)
    """Take about this share of the rows; rows that are added later move none in or out."""

    @model_validator(mode="after")
    def _one(self) -> Sample:
        if (self.rows is None) == (self.share is None):
            raise ValueError("give rows or share, one of them")
        return self


class Source(Section):
    """One place that rows come from: a file, a folder, a glob, a Hugging Face dataset, an API, or served answers."""

    path: str
    """File, folder or glob, relative to the recipe; ``hf://owner/name`` for a Hugging Face dataset; ``https://...``
    for an API or a file; ``exchanges://`` for what was served from this store."""
    reader: OneOf[Reader] | None = None
    """How the file is read; by default its ending decides."""
    format: OneOf[Format] | None = None
    """What the rows look like; by default it is recognised from the rows."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Renames: the name a format expects, and the column of the file that holds it (``{instruction: Question}``)."""
    licence: str = ""
    """The licence of the data, kept with every row; that of a Hugging Face dataset is taken from its card."""
    about: About = About()
    """Where it comes from and when it was collected."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face dataset; null takes what is newest."""
    limit: int | None = Field(None, ge=1)
    """Take only the first so many rows."""
    sample: Sample | None = None
    """Draw some of the rows, before the transforms; null takes all."""
    weight: float = Field(1, gt=0)
    """How often each training row is taken: 0.5 draws half of them, 2 takes each twice."""
    share: float | None = Field(None, gt=0, lt=1)
    """The share of the training rows that this source shall be; the others keep theirs. Instead of ``weight``. If every
    source has one, only their proportions count."""

    @model_validator(mode="after")
    def _fits(self) -> Source:
        if self.share is not None and self.weight != 1:
            raise ValueError("weight and share say the same in two ways: give one of them")
        return self


def _source(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


class After(Section):
    """Fixed borders of a split by time: rows from a date on are held out."""

    validation: str | None = Field(None, examples=["2024-03-04"])
    """Rows of this time or later are validation (ISO 8601, ``2024-03-04``); null holds none out."""
    test: str | None = Field(None, examples=["2024-06-01"])
    """Rows of this time or later are test; null holds none out."""

    @model_validator(mode="after")
    def _in_order(self) -> After:
        from tuneloop.data.moments import moment

        for when in (self.validation, self.test):
            if when is not None:
                try:
                    moment(when)
                except RecordError as error:
                    raise ValueError(f"{when!r}: {error.problems[0].what}; {error.problems[0].fix}") from None
        if self.validation is not None and self.test is not None and moment(self.validation) >= moment(self.test):
            raise ValueError("validation must begin before test: the newest rows are the test")
        return self


class Split(Section):
    """What is held out, and by what rule. Rows that ask the same, near duplicates and groups never cross."""

    validation: float = Field(0.1, ge=0, lt=1)
    """Share of rows that training watches for over-fitting."""
    test: float = Field(0.1, ge=0, lt=1)
    """Share of rows that only the final evaluation sees."""
    by: Literal["random", "stratified", "group", "time"] = "random"
    """``random`` by a digest of what a row asks; ``stratified``: each label in its share; ``group``: all rows with the
    same value of ``column`` together; ``time``: the newest rows are the test, those before them the validation."""
    column: str | None = Field(None, json_schema_extra={"beside": {"by": "group"}})
    """Where the label, group or time stands: a column of the rows, ``label``, or ``conversation`` (how it begins)."""
    near: float | None = Field(0.8, gt=0, le=1)
    """Two texts at least this similar (shared runs of words or characters) stand on one side; null looks only for the
    same question."""
    after: After | None = Field(None, json_schema_extra={"beside": {"by": "time", "column": "created"}})
    """For ``time``: fixed dates instead of shares, so that newer rows never move the borders."""
    like: str | None = None
    """An earlier dataset version (id or ref): rows known there keep their side, whatever was added before them."""

    @model_validator(mode="after")
    def _fits(self) -> Split:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together must leave a share for training (below 1)")
        if self.by in ("group", "time") and self.column is None:
            raise ValueError(f"by: {self.by} needs column: the name of the column that holds the {self.by}")
        if self.by == "random" and self.column is not None:
            raise ValueError("column is read by stratified, group and time; give one of them as by:")
        if self.after is not None and self.by != "time":
            raise ValueError("after: gives dates, so it needs by: time")
        return self

    @property
    def holds_out(self) -> bool:
        """Whether any row can be held out; where none is, no two rows need be compared."""
        return bool(self.validation or self.test or self.after or self.like)


class Augment(Section):
    """How training rows are varied: on the input side only; a list of augmenters alone is the short form."""

    by: list[OneOf[Augmenter]] = Field(min_length=1, examples=[["swap"]])
    """What varies a row, one after the other, each with its probability."""
    copies: int = Field(1, ge=1, json_schema_extra={"beside": {"by": ["swap"]}})
    """How many variants are made of each row."""
    only_copies: bool = Field(False, json_schema_extra={"beside": {"by": ["swap"]}})
    """Vary the copies that ``balance`` makes, in place, and add no row."""


def _augment(value: Any) -> Any:
    return {"by": value} if isinstance(value, list) else value


class Governance(Section):
    """Who may use the rows, for what and until when; it is kept in report and card, and training says what is over."""

    purpose: str = ""
    """What the rows may be used for."""
    access: str = ""
    """Who may use them."""
    contact: str = ""
    """Who answers for them."""
    retention: date | None = Field(None, examples=["2027-12-31"])
    """The last day on which they may be kept (``2027-12-31``); null sets none."""


class DataSection(Section):
    """Raw rows in, a dataset version out."""

    sources: list[Annotated[Source, BeforeValidator(_source)]] = Field(min_length=1)
    """Where the rows come from."""
    transforms: list[OneOf[Transform]] = Field(default_factory=lambda: _default_transforms())
    """What is done to the rows, in this order, before the split."""
    split: Split = Split()
    """What is held out."""
    balance: OneOf[Balancer] | None = None
    """Makes the labels of the training rows more even, after the split; null leaves them as they are."""
    augment: Annotated[Augment | None, BeforeValidator(_augment)] = None
    """Makes training rows that ask the same in another way, after the split and the balance; null makes none."""
    encoders: list[OneOf[Encoder]] = Field(default_factory=list)
    """What writes rows of tables for the model, in this order; fitted on the training rows and kept with the model."""
    governance: Governance = Governance()
    """Who may use the rows, for what and until when."""
    processes: int | None = Field(None, ge=1)
    """How many processes share the work on rows, one for each core by default; it never changes the result."""
    cluster: OneOf[Cluster] | None = None
    """Machines that share the work on rows in place of processes of this one; it never changes the result."""

    @property
    def varied_by(self) -> list[Augmenter]:
        """The augmenters, none where nothing is to be varied."""
        return self.augment.by if self.augment else []

    @model_validator(mode="after")
    def _has_copies(self) -> DataSection:
        if self.augment is not None and self.augment.only_copies and self.balance is None:
            raise ValueError("augment.only_copies varies the copies that balance makes: give balance: oversample")
        return self

    @model_validator(mode="after")
    def _encodes_in_order(self) -> DataSection:
        for encoder, following in pairwise(self.encoders):
            if encoder.last:
                raise ValueError(
                    f"the encoder {encoder.name} writes rows as text, which {following.name} cannot read: "
                    f"put {encoder.name} last"
                )
        return self

    @model_validator(mode="after")
    def _shared_once(self) -> DataSection:
        if self.cluster is not None and self.processes is not None:
            raise ValueError("with a cluster, its nodes do the work: leave processes out")
        return self

    @model_validator(mode="after")
    def _shares(self) -> DataSection:
        shares = [source.share for source in self.sources if source.share is not None]
        if len(shares) < len(self.sources) and sum(shares) > 1 - 1e-9:
            raise ValueError(
                f"the shares of the sources are {sum(shares):g} together, and leave nothing for the others"
            )
        return self


def _default_transforms() -> list[Transform]:
    from tuneloop.parts import find

    return [find(Transform, name)() for name in ("normalize", "length", "duplicates")]
