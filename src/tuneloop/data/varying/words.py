"""Words: a text cut into words that may change, and what stands between them, which may not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache

from tuneloop.data.names.chinese import UNKNOWN, tables
from tuneloop.data.script import HAN
from tuneloop.data.varying.protected import NEGATION, spans

LONGEST = 4
"""Characters of the longest Chinese word of the table."""
_OWN = 12.0  # cost of a word that only the lexicon holds: taken before single characters, not before frequent words
_WORD = re.compile(
    rf"(?P<han>(?:{HAN.pattern})+)|[A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff]+(?:['’-][A-Za-z\u00c0-\u024f]+)*"
)
_END = re.compile(r"[.!?。！？;；\n]")


@dataclass(frozen=True)
class Piece:
    """A word, or what stands between words.

    Attributes:
        text: What it says.
        word: Whether it is a word, free or not.
        free: Whether it may be changed, moved or left out.
        sentence: Number of the sentence it stands in.
        clause: Number of the stretch without a negation that it stands in.
    """

    text: str
    word: bool = False
    free: bool = False
    sentence: int = 0
    clause: int = 0

    @property
    def han(self) -> bool:
        """Whether it is Chinese, so that no blank parts it from its neighbours."""
        return HAN.match(self.text) is not None

    def saying(self, text: str) -> Piece:
        """The same piece with another text."""
        return replace(self, text=text)


def cut(text: str, keep: Iterable[str] = (), lexicon: frozenset[str] = frozenset()) -> list[Piece]:
    """Cut a text into pieces; joined again they are the text.

    Args:
        text: The text.
        keep: Words that must not change.
        lexicon: Chinese words besides those of the table.

    Example:
        >>> [piece.text for piece in cut("味道很好, really good!") if piece.free]
        ['味道', '很', '好', 'really', 'good']
    """
    pieces: list[Piece] = []
    sentence = clause = at = 0

    def between(end: int) -> None:
        nonlocal sentence, clause, at
        if end > at:
            gap = text[at:end]
            pieces.append(Piece(gap, sentence=sentence, clause=clause))
            sentence += _END.search(gap) is not None
            at = end

    taken = spans(text, keep)
    fixed = iter([*taken, (len(text) + 1, len(text) + 1)])
    start, end = next(fixed)
    for match in _WORD.finditer(text):
        for begin, stop in _segments(match, lexicon):
            while end <= begin:
                if start >= at and end <= len(text):
                    between(start)
                    clause += NEGATION.search(text, start, end) is not None
                    pieces.append(Piece(text[start:end], word=True, sentence=sentence, clause=clause))
                    at = end
                start, end = next(fixed)
            if begin < at:
                continue
            if stop > start:  # it reaches into what is protected: that and all of the word stay
                between(begin)
                clause += NEGATION.search(text, start, end) is not None
                stop = max(stop, end)
                pieces.append(Piece(text[begin:stop], word=True, sentence=sentence, clause=clause))
                at = stop
                continue
            between(begin)
            pieces.append(Piece(text[begin:stop], True, True, sentence, clause))
            at = stop
    while end <= len(text):
        if start >= at:
            between(start)
            pieces.append(Piece(text[start:end], word=True, sentence=sentence, clause=clause))
            at = end
        start, end = next(fixed)
    between(len(text))
    return _settled(pieces)


def _settled(pieces: list[Piece]) -> list[Piece]:
    """The pieces, the word behind a negation no longer free: what is negated must not change."""
    negated = False
    for at, piece in enumerate(pieces):
        if piece.word:
            if negated and piece.free:
                pieces[at] = replace(piece, free=False)
            negated = not piece.free and NEGATION.search(piece.text) is not None
        elif piece.text.strip(" "):
            negated = False
    return pieces


def join(pieces: Iterable[Piece]) -> str:
    """The text that pieces make."""
    return "".join(piece.text for piece in pieces)


def _segments(match: re.Match[str], lexicon: frozenset[str]) -> list[tuple[int, int]]:
    if match["han"] is None:
        return [match.span()]
    at, found = match.start(), []
    for word in segment(match[0], lexicon):
        found.append((at, at + len(word)))
        at += len(word)
    return found


def segment(run: str, lexicon: frozenset[str] = frozenset()) -> list[str]:
    """Cut a run of Chinese characters into the likeliest words.

    The cutting with the least sum of negative logarithms of the words' shares, by dynamic programming.

    Args:
        run: Chinese characters.
        lexicon: Words besides those of the table; one of them counts as a rare word.

    Example:
        >>> segment("我们明天去北京")
        ['我们', '明天', '去', '北京']
    """
    cost = tables().cost
    longest = max(LONGEST, _longest(lexicon))
    best, back = [0.0], [0]
    for end in range(1, len(run) + 1):
        least, start = best[end - 1] + cost.get(run[end - 1], UNKNOWN), end - 1
        for begin in range(max(0, end - longest), end - 1):
            word = run[begin:end]
            worth = _worth(word, cost, lexicon)
            if worth is not None and best[begin] + worth < least:
                least, start = best[begin] + worth, begin
        best.append(least)
        back.append(start)
    words: list[str] = []
    end = len(run)
    while end:
        words.append(run[back[end] : end])
        end = back[end]
    return words[::-1]


def _worth(word: str, cost: Mapping[str, float], lexicon: frozenset[str]) -> float | None:
    worth = cost.get(word)
    return _OWN if worth is None and word in lexicon else worth


@cache
def _longest(lexicon: frozenset[str]) -> int:
    return min(8, max(map(len, lexicon), default=0))
