"""JSON web tokens (RFC 7519)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span

_FORM = re.compile(r"(?<![\w-])eyJ[\w-]{8,4096}\.eyJ[\w-]{4,16384}(?:\.[\w-]{0,4096})?", re.ASCII)


@final
class Jwt(Detector):
    """Signed tokens in three parts, the first two of which are JSON objects in Base64."""

    used_by: ClassVar[tuple[str, ...]] = ("secrets",)
    cues: ClassVar[tuple[str, ...]] = ("eyJ",)

    def find(self, text: str) -> Iterable[Span]:
        """Look for a header and a payload.

        Example:
            >>> text = "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl."
            >>> [text[span.start : span.end] for span in Jwt().find(text)]
            ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl']
        """
        for found in _FORM.finditer(text):
            yield self.span(*found.span(), 0.99)

    def same(self, value: str) -> str:
        """The token as it is."""
        return value
