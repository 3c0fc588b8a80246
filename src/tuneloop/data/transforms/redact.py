"""Redact: personal data in every text of a row become placeholders or pseudonyms."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import ClassVar, Literal, final

from pydantic import Field

from tuneloop.data.detectors import Detector, Span
from tuneloop.data.detectors._draw import Draw
from tuneloop.data.privacy.finder import Finder
from tuneloop.data.privacy.keys import secret_key
from tuneloop.data.privacy.kinds import kinds_of, mask
from tuneloop.data.privacy.rows import scrubbed
from tuneloop.data.transforms import Transform
from tuneloop.errors import DataError
from tuneloop.parts import OneOf
from tuneloop.rows import Drop, Record

_CERTAIN = 0.95


@final
class Redact(Transform):
    """Masks personal data, or puts stable pseudonyms in their place, wherever they stand in a row."""

    rowwise: ClassVar[bool] = True

    kinds: list[OneOf[Detector]] = Field(
        default_factory=lambda: kinds_of("redact"), min_length=1, examples=[["email", "phone", "card"]]
    )
    """What to look for."""
    how: Literal["mask", "pseudonym"] = "mask"
    """``mask`` writes the kind (``[EMAIL]``); ``pseudonym`` something alike that is the same for the same datum."""
    key_variable: str = "TUNELOOP_REDACT_KEY"
    """The environment variable that holds the secret from which pseudonyms are made."""
    key_file: str = ""
    """A file that holds the secret instead, relative to the recipe; keep it out of the repository."""

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Replace what is found in each record; none is dropped.

        Raises:
            DataError: Pseudonyms are wanted, and there is no secret key; or the name of a source's file, which every
                row keeps as its origin, holds personal data.
        """
        key = self._key()
        kinds = {kind.name: kind for kind in self.kinds}
        file = ""

        def put(span: Span, value: str) -> str:
            self.tally[span.kind] += 1
            if not key:
                return mask(span)
            kind = kinds[span.kind]
            return kind.pseudonym(Draw(key, span.kind, kind.same(value)))

        for record in records:
            if (name := record.origin.rstrip("0123456789:#")) != file:
                file = name
                self._check_origin(record.origin)
            yield scrubbed(record, lambda text, called: self._finder.replaced(text, put, called))

    def hide(self, text: str) -> str:
        """The text with every find masked."""
        return self._finder.replaced(text, mask)

    def stamp(self) -> str:
        """A digest that changes with the secret key, which cannot be found from it."""
        key = self._key()
        return hmac.new(key, b"which key made the pseudonyms", hashlib.sha256).hexdigest() if key else ""

    def _key(self) -> bytes:
        if self.how == "mask":
            return b""
        return secret_key(self.key_file, self.key_variable, self.place.folder)

    def _check_origin(self, origin: str) -> None:
        for span in self._finder.spans(origin):
            if span.certainty >= _CERTAIN:
                raise DataError(
                    f"the name of a file holds personal data ({span.kind}), and every row would keep it as its origin",
                    where=self.hide(origin),
                    fix="rename the file",
                )

    @cached_property
    def _finder(self) -> Finder:
        return Finder(self.kinds)
