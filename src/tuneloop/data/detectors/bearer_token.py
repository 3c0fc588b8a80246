"""Tokens in the headers of requests: ``Authorization: Bearer ...`` (RFC 6750) and ``Basic ...`` (RFC 7617)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span
from tuneloop.data.detectors._entropy import is_random

_FORM = re.compile(
    r"(?i:\bbearer\s{1,3}|\bauthorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:basic|token)\s{1,3})"
    r"([A-Za-z0-9._~+/-]{12,4096}={0,2})(?![A-Za-z0-9])"
)


@final
class BearerToken(Detector):
    """What stands behind Bearer, or behind Basic or token in an authorization header, if it looks drawn by lot."""

    used_by: ClassVar[tuple[str, ...]] = ("secrets",)
    cues: ClassVar[tuple[str, ...]] = ("earer", "EARER", "uthorization", "UTHORIZATION")

    def find(self, text: str) -> Iterable[Span]:
        """Look behind the words.

        Example:
            >>> text = "curl -H 'Authorization: Bearer 9fX2kQ7vLm3Rt8Zc' # bearer certificates-of-deposit"
            >>> [text[span.start : span.end] for span in BearerToken().find(text)]
            ['9fX2kQ7vLm3Rt8Zc']
        """
        for found in _FORM.finditer(text):
            if is_random(found[1], 12):
                yield self.span(*found.span(1), 0.9)

    def same(self, value: str) -> str:
        """The token as it is."""
        return value
