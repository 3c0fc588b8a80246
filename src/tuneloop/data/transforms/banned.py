"""Banned: rows with words or phrases from lists of yours are set aside, or the words masked."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self, final

from pydantic import Field, model_validator

from tuneloop.data.contents import changed, texts
from tuneloop.data.script import unspaced
from tuneloop.data.transforms import Transform
from tuneloop.errors import DataError, MissingPackage
from tuneloop.parts import install
from tuneloop.rows import Content, Drop, Record

if TYPE_CHECKING:
    from ahocorasick_rs import AhoCorasick


@final
class Banned(Transform):
    """Finds terms without regard to case and full width, all in one pass however many there are.

    A term in letters that are spelled with blanks between words must stand as a whole word; Chinese, Japanese and Thai
    terms are found anywhere.
    """

    rowwise: ClassVar[bool] = True

    lists: list[str]
    """Text files (UTF-8) with one term a line; empty lines and those that begin with # do not count."""
    profanity: bool = False
    """Whether the English list of the package better-profanity is taken too: 916 terms, some of them harmless words."""
    how: Literal["drop", "mask"] = "drop"
    """Whether the row is set aside, or each letter of the term becomes the mask."""
    mask: str = Field("*", min_length=1, max_length=1)
    """What stands for a letter of a masked term."""

    @model_validator(mode="after")
    def _bans_something(self) -> Self:
        if not self.lists and not self.profanity:
            raise ValueError("banned needs a list: give lists: [banned.txt], or lists: [] and profanity: true")
        return self

    def reads(self) -> tuple[str, ...]:
        """The lists."""
        return tuple(self.lists)

    def packages(self) -> tuple[str, ...]:
        """What finds the terms, and the English list if it is wanted."""
        return ("ahocorasick-rs", *(["better-profanity"] if self.profanity else []))

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Set aside or mask what is found; how many terms were met is counted, never which.

        Raises:
            DataError: A list cannot be read, or holds no term.
            MissingPackage: ahocorasick_rs or better-profanity is not installed.
        """
        for record in records:
            hits = sum(len(self._hits(text)) for text in texts(record.content))
            if not hits:
                yield record
                continue
            self.tally["terms"] += hits
            if self.how == "drop":
                yield Drop("a banned term", self.name, record.origin, id=record.id)
            else:
                content: Content = changed(record.content, self.hide)
                yield record.having(content)

    def hide(self, text: str) -> str:
        """The text with every banned term masked."""
        for start, end in reversed(self._hits(text)):
            masked = "".join(self.mask if sign.isalnum() else sign for sign in text[start:end])
            text = text[:start] + masked + text[end:]
        return text

    def _hits(self, text: str) -> list[tuple[int, int]]:
        """Where terms stand: start and end of each, in order; those that overlap are one."""
        plain = _plain(text)
        hits: list[tuple[int, int]] = []
        found = self._automaton.find_matches_as_indexes(plain, overlapping=True)
        for start, end, which in sorted((start, end, which) for which, start, end in found):
            if not self._anywhere[which] and (_joins(plain, start) or _joins(plain, end)):
                continue
            if hits and start < hits[-1][1]:
                hits[-1] = (hits[-1][0], max(end, hits[-1][1]))
            else:
                hits.append((start, end))
        return hits

    @cached_property
    def _terms(self) -> list[str]:
        terms = [term for path in self.lists for term in _read(self.place.folder / Path(path).expanduser())]
        if self.profanity:
            try:
                packaged = resources.files("better_profanity") / "profanity_wordlist.txt"
            except ModuleNotFoundError as error:
                raise MissingPackage(
                    "profanity: true needs the package better-profanity",
                    where="banned.profanity",
                    fix=install("better-profanity"),
                ) from error
            terms += _lines(packaged.read_text(encoding="utf-8"))
        return sorted({_plain(term) for term in terms})

    @cached_property
    def _anywhere(self) -> list[bool]:
        return [unspaced(term) for term in self._terms]

    @cached_property
    def _automaton(self) -> AhoCorasick:
        try:
            from ahocorasick_rs import AhoCorasick
        except ModuleNotFoundError as error:
            raise MissingPackage(
                "banned needs the package ahocorasick-rs", where="banned", fix=install("ahocorasick-rs")
            ) from error
        return AhoCorasick(self._terms)


def _plain(text: str) -> str:
    """The text in small letters of usual width, each character in its place."""
    if text.isascii():
        return text.lower()
    return "".join(map(_small, text))


def _small(sign: str) -> str:
    plain = unicodedata.normalize("NFKC", sign).lower()
    return plain if len(plain) == 1 else sign


def _joins(text: str, at: int) -> bool:
    """Whether a word goes on over a place between two characters."""
    return 0 < at < len(text) and _in_word(text[at - 1]) and _in_word(text[at])


def _in_word(sign: str) -> bool:
    return (sign.isalnum() or sign == "_") and not unspaced(sign)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _read(path: Path) -> list[str]:
    try:
        terms = _lines(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"the list of banned terms cannot be read: {error}", where=path.name, fix="give a text file in UTF-8"
        ) from error
    if not terms:
        raise DataError("the list of banned terms is empty", where=path.name, fix="write one term a line")
    return terms
