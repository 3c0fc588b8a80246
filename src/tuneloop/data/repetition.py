"""Repetition: how much of a text says again what it has said before."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from tuneloop.data.script import units, unspaced

# Shares of all characters above which a text is repetitive, by Rae et al. 2021, "Scaling Language Models: Methods,
# Analysis & Insights from Training Gopher", Table A1.
LINES, LINE_CHARACTERS, PARAGRAPHS, PARAGRAPH_CHARACTERS = 0.30, 0.20, 0.30, 0.20
TOP = {2: 0.20, 3: 0.18, 4: 0.16}
DUPLICATE = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
LETTERS_A_WORD = 1.6
"""Characters of an average Chinese word: a sequence of n words is one of 1.6 n characters there."""
ENOUGH = 100
"""Units that a text must have before shares of it mean something; the paper's documents have 50 words or more."""

_FILLED = re.compile(r"[-=_*#~.+·…—─\s]")


def repeats(text: str) -> str:
    """Which rule for repetition a text breaks; empty if none.

    Lines and paragraphs count from five of them on, sequences of words from :data:`ENOUGH` units on. In Chinese a
    sequence of n words is taken as one of 1.6 n characters.

    Example:
        >>> repeats("很好吃！" * 40), repeats("The food was good and came in time.")
        ('a sequence of 2 words is repeated', '')
    """
    for what, pieces, most, most_characters in (
        ("lines", _filled(text.split("\n")), LINES, LINE_CHARACTERS),
        ("paragraphs", _filled(text.split("\n\n")), PARAGRAPHS, PARAGRAPH_CHARACTERS),
    ):
        if len(pieces) >= 5 and _again(pieces, most, most_characters):
            return f"{what} are repeated"
    words = units(text.casefold())
    if len(words) < ENOUGH:
        return ""
    scale = LETTERS_A_WORD if unspaced(text) else 1.0
    total = sum(map(len, words))
    for n, share in TOP.items():
        if _top(words, round(n * scale)) > share * total:
            return f"a sequence of {n} words is repeated"
    for n, share in DUPLICATE.items():
        found = _duplicated(words, round(n * scale))
        if found > share * total:
            return f"sequences of {n} words are repeated"
        if not found:
            return ""
    return ""


def loops(text: str) -> bool:
    """Whether a text ends in a loop: the same piece at least five times over, and more than half of the text.

    One sign over and over is no loop but a line or an ellipsis, unless it is a letter or digit.

    Example:
        >>> loops("I like it. " * 5), loops("Ha ha, that is good.")
        (True, False)
    """
    text = text.rstrip()[-2000:]
    size = len(text)
    for period in range(1, size * 2 // 9 + 1):
        if text[-1] == text[-1 - period] and text[-period:] == text[-2 * period : -period]:
            start = size - period
            while start > 0 and text[start - 1] == text[start - 1 + period]:
                start -= 1
            looped = size - start
            if looped >= 10 and round(looped / period) >= 5 and looped * 2 > size and _FILLED.sub("", text[-period:]):
                return True
    return False


def _filled(pieces: list[str]) -> list[str]:
    """The pieces that say something, without blanks around them."""
    return [piece.strip() for piece in pieces if _FILLED.sub("", piece)]


def _again(pieces: list[str], most: float, most_characters: float) -> bool:
    counts = Counter(pieces)
    extra = {piece: count - 1 for piece, count in counts.items() if count > 1}
    characters = sum(len(piece) * count for piece, count in extra.items())
    return sum(extra.values()) > most * len(pieces) or characters > most_characters * sum(map(len, pieces))


def _top(words: Sequence[str], n: int) -> int:
    """Characters of all occurrences of the most frequent sequence of n units that occurs more than twice."""
    counts = Counter(zip(*(words[i:] for i in range(n)), strict=False))
    (best, count) = counts.most_common(1)[0]
    return sum(map(len, best)) * count if count > 2 else 0


def _duplicated(words: Sequence[str], n: int) -> int:
    """Characters of the units that stand in a sequence of n units met before; each unit counts once."""
    seen: set[tuple[str, ...]] = set()
    total, counted = 0, 0
    for end, gram in enumerate(zip(*(words[i:] for i in range(n)), strict=False), n):
        if gram in seen:
            total += sum(map(len, words[max(counted, end - n) : end]))
            counted = end
        seen.add(gram)
    return total
