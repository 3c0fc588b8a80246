"""Synonyms: some words give way to others that mean the same."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import final

from tuneloop.data.augmenters._looked_up import LookedUp
from tuneloop.data.augmenters._worded import cased
from tuneloop.data.varying.words import Piece


@final
class Synonyms(LookedUp):
    """Replaces words by synonyms of their chief sense, in the same form and case; words of grammar never."""

    def reword(self, pieces: Sequence[Piece], count: int, random: Random) -> list[Piece]:
        """Replace so many words, as far as they have synonyms."""
        found = list(pieces)
        free = [at for at, piece in enumerate(pieces) if piece.free]
        random.shuffle(free)
        for at in free:
            others = self.thesaurus.of(pieces, at) if count else ()
            if others:
                found[at] = found[at].saying(cased(random.choice(others), found[at].text))
                count -= 1
        return found
