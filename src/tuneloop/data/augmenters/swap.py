"""Swap: two words change places."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import final

from tuneloop.data.augmenters._worded import Worded, cased
from tuneloop.data.varying.words import Piece

TRIES = 3


@final
class Swap(Worded):
    """Lets two words of a sentence change places, so many times (random swap of Wei and Zou 2019, EDA)."""

    def reword(self, pieces: Sequence[Piece], count: int, random: Random) -> list[Piece]:
        """Swap words of one sentence with no negation between them; capitals stay at their places."""
        found = list(pieces)
        stretches: dict[tuple[int, int], list[int]] = {}
        for at, piece in enumerate(pieces):
            if piece.free:
                stretches.setdefault((piece.sentence, piece.clause), []).append(at)
        places = [stretch for stretch in stretches.values() if len(stretch) > 1]
        for _ in range(count if places else 0):
            for _ in range(TRIES):  # the same word may stand at both places
                one, other = random.sample(random.choices(places, [len(stretch) for stretch in places])[0], 2)
                first, second = found[one].text, found[other].text
                if first.casefold() != second.casefold():
                    found[one] = found[one].saying(_placed(second, first))
                    found[other] = found[other].saying(_placed(first, second))
                    break
        return found


def _placed(word: str, instead_of: str) -> str:
    """A word with the capital of the place it comes to; ``I`` keeps its own."""
    return word if "I" in (word, instead_of) or word.startswith("I'") else cased(word, instead_of)
