"""Insert: synonyms of some words are put in beside them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import final

from tuneloop.data.augmenters._looked_up import LookedUp
from tuneloop.data.augmenters._worded import begins, cased
from tuneloop.data.varying.words import Piece


@final
class Insert(LookedUp):
    """Puts synonyms of words in at other places of their sentence (random insertion of Wei and Zou 2019, EDA)."""

    def reword(self, pieces: Sequence[Piece], count: int, random: Random) -> list[Piece]:
        """Put in so many words, as far as there are synonyms; the first word of a sentence stays the first."""
        free = [at for at, piece in enumerate(pieces) if piece.free]
        random.shuffle(free)
        put: dict[int, list[str]] = {}
        for at in free:
            if sum(map(len, put.values())) == count:
                break
            others = self.thesaurus.of(pieces, at)
            places = _places(pieces, at) if others else []
            if places:
                word = cased(random.choice(others), "a")
                put.setdefault(random.choice(places), []).append(word if pieces[at].han else f"{word} ")
        found: list[Piece] = []
        for at, piece in enumerate(pieces):
            found += [Piece(word) for word in put.get(at, ())]
            found.append(piece)
        return found


def _places(pieces: Sequence[Piece], at: int) -> list[int]:
    """The words of the sentence of a word before which it may be put in: those of its script, but for the first."""
    return [
        place
        for place, piece in enumerate(pieces)
        if piece.free
        and piece.sentence == pieces[at].sentence
        and piece.han == pieces[at].han
        and (piece.han or pieces[place - 1].text.endswith(" "))
        and not begins(pieces, place)
    ]
