"""Protected: what in a text must stay as it is, byte for byte, however the rest is varied."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from tuneloop.data.names import chinese, english, words
from tuneloop.data.script import HAN

Spans = list[tuple[int, int]]

_WORDS = "|".join(sorted(words("varying.txt", "numbers") | words("varying.txt", "days")))
_UNITS = "公里|公斤|千克|毫[升米克]|厘米|平方米|分钟|小时|星期|个月|"
_MEASURES = (
    "个只条张件块元角分毛斤两克吨米里寸尺亩升年月日号天周点时秒岁次回遍人名位杯瓶碗份盒袋家台辆层楼本页篇口%％℃度倍折成"
)

_HARD = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]+`"  # code
    r"|(?:https?|ftp)://[^\s<>\"'，。；！？）】」]+|(?<![\w.])www\.[^\s<>\"'，。；！？）】」]+"
    r"|(?<![A-Za-z0-9._+-])[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
    r"|\{\{[^{}\n]{0,80}\}\}|\$?\{[^{}\n]{0,80}\}|</?[A-Za-z!|][^<>\n]{0,80}>|\[[A-Z][A-Z_]*(?::[a-z0-9]+)?\]"
    r"|%(?:\([a-z_]+\))?[sdif]\b|(?<!\w)[@#$][A-Za-z_]\w*",
    re.DOTALL,
)
_NUMBER = re.compile(
    r"(?:[$€£¥￥]\s?)?(?<![A-Za-z0-9_])[A-Za-z_]*[0-9０-９][A-Za-z0-9０-９_]*(?:[.,:/\-–][0-9][A-Za-z0-9]*)*"
    rf"(?:\s?(?:[%％°℃€£¥]|{_UNITS}[{_MEASURES}]|(?:[a-z]{{1,12}}|[A-Z]{{1,4}}|[kKMG]?[A-Z][a-z]?)(?![A-Za-z])))?"
)
_SOFT = re.compile(
    r"“[^”\n]{1,200}”|\"[^\"\n]{1,200}\"|‘[^’\n]{1,100}’|(?<!\w)'[^'\n]{1,100}'(?!\w)|「[^」\n]{1,200}」|『[^』\n]{1,200}』"
    r"|《[^》\n]{1,100}》|【[^】\n]{1,100}】"
    r"|(?<![A-Za-z0-9_])[A-Za-z]+(?:[_/\\.@#+&][A-Za-z0-9_]+)+"  # identifiers, paths, names of files, R&D
    r"|(?<![A-Za-z0-9_])[a-z]+[A-Z][A-Za-z0-9_]*"
    rf"|\b(?i:{_WORDS})s?\b"
    rf"|[〇零一二两三四五六七八九十百千万亿半几]+(?:{_UNITS}[{_MEASURES}])?|(?:今|明|昨|前|后)[天日年晚早]|(?:星期|周|礼拜)[一二三四五六日天末]"
)
NEGATION = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|nowhere|neither|nor|without|cannot|hardly|barely|scarcely|rarely|seldom"
    r"|unable|unless|except|cant|dont|doesnt|didnt|wont|isnt|wasnt|havent|hasnt|couldnt|wouldnt|shouldnt"
    r"|[a-z]+n['’]t)\b|[不没沒未无無非别勿莫否甭]",
    re.IGNORECASE,
)
"""What turns a statement into its contrary, in English and Chinese."""
_CAPITALS = re.compile(r"(?<![A-Za-z])[A-Z][A-Za-z'’-]*(?: (?:(?:of|the|de|van|von|and|&) )?[A-Z][A-Za-z'’-]*)*")
_STARTS = re.compile(r"(?:^|[.!?。！？\n:]\s*[\"'“‘(]?)\s*$")
_LOOK_BACK = 8


def spans(text: str, keep: Iterable[str] = ()) -> Spans:
    """Where something stands that must not change: start and end of each, in order, none overlapping another.

    Numbers with their units, dates, addresses of mail and web, placeholders, tags, code, what is quoted, identifiers,
    capitalised names, names of people, and negations.

    Args:
        text: The text.
        keep: Further words that must not change.

    Example:
        >>> text = "Send 5 kg to [NAME], not to Ann Lee"
        >>> [text[start:end] for start, end in spans(text)]
        ['5 kg', '[NAME]', 'not', 'Ann Lee']
    """
    found = hard(text)
    found += [match.span() for match in _SOFT.finditer(text)]
    found += [match.span() for match in NEGATION.finditer(text)]
    found += _names(text)
    found += [match.span() for word in keep for match in re.finditer(re.escape(word), text)]
    return _merged(found)


def hard(text: str) -> Spans:
    """Where something stands that cannot be said otherwise: numbers, addresses, placeholders, tags, code."""
    return [match.span() for pattern in (_HARD, _NUMBER) for match in pattern.finditer(text)]


def lost(before: str, after: str) -> str:
    """What an answer in other words must not lose, gain or turn round, and does; empty if nothing.

    Example:
        >>> lost("I paid 30 dollars", "30 dollars were paid by me"), lost("I paid 30", "I paid 13")
        ('', 'a number, address, placeholder or piece of code changed')
    """
    if _pieces(before) != _pieces(after):
        return "a number, address, placeholder or piece of code changed"
    if bool(NEGATION.search(before)) != bool(NEGATION.search(after)):
        return "a negation came or went"
    return ""


def _pieces(text: str) -> Counter[str]:
    plain = [match[0] for match in _HARD.finditer(text)]
    rest = _HARD.sub(" ", text)
    return Counter(plain) + Counter(re.findall(r"[0-9０-９]+(?:[.,:][0-9]+)*", rest))


def _names(text: str) -> Spans:
    found: Spans = []
    for match in _CAPITALS.finditer(text):
        plain = " " not in match[0] and (match[0][1:].islower() or len(match[0]) == 1)
        if not plain or not _STARTS.search(text[max(0, match.start() - _LOOK_BACK) : match.start()]):
            found.append(match.span())
    if found or not text.islower():
        found += english.people(text)
    if HAN.search(text):
        found += chinese.people(text, figures=True)
    return found


def _merged(found: Spans) -> Spans:
    merged: Spans = []
    for start, end in sorted(found):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > start:
            merged.append((start, end))
    return merged
