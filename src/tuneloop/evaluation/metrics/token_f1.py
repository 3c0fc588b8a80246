"""Token F1: how many words answer and reference share, in any order."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import final

from tuneloop.evaluation.metrics import Metric
from tuneloop.evaluation.words import apart

_PARTING = re.compile(r"""["{}\[\]()<>:;|/\\=“”«»，。：；、！？（）【】《》…—]|,(?!\d)|(?<!\d),""")
_ARTICLES = re.compile(r"\b(a|an|the)\b")


@final
class TokenF1(Metric):
    """Harmonic mean of the precision and the recall of the answer's words; Chinese is counted by characters.

    Formula:
        ``F1 = 2 * shared / (words of the answer + words of the reference)``, where a word that occurs several
        times is shared as often as it occurs in both. Case, punctuation and English articles are removed first, as
        in SQuAD; besides, brackets, double quotes, colons and the like part words that no space parts, so that
        compact JSON is compared field by field.

    Source:
        Rajpurkar et al., SQuAD, 2016, section 6.1; where a side has no words, as in SQuAD 2.0: 1 if neither has.
    """

    def score(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        """Count the words that each answer shares with its reference."""
        return [_f1(_words(a), _words(r)) for a, r in zip(answers, references, strict=True)]


def _f1(answer: list[str], reference: list[str]) -> float:
    if not answer or not reference:
        return float(answer == reference)
    shared = sum((Counter(answer) & Counter(reference)).values())
    return 2 * shared / (len(answer) + len(reference))


def _words(text: str) -> list[str]:
    plain = "".join(sign for sign in _PARTING.sub(" ", text.lower()) if not _punctuation(sign))
    return apart(_ARTICLES.sub(" ", plain)).split()


def _punctuation(sign: str) -> bool:
    return sign in string.punctuation or unicodedata.category(sign).startswith("P")
