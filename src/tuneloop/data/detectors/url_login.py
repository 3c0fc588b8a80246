"""Logins inside URLs: ``scheme://user:password@host`` (RFC 3986, section 3.2.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span

_LOGIN = re.compile(r"://([^\s/?#@:<>\"'`\[\]]{0,128}:[^\s/?#@<>\"'`]{1,256})@(?=[^\s@])")
_BLANK = re.compile(r"[^:]*:(?:\$?\{.*\}|<.*>|\*+|\$[A-Za-z_]+|%[sd])")


@final
class UrlLogin(Detector):
    """The user and password of a URL or connection string; the host after them stays."""

    used_by: ClassVar[tuple[str, ...]] = ("redact", "secrets")
    cues: ClassVar[tuple[str, ...]] = ("://",)

    def find(self, text: str) -> Iterable[Span]:
        """Look between the scheme and the at sign; blanks to be filled in (``${PASSWORD}``) are none.

        Example:
            >>> text = "postgres://ann:Zk3vQ9w@db.example.org:5432/shop"
            >>> [text[span.start : span.end] for span in UrlLogin().find(text)]
            ['ann:Zk3vQ9w']
        """
        for found in _LOGIN.finditer(text):
            if not _BLANK.fullmatch(found[1]):
                yield self.span(*found.span(1), 0.98)
