"""chrF: how many short runs of characters answer and reference share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from pydantic import Field

from tuneloop.evaluation.metrics import Metric


@final
class ChrF(Metric):
    """F-score of character n-grams, which needs no words and so treats every language alike.

    Formula:
        ``chrF = (1 + beta^2) * P * R / (beta^2 * P + R)`` with the mean precision ``P`` and recall ``R`` of
        n-grams of 1 to ``char_order`` characters, computed by ``sacrebleu`` for each answer by itself and
        divided by 100. Two empty texts score 1.

    Source:
        Popovic, chrF: character n-gram F-score for automatic MT evaluation, 2015, section 2.
    """

    char_order: int = Field(6, ge=1)
    """Characters of the longest run."""
    word_order: int = Field(0, ge=0)
    """Words of the longest run of words that counts too; 2 gives chrF++."""
    beta: int = Field(2, ge=1)
    """How much more recall weighs than precision."""

    def score(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        """Compare the character runs of each answer with those of its reference."""
        from sacrebleu.metrics import CHRF

        chrf = CHRF(char_order=self.char_order, word_order=self.word_order, beta=self.beta)
        return [
            chrf.sentence_score(answer, [reference]).score / 100 if answer.strip() or reference.strip() else 1.0
            for answer, reference in zip(answers, references, strict=True)
        ]
