"""The ``export`` section: in what forms a model leaves the house."""

from __future__ import annotations

from pydantic import Field

from tuneloop.exporting.exporters import Exporter
from tuneloop.parts import OneOf, Section, find


class ExportSection(Section):
    """What is written for other tools."""

    to: list[OneOf[Exporter]] = Field(default_factory=lambda: [find(Exporter, "merged")()])
    """The forms; ``merged`` is a plain Hugging Face folder with the adapter merged into the base."""
