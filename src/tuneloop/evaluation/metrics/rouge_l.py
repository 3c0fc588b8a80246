"""ROUGE-L: the longest sequence of words that answer and reference have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from tuneloop.evaluation.metrics import Metric
from tuneloop.evaluation.words import words


@final
class RougeL(Metric):
    """F-measure of the longest common subsequence of words; Chinese is counted by characters.

    Formula:
        ``F = 2 * P * R / (P + R)`` with ``P = LCS / words of the answer`` and ``R = LCS / words of the reference``,
        computed by the ``rouge_score`` package. Two texts without any word (signs only) score 1 if they are equal.

    Source:
        Lin, ROUGE: A Package for Automatic Evaluation of Summaries, 2004, section 3.1, with beta = 1.
    """

    def score(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        """Measure each answer's longest common subsequence with its reference."""
        from rouge_score.rouge_scorer import RougeScorer

        scorer = RougeScorer(["rougeL"], tokenizer=_Words())
        return [
            scorer.score(reference, answer)["rougeL"].fmeasure
            if words(answer) or words(reference)
            else float(answer.strip() == reference.strip())
            for answer, reference in zip(answers, references, strict=True)
        ]


class _Words:
    """What ``RougeScorer`` takes as a tokenizer: anything with a ``tokenize`` method."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)
