"""Delete: some words are left out."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import final

from tuneloop.data.augmenters._worded import Worded, begins, cased
from tuneloop.data.varying.words import Piece


@final
class Delete(Worded):
    """Leaves out a share of the words (random deletion of Wei and Zou 2019, EDA), never a negation or a number."""

    def reword(self, pieces: Sequence[Piece], count: int, random: Random) -> list[Piece]:
        """Leave out words that have another one beside them, so that no sentence is emptied."""
        found = list(pieces)
        for _ in range(count):
            free = [at for at, piece in enumerate(found) if piece.free and _beside(found, at)]
            if not free:
                break
            _leave_out(found, random.choice(free))
        return found


def _beside(pieces: Sequence[Piece], at: int) -> bool:
    """Whether a word of the same sentence stands right beside it, and leaving it out makes no two numbers one."""
    if all(0 <= near < len(pieces) and pieces[near].word and not pieces[near].free for near in (at - 1, at + 1)):
        return False
    for step in (1, -1):
        near = at + step
        if 0 <= near < len(pieces) and not pieces[near].word and not pieces[near].text.strip(" "):
            near += step
        if 0 <= near < len(pieces) and pieces[near].word and pieces[near].sentence == pieces[at].sentence:
            return True
    return False


def _leave_out(pieces: list[Piece], at: int) -> None:
    first, after = begins(pieces, at), at + 1
    blank = pieces[after].text if after < len(pieces) and not pieces[after].word else ""
    before = pieces[at - 1].text if at and not pieces[at - 1].word else ""
    if first and blank == " " and after + 1 < len(pieces) and pieces[after + 1].free:
        pieces[after + 1] = pieces[after + 1].saying(cased(pieces[after + 1].text, pieces[at].text))
    if blank.startswith(" ") and (not before or before.endswith((" ", "\n"))):
        pieces[after] = pieces[after].saying(blank[1:])
    elif before.endswith(" ") and not pieces[at].han:
        pieces[at - 1] = pieces[at - 1].saying(before[:-1])
    del pieces[at]
