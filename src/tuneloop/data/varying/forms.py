"""Forms: what an English word is a form of, and the same form of another word, by the regular rules alone.

Words with forms of their own (went, men) are neither replaced nor put in where that form is needed.
"""

from __future__ import annotations

from collections.abc import Iterator

_VOWELS = frozenset("aeiou")
# Verbs whose past is their own, each with its forms; those whose forms are all the same come once.
_VERBS = (
    "arise arose arisen|awake awoke awoken|bear bore borne born|beat beaten|become became|begin began begun|bend bent|"
    "bet|bind bound|bite bit bitten|bleed bled|blow blew blown|break broke broken|breed bred|bring brought|build built|"
    "burst|buy bought|cast|catch caught|choose chose chosen|cling clung|come came|cost|creep crept|cut|deal dealt|"
    "dig dug|do did done does|draw drew drawn|drink drank drunk|drive drove driven|eat ate eaten|fall fell fallen|"
    "feed fed|feel felt|fight fought|find found|flee fled|fling flung|fly flew flown|forbid forbade forbidden|"
    "forget forgot forgotten|forgive forgave forgiven|freeze froze frozen|get got gotten|give gave given|go went gone|"
    "grind ground|grow grew grown|hang hung|have had has|hear heard|hide hid hidden|hit|hold held|hurt|keep kept|"
    "kneel knelt|know knew known|lay laid|lead led|leave left|lend lent|let|lie lay lain|light lit|lose lost|make made|"
    "mean meant|meet met|mistake mistook mistaken|overcome overcame|pay paid|prove proven|put|quit|read|ride rode ridden|"
    "ring rang rung|rise rose risen|run ran|say said|see saw seen|seek sought|sell sold|send sent|set|sew sewn|"
    "shake shook shaken|shed|shine shone|shoot shot|show shown|shrink shrank shrunk|shut|sing sang sung|sink sank sunk|"
    "sit sat|sleep slept|slide slid|slit|speak spoke spoken|spend spent|spin spun|spit spat|split|spread|spring sprang "
    "sprung|stand stood|steal stole stolen|stick stuck|sting stung|stink stank stunk|strike struck stricken|string strung|"
    "strive strove striven|swear swore sworn|sweep swept|swell swollen|swim swam swum|swing swung|take took taken|"
    "teach taught|tear tore torn|tell told|think thought|throw threw thrown|thrust|tread trod trodden|undergo underwent|"
    "understand understood|undertake undertook undertaken|upset|wake woke woken|wear wore worn|weave wove woven|weep wept|"
    "win won|wind wound|withdraw withdrew withdrawn|withhold withheld|wring wrung|write wrote written|be is was been were "
    "are am being"
)
_NOUNS = (
    "man men|woman women|child children|foot feet|tooth teeth|goose geese|mouse mice|person people|ox oxen|knife knives|"
    "life lives|wife wives|leaf leaves|half halves|shelf shelves|wolf wolves|thief thieves|self selves|loaf loaves|"
    "sheep|fish|deer|series|species|aircraft|information|advice|equipment|news|furniture|money|luggage|baggage|help|"
    "crisis crises|analysis analyses|basis bases|datum data|medium media|criterion criteria|phenomenon phenomena"
)
IRREGULAR_VERBS = frozenset(entry.split()[0] for entry in _VERBS.split("|"))
IRREGULAR_NOUNS = frozenset(entry.split()[0] for entry in _NOUNS.split("|"))
IRREGULAR = frozenset(form for entry in f"{_VERBS}|{_NOUNS}".split("|") for form in entry.split()[1:])
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
        >>> [inflected(*each) for each in [("box", "n", "s"), ("try", "v", "ed"), ("stop", "v", "ing"), ("buy", "v", "ed")]]
        ['boxes', 'tried', 'stopping', '']
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
            return base[:-2] + "ying" if base.endswith("ie") else base + "ing" if base.endswith("ee") else base[:-1] + "ing"
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
