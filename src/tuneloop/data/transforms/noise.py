"""Noise: rows of signs without sense, of mashed keys, or of the same again and again are set aside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar, final

from pydantic import Field

from tuneloop.data.nonsense import mashed, rare
from tuneloop.data.passages import prose
from tuneloop.data.repetition import loops, repeats
from tuneloop.data.sides import spoken
from tuneloop.data.transforms import Transform
from tuneloop.rows import Drop, Record, Text

# Signs that prose, lists, sums and tables are made of are no symbols: the rest is.
_PLAIN = re.compile(
    r"[\w\s.,;:!?'\"()\[\]{}<>/\\|%$€£¥°&@+*=^~·•…–—‘’“”«»，。、；：！？（）【】《》〈〉「」『』～￥-]+"
)
_RULER = re.compile(r"([-=_*#~.·—─])\1{2,}")
_BLANK = re.compile(r"\s+")


@final
class Noise(Transform):
    """Looks at the prose of every question, answer and text; code, tables and formulas are passed over."""

    rowwise: ClassVar[bool] = True

    max_symbols: float = Field(0.5, ge=0, le=1)
    """Largest share of signs that are neither letters nor digits nor punctuation; emoji are such signs."""
    max_digits: float = Field(1.0, ge=0, le=1)
    """Largest share of digits; sums are all digits, so that none is too many by default."""
    max_gibberish: float = Field(0.5, ge=0, le=1)
    """Largest share of letters in words that no language spells, and of Chinese characters hardly ever used."""
    repetition: bool = True
    """Whether loops go, and running text that repeats lines, paragraphs or sequences of words (the rules of Gopher)."""

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Pass on what is no noise."""
        for record in records:
            running = isinstance(record.content, Text)
            reason = next(filter(None, (self.reason(text, running=running) for text in spoken(record.content))), "")
            if reason:
                self.tally[reason] += 1
                yield Drop(reason, self.name, record.origin, id=record.id)
            else:
                yield record

    def reason(self, text: str, *, running: bool = False) -> str:
        """Why a text is noise; empty if it is none. Only ``running`` text is held to the rules of Gopher.

        Example:
            >>> Noise().reason("asdkjfhg qwlkejh zxmncb"), Noise().reason("好吃！好吃！"), Noise().reason("12*7=84")
            ('gibberish', '', '')
        """
        said = _RULER.sub(" ", prose(text))
        solid = _BLANK.sub("", said)
        if not solid:
            return ""
        if len(_PLAIN.sub("", solid)) > self.max_symbols * len(solid):
            return "symbols"
        if sum(map(str.isdigit, solid)) > self.max_digits * len(solid):
            return "digits"
        if mashed(said) > self.max_gibberish or (not said.isascii() and rare(said) > self.max_gibberish):
            return "gibberish"
        if self.repetition and loops(said):
            return "the same piece over and over"
        return repeats(said) if self.repetition and running else ""
