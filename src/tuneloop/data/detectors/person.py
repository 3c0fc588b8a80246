"""Names of people, in Chinese and in Latin letters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import final

from tuneloop.data.detectors import Detector, Span
from tuneloop.data.names import chinese, english

_HAN = re.compile("[\u4e00-\u9fff]")


@final
class Person(Detector):
    """Full names, and single ones where what stands beside them speaks of a person (``Dr. Lee``)."""

    given_names: bool = False
    """Also given names alone (``Anna has 3 apples``), in Latin letters. Stories and sums are full of them."""
    public_figures: bool = False
    """Also well-known people of history, public life and fiction, by full name: knowledge more than personal data."""

    def find(self, text: str) -> Iterable[Span]:
        """Weigh runs of capitalised words, and Chinese family names with what follows them.

        Example:
            >>> text = "Dear Anna Larsen, 联系人：王小梅"
            >>> [text[span.start : span.end] for span in Person().find(text)]
            ['Anna Larsen', '王小梅']
        """
        found = english.people(text, figures=self.public_figures, given_names=self.given_names)
        if not text.isascii() and _HAN.search(text):
            found = [*found, *chinese.people(text, figures=self.public_figures)]
        return [self.span(start, end, 0.6) for start, end in found]

    def same(self, value: str) -> str:
        """Small letters, one blank between words, no full stops."""
        return " ".join(value.replace(".", " ").casefold().split())
