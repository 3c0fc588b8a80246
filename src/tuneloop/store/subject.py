"""Subjects: a person, or anything else that can be named, found in any text, in plain or only by salted digests.

A text is taken as its words, digits and Chinese characters, each on its own; case, width, blanks and punctuation
between them do not count. ``+1 (555) 0123`` and ``1 555-0123`` are the same subject, ``Ann Lee`` is not in ``Joann
Leeds``. What is kept of a subject are salted digests: enough to know it when it is met, not enough to read it.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from tuneloop.errors import DataError
from tuneloop.rows import Content, Record

_WIDE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_MADE = re.compile(r"(?:\+[a-z][a-z_]*[0-9]+)+$")  # how the origin of a row made of another goes on
_TOKEN = re.compile(rf"\d|[{_WIDE}]|[^\W\d_{_WIDE}]+|\ue000")
_BREAK = " \ue000 "
_ALONE = re.compile(rf"[{_WIDE}\ue000]")
ECHO = 24
"""Words of a text's beginning by which it is known again."""
MOST = 1_000_000
"""Different tokens that are remembered."""
FEWEST = 4
"""Letters and digits that a subject must have; a Chinese character counts for two."""


class Mark(msgspec.Struct, frozen=True):
    """What is kept of one subject: how many tokens it has, digests of them all and (two bytes) of the first.

    Its kinds: ``text``, words met anywhere in a row; ``row``, the whole content of a row; ``place``, a line of a source
    file with the file's SHA-256; ``echo``, the beginning of a text of a row, as excerpts show it; ``name``, the id or
    origin that a row was asked by.
    """

    kind: str
    digest: str
    count: int = 0
    first: str = ""


def fold(text: str) -> str:
    """A text without differences of case and width."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def tokens(text: str) -> list[str]:
    """The words, single digits and single Chinese characters of a text.

    Example:
        >>> tokens("Ann Lee, +1 55")
        ['ann', 'lee', '1', '5', '5']
    """
    return _TOKEN.findall(fold(text))


def strings(value: Any) -> Iterator[str]:
    """Every string in a plain value, names of fields included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from strings(item)


def words(value: Any) -> str:
    """Every string of a value in one text, set apart so that no subject is found across two of them."""
    return _BREAK.join(strings(msgspec.to_builtins(value)))


def text_mark(subject: str, salt: str) -> Mark:
    """The mark of a subject that is named in words.

    Raises:
        DataError: It is so short that it would be met everywhere.
    """
    found = tokens(subject)
    if sum(2 if _ALONE.match(token) else len(token) for token in found) < FEWEST:
        raise DataError(
            f"the subject has fewer than {FEWEST} letters and digits, and would be found everywhere",
            where="data forget",
            fix="name the person in full, or give an e-mail, a telephone number, a row's id or its origin",
        )
    return Mark("text", _digest(salt, found), len(found), _first(salt, found[0]))


def echo_mark(text: str, salt: str) -> Mark:
    """The mark of a text of a row, by its beginning, to know it again in excerpts and answers."""
    found = tokens(text)[:ECHO]
    return Mark("echo", _digest(salt, found), len(found), _first(salt, found[0]))


def row_mark(content: Content, salt: str) -> Mark:
    """The mark of a row by what it holds, whatever its spelling of blanks, case and punctuation."""
    return Mark("row", _digest(salt, tokens(words(content))))


def name_mark(subject: str, salt: str) -> Mark:
    """The mark of a row's id or origin as a person gave it, to know the same request again."""
    return Mark("name", _digest(salt, [subject]))


def place_mark(origin: str, sha256: str, salt: str) -> Mark:
    """The mark of a row by where it stands in a file of which not a byte has changed."""
    return Mark("place", _digest(salt, [origin, sha256]))


def made_of(record: Record) -> str:
    """The origin of the row in the source, also of a row that was made of it."""
    return _MADE.sub("", record.origin) if "parent" in record.meta else record.origin


class Search:
    """Finds subjects by their marks.

    Args:
        marks: The marks.
        salt: The salt they were made with.
        echoes: Find in texts not only who is named but also the beginnings of rows.

    Example:
        >>> search = Search([text_mark("Ann Lee", "salt")], "salt")
        >>> search.text("written by ANN  LEE."), search.text("Joann Leeds")
        (True, False)
    """

    def __init__(self, marks: Iterable[Mark], salt: str, *, echoes: bool = False) -> None:
        self._salt = salt
        firsts: set[str] = set()
        self._texts: dict[int, set[str]] = {}
        self._rows: set[str] = set()
        self._places: set[str] = set()
        for mark in marks:
            if mark.kind == "text" or (echoes and mark.kind == "echo"):
                firsts.add(mark.first)
                self._texts.setdefault(mark.count, set()).add(mark.digest)
            elif mark.kind == "row":
                self._rows.add(mark.digest)
            elif mark.kind == "place":
                self._places.add(mark.digest)
        self._known = _Beginnings(firsts, salt)

    def text(self, text: str) -> bool:
        """Whether a subject is named in a text."""
        folded = fold(text)
        found = _TOKEN.findall(folded)
        known = self._known
        starts = [index for index, token in enumerate(found) if known[token]] if self._texts else []
        spans: list[re.Match[str]] = []
        for start in starts:
            for count, digests in self._texts.items():
                if start + count > len(found) or _digest(self._salt, found[start : start + count]) not in digests:
                    continue
                spans = spans or list(_TOKEN.finditer(folded))
                if _stands_alone(folded, spans[start], spans[start + count - 1]):
                    return True
        return False

    def record(self, record: Record, sha256: str = "") -> bool:
        """Whether a record is one that is looked for, was made of one, or names a subject.

        Args:
            record: The record.
            sha256: Digest of the file its origin names, where it is known.
        """
        origin = made_of(record)
        if sha256 and self._places and place_mark(origin, sha256, self._salt).digest in self._places:
            return True
        if self._rows and row_mark(record.content, self._salt).digest in self._rows:
            return True
        return bool(self._texts) and self.text(words([record.content, record.meta, record.origin]))


class _Beginnings(dict[str, bool]):
    """Whether a token may be the first of a subject, worked out once for each."""

    def __init__(self, firsts: set[str], salt: str) -> None:
        self._firsts, self._salt = firsts, salt

    def __missing__(self, token: str) -> bool:
        if len(self) > MOST:
            self.clear()
        known = self[token] = _first(self._salt, token) in self._firsts
        return known


def _digest(salt: str, parts: list[str]) -> str:
    return hashlib.blake2b("\x00".join(parts).encode("utf-8", "replace"), digest_size=16, key=salt.encode()).hexdigest()


def _first(salt: str, token: str) -> str:
    return _digest(salt, [token])[:4]


def _stands_alone(text: str, first: re.Match[str], last: re.Match[str]) -> bool:
    """Whether no letter or digit goes on before or after; Chinese characters stand next to others all the time."""
    return not (
        _sticks(text[first.start() : first.start() + 1], text[first.start() - 1 : first.start()])
        or _sticks(text[last.end() - 1 : last.end()], text[last.end() : last.end() + 1])
    )


def _sticks(edge: str, beside: str) -> bool:
    return beside.isalnum() and not _ALONE.match(edge) and not _ALONE.match(beside)
