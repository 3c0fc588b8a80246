"""Sentences: whether the texts that a model learns to write come to an end."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

LEAST = 10
"""Sentences that must be there to say anything."""
WORDS = 5
_WORD = re.compile(r"[^\W\d_]['’]?(?:[^\W\d_]|['’])*")
_ITEM = re.compile(r"\s*(?:[-*•·–]|\(?\w{1,3}[.)、:])\s")
_ENDS = frozenset(".!?…。！？｡．;:；：~～।؟։።")
_WIDE = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI")


def stopped_short(answers: Iterable[str]) -> float | None:
    """The share of answers that stop in the middle of a sentence, among those that end in one.

    Only a last line of running words counts: no code, no figures, no label, no item of a list, all of which end without
    a mark. Where hardly any answer has a mark that ends a sentence, nowhere in its text, the rows are written without,
    and nothing can be told.

    Args:
        answers: What is learned, as text.

    Returns:
        A share; None where fewer than :data:`LEAST` answers end in running words, or all do without marks.

    Example:
        >>> stopped_short(["The cat sat on the mat.", "Then it looked at the"] * 10)
        0.5
        >>> stopped_short(["58", "positive", "return x + 1"] * 10)
    """
    open_ends, marked, sentences = 0, 0, 0
    for answer in answers:
        text = answer.rstrip()
        line = text.rpartition("\n")[2]
        if not _runs(line):
            continue
        sentences += 1
        open_ends += _open(text[-1])
        marked += any(mark in text for mark in _ENDS)
    if sentences < LEAST or marked < 0.05 * sentences:
        return None
    return open_ends / sentences


def _runs(line: str) -> bool:
    """Whether a line is running words: enough of them, hardly anything else, and no item of a list."""
    if not line or _ITEM.match(line):
        return False
    letters = sum(char.isalpha() or char.isspace() or unicodedata.category(char)[0] == "M" for char in line)
    return letters >= 0.8 * len(line) and _words(line) >= WORDS


def _words(line: str) -> int:
    """Words of a line; in scripts without blanks each letter counts as one."""
    wide = sum(unicodedata.name(char, "").startswith(_WIDE) for char in line if ord(char) > 0x0E00)
    return wide or len(_WORD.findall(line))


def _open(last: str) -> bool:
    """Whether a text that ends with this character stops in the middle: behind a letter, a digit or a comma."""
    return last.isalnum() or last in ",，、" or unicodedata.category(last)[0] == "M"
