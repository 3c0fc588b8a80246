"""Rows with known twins: the same, nearly the same, and alike but another; and rows taken from a benchmark."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

_WORD = re.compile(r"\S+")
_FILLERS = {
    "en": ["really", "just", "quite", "also", "perhaps", "simply"],
    "zh": ["也", "很", "就", "还", "其实", "一般"],
}


@dataclass(frozen=True)
class Twin:
    """Two texts and whether a person would call them the same row told twice."""

    first: str
    second: str
    same: bool
    language: str
    how: str


def nearly(draw: random.Random, text: str, language: str) -> tuple[str, str]:
    """The text with a small edit that leaves its meaning, and the edit's name."""
    how = draw.choice(["case and marks", "blanks", "one word left out", "one word put in", "cut end", "greeting"])
    if how == "case and marks":
        return (text.upper() if language == "en" and draw.random() < 0.3 else re.sub(r"[,.;，。；]", "", text)), how
    if how == "blanks":
        return (text.replace(" ", "  ") if language == "en" else text.replace("，", "， ").replace("。", " 。 ")), how
    if how == "greeting":
        return (f"Hello! {text}" if language == "en" else f"你好，{text}"), how
    if how == "cut end":
        return text[: -max(1, len(text) // 25)], how
    if language == "zh":
        at = draw.randrange(len(text) // 4, len(text) - 1)
        if how == "one word left out":
            return text[:at] + text[at + 1 :], how
        return text[:at] + draw.choice(_FILLERS["zh"]) + text[at:], how
    spans = [found.span() for found in _WORD.finditer(text)]
    start, end = draw.choice([span for span in spans if text[span[0] : span[1]].isalpha()] or spans)
    if how == "one word left out":
        return text[:start] + text[end + 1 :], how
    return f"{text[:start]}{draw.choice(_FILLERS['en'])} {text[start:]}", how


def another(draw: random.Random, text: str) -> str | None:
    """The text with one number exchanged: alike, but another question; None where it has no number."""
    numbers = [found for found in re.finditer(r"\d+", text) if len(found[0]) < 8]
    if not numbers:
        return None
    found = draw.choice(numbers)
    return f"{text[: found.start()]}{int(found[0]) + draw.randint(3, 60)}{text[found.end() :]}"


def twins(draw: random.Random, texts: list[str], language: str, count: int) -> list[Twin]:
    """Draw pairs of which three quarters are the same row told twice."""
    made: list[Twin] = []
    for text in draw.sample(texts, len(texts)):
        if len(made) == count:
            break
        if len(made) % 4 == 3:
            other = another(draw, text)
            if other is not None:
                made.append(Twin(text, other, False, language, "another number"))
        else:
            other, how = nearly(draw, text, language)
            if other != text:
                made.append(Twin(text, other, True, language, how))
    return made
