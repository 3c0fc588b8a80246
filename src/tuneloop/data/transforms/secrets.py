"""Secrets: keys, tokens and passwords in every text of a row are masked, or the row is set aside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import ClassVar, Literal, final

from pydantic import Field

from tuneloop.data.detectors import Detector, Span
from tuneloop.data.privacy.finder import Finder
from tuneloop.data.privacy.kinds import kinds_of, mask
from tuneloop.data.privacy.rows import scrubbed
from tuneloop.data.transforms import Transform
from tuneloop.parts import OneOf
from tuneloop.rows import Drop, Record


@final
class Secrets(Transform):
    """Masks keys, tokens and passwords wherever they stand in a row, or sets such rows aside."""

    rowwise: ClassVar[bool] = True

    kinds: list[OneOf[Detector]] = Field(
        default_factory=lambda: kinds_of("secrets"), min_length=1, examples=[["api_key", "private_key"]]
    )
    """What to look for."""
    how: Literal["mask", "drop"] = "mask"
    """``mask`` writes the kind in their place (``[API_KEY]``); ``drop`` sets the row aside."""

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Mask what is found in each record, or drop the record."""

        def put(span: Span, _value: str) -> str:
            self.tally[span.kind] += 1
            return mask(span)

        for record in records:
            clean = scrubbed(record, lambda text, called: self._finder.replaced(text, put, called))
            if clean is not record and self.how == "drop":
                yield Drop("holds a secret", self.name, record.origin, id=record.id)
            else:
                yield clean

    def hide(self, text: str) -> str:
        """The text with every find masked."""
        return self._finder.replaced(text, mask)

    @cached_property
    def _finder(self) -> Finder:
        return Finder(self.kinds)
