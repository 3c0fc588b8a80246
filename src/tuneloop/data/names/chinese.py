"""Names of people in Chinese text: a family name and one or two characters that make better sense as a name.

A candidate is weighed against the words that the same characters could be: the text around it is cut into words in
the likeliest way (frequencies from the table of words), once freely and once with the candidate as a name. What
stands beside it (a title, a label, a verb of saying) counts for the name.
"""

from __future__ import annotations

import lzma
import math
import re
from bisect import bisect_right
from functools import cache
from typing import NamedTuple

from tuneloop.data.names import TABLES, sections, words

HAN = "\u4e00-\u9fff"
TOTAL = math.log(60e6)  # words that the frequencies were counted in
UNKNOWN = TOTAL - math.log(3)  # cost of a character that no table holds
NAME = 4.5  # cost of meeting any name
SHORT, LONG = 1.4, 0.3  # cost of a given name of one character, of two
ODD = 1.5  # more cost of a given name of one character that no table holds
GIVEN, MET, RARE = math.log(350), math.log(1800), 10.3
SURE, LIKELY, SLIGHT = 6.0, 4.0, 1.5  # what evidence beside the name is worth
NEVER = 50.0  # cost of a character that no name holds
COMMON = 10.5  # a word cheaper than that is no name and no piece of one
MOST = 2 * SURE  # what evidence can be worth on both sides together
MARGIN = 3  # characters on either side that take part in the cutting


class Tables(NamedTuple):
    """What the weighing looks up, made once a process."""

    cost: dict[str, float]
    family: dict[str, float]
    given: dict[str, float]
    start: re.Pattern[str]
    before: dict[str, float]
    after: dict[str, float]
    titles: frozenset[str]
    figures: frozenset[str]


ABROAD = frozenset(sections("zh_context.txt")["abroad"])
"""Characters that spell foreign names by their sound."""
SOUNDS = ABROAD - frozenset(sections("zh_names.txt")["given"] + sections("zh_names.txt")["met"])
_EDGE = "于当让加可得道来里"  # these sooner belong to the words beside a foreign name than to its ends
_SOUND, _END = f"[{''.join(sorted(ABROAD))}]", f"[{''.join(sorted(ABROAD - set(_EDGE)))}]"
_DOTTED = re.compile(rf"{_END}{_SOUND}{{0,6}}(?:[·•・]{_SOUND}{{1,7}})*[·•・]{_SOUND}{{0,6}}{_END}")


@cache
def tables() -> Tables:
    """Load the tables of Chinese names and words."""
    cost: dict[str, float] = {}
    for line in lzma.decompress((TABLES / "zh_words.xz").read_bytes()).decode().splitlines():
        rank, *held = line.split()
        cost.update(dict.fromkeys(held, TOTAL - int(rank) * math.log(2)))
    names, beside = sections("zh_names.txt"), sections("zh_context.txt")
    never = "".join(sorted(set(beside["never"]) - set(names["given"] + names["met"])))
    family = {
        char: 2.65 + (0 if rank < 3 else 1.15 * math.log(rank / 3)) for rank, char in enumerate(names["surnames"])
    }
    family |= dict.fromkeys(names["compound"].split(), 7.0)
    given = {**dict.fromkeys(never, NEVER), **dict.fromkeys(names["met"], MET), **dict.fromkeys(names["given"], GIVEN)}
    labels, before = beside["labels"].split(), beside["before"].split()
    return Tables(
        cost,
        family,
        given,
        re.compile(rf"(?:{'|'.join(names['compound'].split())}|[{names['surnames']}])(?=[{HAN}])(?![{never}])"),
        {**dict.fromkeys(beside["link"].split(), SLIGHT), **dict.fromkeys([*labels, *before], SURE)},
        {**dict.fromkeys(beside["next"].split(), SLIGHT), **dict.fromkeys(beside["after"].split(), SURE)},
        words("zh_context.txt", "titles"),
        words("zh_figures.txt", "figures"),
    )


@cache
def _figures() -> re.Pattern[str]:
    return re.compile("|".join(sorted((name for name in tables().figures if len(name) > 1), key=len, reverse=True)))


def people(text: str, *, figures: bool = False) -> list[tuple[int, int]]:
    """Find names of people.

    Args:
        text: Any text; only its Chinese characters are looked at.
        figures: Whether well-known people of history and public life count.

    Returns:
        Start and end of every name, in order, none overlapping another.
    """
    table = tables()
    weighed = [(match.start(), match.end(), SURE) for match in _DOTTED.finditer(text)] if "·" in text else []
    if figures:
        weighed += [(match.start(), match.end(), SURE) for match in _figures().finditer(text)]
    for match in table.start.finditer(text):
        weighed += _weigh(text, match.start(), match.end(), table)
    found = _best(weighed)
    if not figures:
        found = [span for span in found if text[span[0] : span[1]] not in table.figures]
    return [span for span in found if not _is_title(text, *span)]


def _is_title(text: str, start: int, end: int) -> bool:
    """Whether a place lies in the title of a work (``《…》``)."""
    opened, closed = text.rfind("《", max(0, start - 20), start), text.rfind("》", max(0, start - 20), start)
    return opened > closed and text.find("》", end, end + 20) >= 0


def _best(weighed: list[tuple[int, int, float]]) -> list[tuple[int, int]]:
    """The spans, none overlapping another, whose gains add up to most."""
    weighed.sort(key=lambda item: item[1])
    ends, totals = [0], [0.0]  # the most that spans can add up to, which end here or before
    last: list[tuple[int, int, int]] = [(0, 0, 0)]  # the last span of those, and how many entries came before it
    for start, end, gain in weighed:
        before = bisect_right(ends, start) - 1
        if totals[before] + gain > totals[-1]:
            ends.append(end)
            totals.append(totals[before] + gain)
            last.append((start, end, before))
    found, at = [], len(last) - 1
    while at:
        start, end, at = last[at]
        found.append((start, end))
    return found[::-1]


def _weigh(text: str, start: int, given: int, table: Tables) -> list[tuple[int, int, float]]:
    """Candidates whose family name stands at a place, each with how much better it is than plain words."""
    words = table.cost
    pair = words.get(text[start : given + 1], NEVER)
    if pair < COMMON:
        return []
    piece = start > 0 and words.get(text[start - 1 : given], COMMON) < COMMON
    ahead = _before(text, start, table) if piece else -1.0
    if piece and ahead < SURE:
        return []
    family = words.get(text[start:given], UNKNOWN)
    plain = min(family + words.get(text[given], UNKNOWN), pair)
    cost = table.family[text[start:given]] + NAME + table.given.get(text[given], RARE)
    found = []
    if plain + MOST > cost + SHORT:
        odd = SHORT if text[given] in table.given else SHORT + ODD
        ahead = _before(text, start, table) if ahead < 0 else ahead
        found += _gain(text, start, given, given + 1, plain - cost - odd, cost + odd, ahead, table)
    last = text[given + 1 : given + 2]
    if _is_han(last):
        cost += table.given.get(last, RARE) + LONG
        plain = min(plain + words.get(last, UNKNOWN), family + words.get(text[given : given + 2], NEVER))
        if plain + MOST > cost and text[given : given + 2] not in table.titles:
            ahead = _before(text, start, table) if ahead < 0 else ahead
            found += _gain(text, start, given, given + 2, plain - cost, cost, ahead, table)
    return found


def _gain(
    text: str, start: int, given: int, end: int, room: float, cost: float, ahead: float, table: Tables
) -> list[tuple[int, int, float]]:
    """One candidate with its gain, or nothing; ``room`` is the most it could gain without evidence."""
    evidence = ahead + _after(text, end, table)
    if room + evidence <= 0 or text[given:end] in table.titles or (ahead < SURE and _is_foreign(text, start, end)):
        return []
    left, right = _bounds(text, start, end)
    around = cut(text[left:start], table.cost) + cut(text[end:right], table.cost)
    gain = cut(text[left:right], table.cost) - around - cost + evidence
    return [(start, end, gain)] if gain > 0 else []


def _is_foreign(text: str, start: int, end: int) -> bool:
    """Whether a candidate spells a foreign word by its sound, or a piece of one (``巴塞罗那``, ``鲍勃``)."""
    if text[start - 1 : start] in ABROAD and text[start] in ABROAD and text[start + 1] in SOUNDS:
        return True
    if not ABROAD.issuperset(text[start:end]):
        return False
    beside = not ABROAD.isdisjoint({text[start - 1 : start], text[end : end + 1]})
    return beside or not SOUNDS.isdisjoint(text[start + 1 : end])


def _bounds(text: str, start: int, end: int) -> tuple[int, int]:
    """The stretch of Chinese characters around a candidate that takes part in the cutting."""
    left = start
    while left > max(0, start - MARGIN) and _is_han(text[left - 1]):
        left -= 1
    right = start
    while right < min(len(text), end + MARGIN) and _is_han(text[right]):
        right += 1
    return left, right


def _is_han(char: str) -> bool:
    return "\u4e00" <= char <= "\u9fff"


def _before(text: str, start: int, table: Tables) -> float:
    if start == 0:
        return SLIGHT
    colon = text[start - 1] in ":：" or (text[start - 1] == " " and text[max(0, start - 2)] in ":：")
    if colon:
        start = len(text[:start].rstrip(" :："))
    elif not _is_han(text[start - 1]):
        return SLIGHT
    worth = 0.0
    for size in (5, 4, 3, 2, 1):
        worth = table.before.get(text[start - size : start], 0.0) if size <= start else 0.0
        if worth:
            break
    return worth


def _after(text: str, end: int, table: Tables) -> float:
    if end == len(text) or not _is_han(text[end]):
        return SLIGHT
    for size in (4, 3, 2, 1):
        worth = table.after.get(text[end : end + size])
        if worth is not None:
            return worth
    return 0.0


def cut(text: str, cost: dict[str, float]) -> float:
    """Cost of the likeliest cutting of a few characters into words.

    Args:
        text: At most a dozen characters.
        cost: Negative logarithm of the share of each word.

    Returns:
        The least sum of costs over all cuttings, in natural units.
    """
    best = [0.0]
    for end in range(1, len(text) + 1):
        least = best[end - 1] + cost.get(text[end - 1], UNKNOWN)
        for begin in range(max(0, end - 4), end - 1):
            word = cost.get(text[begin:end])
            if word is not None and best[begin] + word < least:
                least = best[begin] + word
        best.append(least)
    return best[-1]
