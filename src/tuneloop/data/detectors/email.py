"""E-mail addresses (RFC 5321 and 6531, as people write them)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span
from tuneloop.data.detectors._draw import Draw
from tuneloop.data.detectors._text import is_letter

_AT = re.compile("@|%40|&#64;")
_SIGN = "[^\\W_\u1100-\u11ff\u2e80-\ud7af\uf900-\ufaff]"
_DOMAIN = re.compile(
    rf"(?:{_SIGN}(?:{_SIGN}|[_-]){{0,62}}\.){{1,8}}(?:xn--[a-z0-9-]{{2,59}}|[^\W\d_\u1100-\u11ff\u2e80-\ud7af\uf900-\ufaff]{{2,24}})"
    "|[\u4e00-\u9fff]{1,20}\\.(?:中国|公司|网络|网址|在线|[a-z]{2,6})"
    r"|\[(?:\d{1,3}\.){3}\d{1,3}\]",
    re.IGNORECASE,
)
_FILE = re.compile(r"\.(?:png|jpe?g|gif|svg|webp|css|json|html?|txt|pdf)\Z", re.IGNORECASE)
_QUOTED = re.compile(r'"[^"\s][^"\n]{0,60}"$')
_HAN = re.compile(r"(?:^|[^\u4e00-\u9fff])([\u4e00-\u9fff]{1,8})\Z")
_LOGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/@?#]*\Z", re.IGNORECASE)
_LONGEST = 64


@final
class Email(Detector):
    """E-mail addresses, also with letters beyond ASCII, and right beside Chinese characters."""

    cues: ClassVar[tuple[str, ...]] = ("@", "%40", "&#64;")
    stand_in: ClassVar[str] = r"user-[a-z2-9]{10}@redacted\.invalid"

    def find(self, text: str) -> Iterable[Span]:
        """Look left and right of every at sign.

        Example:
            >>> text = "写信给ann.lee@example.com。"
            >>> [text[span.start : span.end] for span in Email().find(text)]
            ['ann.lee@example.com']
        """
        for at in _AT.finditer(text):
            domain = _DOMAIN.match(text, at.end())
            if domain is None or _FILE.search(domain[0]):
                continue
            end = _end(domain)
            start = _start(text, at.start(), end)
            if start < at.start() and not _is_login(text, start, at.start(), end):
                yield self.span(start, end, 0.97)

    def pseudonym(self, draw: Draw) -> str:
        """An address below ``.invalid``, which never exists (RFC 2606)."""
        return f"user-{draw.letters(10)}@redacted.invalid"


def _end(domain: re.Match[str]) -> int:
    """Where the domain ends; a sentence that begins right after its full stop is none of it."""
    labels = domain[0].split(".")
    begins = len(labels) > 2 and labels[-1].istitle() and not any(label.istitle() for label in labels[:-1])
    return domain.end() - len(labels[-1]) - 1 if begins else domain.end()


def _start(text: str, at: int, end: int) -> int:
    """Where the part before the at sign begins; the at sign itself where there is none."""
    before = text[max(0, at - _LONGEST) : at]
    if before.endswith('"'):
        quoted = _QUOTED.search(before)
        return at - len(quoted[0]) if quoted else at
    size = sum(1 for _ in _local(before))
    local = before[len(before) - size :]
    escaped = local.rfind("%")
    if escaped >= 0 and re.match("%[0-9A-Fa-f]{2}", local[escaped:]):
        local = local[escaped + 3 :]
    quote = local.rfind("'")
    if quote == 0 or (quote > 0 and text[end : end + 1] == "'"):
        local = local[quote + 1 :]
    local = local.lstrip(".-+%")
    if local.startswith("_") and text[end : end + 1] == "_":
        local = local.lstrip("_")
    if local.strip("_"):
        return at - len(local)
    han = _HAN.search(before)
    return at - len(han[1]) if han else at


def _local(before: str) -> Iterator[str]:
    """The signs before the at sign, from right to left, as long as they belong to the address."""
    for sign in reversed(before):
        if not (is_letter(sign) or sign in "._%+-'"):
            return
        yield sign


def _is_login(text: str, start: int, at: int, end: int) -> bool:
    """Whether it is the login of a URL (``https://ann:word@host.org``) or of a remote (``git@host.org:path``)."""
    if text[start:at] == "git" and text[end : end + 1] == ":":
        return True
    return _LOGIN.search(text, max(0, start - 80), at) is not None
