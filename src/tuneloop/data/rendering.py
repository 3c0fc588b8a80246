"""Rendering: rows of tables written as text that the other tasks learn from, by lines or by a template."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import msgspec
from pydantic import Field, field_validator

from tuneloop.data.kinship import TABLE
from tuneloop.errors import RecordError
from tuneloop.parts import Section
from tuneloop.rows import Chat, Content, Fields, Labeled, Message, Record, Scalar, Text

if TYPE_CHECKING:
    from jinja2 import Template


class Rendering(Section):
    """How a row of a table is written."""

    template: str | None = None
    """Jinja template of the text, which knows the cells by their columns' names (``{{ town }}``, ``{{ row["my
    column"] }}``) and the ``label``; by default a line ``name: value`` for each cell that is not missing."""
    to: Literal["labeled", "chat", "text"] = "labeled"
    """What becomes of a row: a text with its label, a question with the label as its answer, or running text."""
    columns: tuple[str, ...] | None = None
    """The columns of the default lines, in this order; by default all."""
    digits: int = Field(6, ge=1, le=17)
    """Significant digits of a number that is not whole; those before the point always stay."""

    @field_validator("template")
    @classmethod
    def _is_sound(cls, template: str | None) -> str | None:
        if template is not None:
            from jinja2 import TemplateSyntaxError

            try:
                _compiled(template)
            except TemplateSyntaxError as error:
                raise ValueError(f"the template is not sound in line {error.lineno}: {error.message}") from None
        return template

    def rendered(self, row: Fields) -> Content:
        """Write a row.

        Raises:
            RecordError: The row has no label to learn, all its cells are missing, or the template fails on it.
        """
        text = self.text(row)
        if not text.strip():
            raise RecordError("every cell to be written is missing", where="render", fix="name other columns")
        if self.to == "text":
            return Text(text)
        if row.label is None:
            raise RecordError(
                "the row has no label to learn", where="render", fix="name its column: {table: {label: COLUMN}}"
            )
        if self.to == "labeled":
            return Labeled(text, row.label)
        return Chat((Message("user", text), Message("assistant", self._cell(row.label))))

    def text(self, row: Fields) -> str:
        """The text of a row.

        Raises:
            RecordError: The template fails on it.
        """
        cells = {name: self._cell(value) for name, value in row.values.items() if value is not None}
        if self.template is None:
            names = cells if self.columns is None else [name for name in self.columns if name in cells]
            return "\n".join(f"{name}: {cells[name]}" for name in names)
        from jinja2 import TemplateError

        row_values = {name: cells.get(name, "") for name in row.values}
        label = "" if row.label is None else self._cell(row.label)
        try:
            return _compiled(self.template).render({**row_values, "row": row_values, "label": label})
        except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
            raise RecordError(
                "the template fails on the row",
                where=f"render.template: {error}",
                fix="use names of columns that every row has",
            ) from error

    def _cell(self, value: Scalar) -> str:
        if isinstance(value, float) and not value.is_integer():
            value = float(f"{value:.{max(self.digits, len(str(int(abs(value)))))}g}")
        return _plain(value)


def marked(record: Record) -> Record:
    """The record with a mark that its text was made of a table's cells, so that no split looks for near texts."""
    return msgspec.structs.replace(record, meta={**record.meta, TABLE: True})


def _plain(value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


@lru_cache(maxsize=32)
def _compiled(template: str) -> Template:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined).from_string(template)
