"""Forms: what an English word is a form of, and the same form of another word, by the regular rules alone.

Words with forms of their own (went, men) are neither replaced nor put in where that form is needed.
"""

from __future__ import annotations

from collections.abc import Iterator

from tuneloop.data.names import sections

_VOWELS = frozenset("aeiou")
_VERBS, _NOUNS = (sections("varying.txt")[name].split(";") for name in ("verbs", "nouns"))
IRREGULAR_VERBS = frozenset(entry.split()[0] for entry in _VERBS)
IRREGULAR_NOUNS = frozenset(entry.split()[0] for entry in _NOUNS)
IRREGULAR = frozenset(form for entry in (*_VERBS, *_NOUNS) for form in entry.split()[1:])
"""Forms that no rule makes."""


def readings(word: str) -> Iterator[tuple[str, str, str]]:
    """What a word in small letters may be a form of: dictionary form, part of speech, form.

    Example:
        >>> sorted(readings("cards"))[:3]
        [('card', 'n', 's'), ('card', 'v', 's'), ('cards', 'a', '')]
    """
    for pos in "nvar":
        yield word, pos, ""
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        for base in _without_s(word):
            yield base, "n", "s"
            yield base, "v", "s"
    for ending in ("ed", "ing"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            for base in _without(word, ending):
                yield base, "v", ending


def inflected(base: str, pos: str, form: str) -> str:
    """A form of a word; empty where no rule makes it for certain.

    Example:
        >>> inflected("box", "n", "s"), inflected("stop", "v", "ing"), inflected("buy", "v", "ed")
        ('boxes', 'stopping', '')
    """
    if not form:
        return base
    if form == "s":
        if (pos == "n" and base in IRREGULAR_NOUNS) or base in ("have", "do", "be", "go"):
            return ""
        return "" if base.endswith(("f", "fe", "o", "man", "is", "um", "ics")) and pos == "n" else _with_s(base)
    if form == "ed" and base in IRREGULAR_VERBS:
        return ""
    return _with(base, form)


def _with_s(base: str) -> str:
    if base.endswith(("s", "x", "z", "ch", "sh", "o")):
        return base + "es"
    return base[:-1] + "ies" if base.endswith("y") and base[-2:-1] not in _VOWELS else base + "s"


def _without_s(word: str) -> list[str]:
    found = [word[:-1]]
    if word.endswith("ies") and len(word) > 4:
        found = [word[:-3] + "y"]
    elif word.endswith(("ses", "xes", "zes", "ches", "shes", "oes")):
        found.append(word[:-2])
    return [base for base in found if _with_s(base) == word]


def _with(base: str, ending: str) -> str:
    if base.endswith("e"):
        if ending == "ing":
            return (
                base[:-2] + "ying"
                if base.endswith("ie")
                else base + "ing"
                if base.endswith("ee")
                else base[:-1] + "ing"
            )
        return base + "d"
    if base.endswith("y") and base[-2:-1] not in _VOWELS:
        return base[:-1] + "ied" if ending == "ed" else base + "ing"
    if base.endswith("c"):
        return base + "k" + ending
    if _short_end(base):
        if _syllables(base) == 1:
            return base + base[-1] + ending
        if not base.endswith(("er", "en", "on", "it", "or")) or base.endswith(("mit", "fer", "cur")):
            return ""  # the stress decides whether the consonant is doubled
    return base + ending


def _without(word: str, ending: str) -> list[str]:
    stem = word[: -len(ending)]
    found = [stem, stem + "e"]
    if stem[-1:] == stem[-2:-1]:
        found.append(stem[:-1])
    if stem.endswith("i") and ending == "ed":
        found.append(stem[:-1] + "y")
    if stem.endswith("y") and ending == "ing":
        found.append(stem[:-1] + "ie")
    return [base for base in found if _with(base, ending) == word]


def _short_end(base: str) -> bool:
    """Whether it ends with one consonant behind one vowel (not w, x, y)."""
    end = base[-3:]
    return len(end) == 3 and end[2] not in _VOWELS | set("wxy") and end[1] in _VOWELS and end[0] not in _VOWELS


def _syllables(base: str) -> int:
    return sum(a in _VOWELS and b not in _VOWELS for a, b in zip(base, base[1:] + " ", strict=True))
