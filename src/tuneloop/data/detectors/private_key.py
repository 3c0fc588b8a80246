"""Private keys in PEM blocks (RFC 7468), of OpenSSH and of OpenPGP."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span

_BEGIN = re.compile(r"-----BEGIN ((?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?)-----")
_BODY = re.compile(r"[A-Za-z0-9+/=\s:,.()-]*")


@final
class PrivateKey(Detector):
    """Whole blocks, from BEGIN to END; a block that is cut off, as far as it goes."""

    used_by: ClassVar[tuple[str, ...]] = ("secrets",)
    cues: ClassVar[tuple[str, ...]] = ("PRIVATE KEY",)

    def find(self, text: str) -> Iterable[Span]:
        r"""Look for the first line, then for the last.

        Example:
            >>> text = "my key:\n-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----\nbye"
            >>> [(span.start, span.end) for span in PrivateKey().find(text)]
            [(8, 68)]
        """
        after = 0
        for found in _BEGIN.finditer(text):
            if found.start() < after:
                continue
            last = f"-----END {found[1]}-----"
            end = text.find(last, found.end())
            if end >= 0:
                after = end + len(last)
            else:
                body = _BODY.match(text, found.end())
                after = body.end() if body else found.end()
                after -= len(text[:after]) - len(text[:after].rstrip())
            yield self.span(found.start(), after, 0.99)

    def same(self, value: str) -> str:
        """The block without its blanks."""
        return "".join(value.split())
