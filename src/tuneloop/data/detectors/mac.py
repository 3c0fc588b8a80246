"""Hardware addresses of network cards (IEEE 802, EUI-48)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span
from tuneloop.data.detectors._draw import Draw
from tuneloop.data.detectors._text import after_hexadecimal

_FORM = re.compile(
    r"(?:[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5})|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})"
    r"(?![0-9A-Za-z_]|[:.-][0-9A-Fa-f])"
)
_INSIDE = re.compile(r"[0-9A-Za-z_.]\Z|[0-9A-Za-z]-\Z")
_BYTES, _GROUPS = 6, 3
_NOBODY = re.compile(r"0{12}|f{12}|\d{12}")


@final
class Mac(Detector):
    """Hardware addresses with colons, hyphens or as three groups of four; longer fingerprints are none."""

    cues: ClassVar[tuple[str, ...]] = (":", "-", ".")
    digits: ClassVar[int] = 1
    stand_in: ClassVar[str] = r"0e:5e(?::[0-9a-f]{2}){4}"

    def find(self, text: str) -> Iterable[Span]:
        """Look for six bytes; without any letter only those between colons, since pairs of digits are often a list.

        Example:
            >>> text = "网卡3c:52:82:0A:4f:11已登记"
            >>> [text[span.start : span.end] for span in Mac().find(text)]
            ['3c:52:82:0A:4f:11']
        """
        if text.count(":") < _BYTES - 1 and text.count("-") < _BYTES - 1 and text.count(".") < _GROUPS - 1:
            return
        for found in _FORM.finditer(text):
            start = found.start()
            if _INSIDE.search(text, max(0, start - 2), start) or after_hexadecimal(text, start):
                continue
            if (":" in found[0] and len(set(found[0])) > 2) or not _NOBODY.fullmatch(self.same(found[0])):
                yield self.span(*found.span(), 0.93)

    def same(self, value: str) -> str:
        """The hexadecimal digits alone."""
        return re.sub("[^0-9a-f]", "", value.lower())

    def pseudonym(self, draw: Draw) -> str:
        """A locally administered address that begins with 0e:5e."""
        return "0e:5e:" + ":".join(f"{draw.below(256):02x}" for _ in range(4))
