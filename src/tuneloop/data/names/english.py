"""Names of people in text of Latin letters: runs of capitalised words weighed by what each word can be.

Every word of a run earns points: a known given name, a known family name, the ending of one, an initial; words that
can be something else as well (``April``, ``Grant``) earn fewer. What stands beside the run (a title, ``my name is``,
a verb of saying) earns points too. Streets, organisations and places are told by their words and left alone.
"""

from __future__ import annotations

import lzma
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from tuneloop.data.names import TABLES, sections, words

UPPER = "A-Z" + "".join(chr(code) for code in range(0xC0, 0x530) if chr(code).isupper())
LETTER = "[^\\W\\d_\u1100-\u11ff\u2e80-\ud7af\uf900-\uffef]"
PAIR = 3.0
"""Points from which a run of several words is a name."""
SINGLE = 4.5
"""Points from which a single word is one."""

_WORD = rf"[{UPPER}](?:['’][{UPPER}])?{LETTER}*(?:[-'’][{UPPER}]{LETTER}*)*(?:-[a-z]{{2,5}}(?![\w-]))?"
_SHORT = rf"(?:[{UPPER}]|M(?:r|rs|s|x|me)|Dr|Prof|[JS]r|Capt|Lt|Sgt|Rev|Sen|Gov|Gen|Hon|St|Messrs)\."
_TOKEN = re.compile(rf"{_SHORT}|{LETTER}(?:['’-]?{LETTER}+)*")


GIVEN, FAMILY, UNSURE, TITLE, PARTICLE, BODY, PLACE, OTHER = (1 << bit for bit in range(8))
"""What a word can be, as bits: a word may be several things at once."""
NAME = GIVEN | FAMILY
ELSE = BODY | PLACE | OTHER


_NO_NAME = frozenset(bits for bits in range(1, 256) if bits & ELSE and not bits & NAME)


class Token(NamedTuple):
    """A word of a run, with what it can be."""

    start: int
    end: int
    text: str
    can: int


class Tables(NamedTuple):
    """What the weighing looks up, made once a process."""

    can: dict[str, int]
    endings: tuple[str, ...]
    run: re.Pattern[str]
    figures: frozenset[str]


@cache
def tables() -> Tables:
    """Load the tables of names and words in Latin letters."""
    can: dict[str, int] = dict.fromkeys(lzma.decompress((TABLES / "en_common.xz").read_bytes()).decode().split(), OTHER)
    for file, section, kind in (
        ("en_words.txt", "others", OTHER),
        ("en_words.txt", "places", PLACE),
        ("en_words.txt", "organisations", BODY),
        ("en_names.txt", "given", GIVEN),
        ("en_names.txt", "surnames", FAMILY),
        ("en_names.txt", "unsure", UNSURE),
        ("en_names.txt", "titles", TITLE),
        ("en_names.txt", "particles", PARTICLE),
    ):
        for word in words(file, section):
            can[plain(word)] = can.get(plain(word), 0) | kind
    for word, kinds in can.items():
        if kinds & NAME and kinds & ELSE:
            can[word] = kinds | UNSURE
    small = "|".join(sorted(words("en_names.txt", "particles"), key=len, reverse=True))
    further = rf" (?:(?:{small}) ){{0,2}}(?:{_SHORT}|(?:(?:al|el|ul|bin|ibn)-)?{_WORD})"
    run = re.compile(rf"(?<![\w@#/&.-])(?:{_SHORT}|{_WORD})(?:{further})*")
    figures = frozenset(plain(name).strip() for name in sections("en_figures.txt")["figures"].split(","))
    return Tables(can, tuple(plain(word) for word in words("en_names.txt", "endings") if len(word) > 2), run, figures)


def plain(word: str) -> str:
    """Write a word in small letters without accents, apostrophes and full stops, as the tables hold it."""
    if not word.isascii():
        word = "".join(char for char in unicodedata.normalize("NFD", word) if not unicodedata.combining(char))
    return word.lower().replace("'", "").replace("’", "").replace(".", "")


def people(text: str, *, figures: bool = False, given_names: bool = False) -> list[tuple[int, int]]:
    """Find names of people.

    Args:
        text: Any text; only its words in Latin letters (and Greek and Cyrillic ones) are looked at.
        figures: Whether well-known people of history and public life count.
        given_names: Whether a given name alone counts although nothing beside it says that a person is meant.

    Returns:
        Start and end of every name, in order, none overlapping another.
    """
    table = tables()
    found: list[tuple[int, int]] = []
    alone: list[Token] = []
    known: set[str] = set()
    for match in table.run.finditer(text):
        if " " not in match[0] and table.can.get(plain(match[0]), 0) & (NAME | ELSE) in _NO_NAME:
            continue
        for tokens, titled in _segments(match, table):
            if len(tokens) == 1 and not titled and not (tokens[0].can & NAME or _could_be(tokens[0])):
                continue
            if len(tokens) > 1 and tokens[0].text == tokens[1].text:
                continue
            start, end = tokens[0].start, tokens[-1].end
            points = _points(tokens, table) + (4.5 if titled else 0.0)
            enough = SINGLE if len(tokens) == 1 else PAIR
            if points < enough:
                points += _beside(text, start, end)
            if points < enough and not (given_names and len(tokens) == 1 and _is_sure(tokens[0], GIVEN)):
                if len(tokens) == 1:
                    alone.append(tokens[0])
            elif figures or not _is_figure(tokens, table):
                suffix = _SUFFIX.match(text, end)
                found.append((start, suffix.end() if suffix else end))
                known.update(token.text for token in tokens if len(tokens) > 1 and len(token.text) > 2)
    found += [(token.start, token.end) for token in alone if token.text in known]
    if _TURNS.search(text):
        found = _inverted(text, found, table)
    if "name" in text:
        found += _spoken(text, table)
    return sorted(set(found))


def _segments(match: re.Match[str], table: Tables) -> Iterator[tuple[list[Token], bool]]:
    """Cut a run at titles and at words that are no part of a name; what belongs to a place or a body is left out."""
    tokens: list[Token] = []
    titled = poisoned = False
    for word in _TOKEN.finditer(match[0]):
        token = _token(word, match.start(), table)
        if token.can & TITLE and not (token.can & NAME and tokens):
            if tokens and not poisoned:
                yield tokens, titled
            tokens, titled, poisoned = [], True, False
        elif token.can & NAME or not token.can & ~PARTICLE:
            tokens.append(token)
        elif token.can & PARTICLE:
            tokens = [*tokens, token] if tokens or not token.text.islower() else tokens
        elif token.can & (BODY | PLACE):
            tokens, titled, poisoned = [], False, True
        else:
            if tokens and not poisoned:
                yield from _trimmed(tokens, titled)
            tokens, titled, poisoned = [], False, False
    if tokens and not poisoned:
        yield from _trimmed(tokens, titled)


def _trimmed(tokens: list[Token], titled: bool) -> Iterator[tuple[list[Token], bool]]:
    while tokens and tokens[-1].can == PARTICLE:
        tokens = tokens[:-1]
    if tokens and len(tokens) <= 6:
        yield tokens, titled


def _token(word: re.Match[str], offset: int, table: Tables) -> Token:
    text = word[0]
    can = table.can.get(plain(text), 0)
    if len(text) == 1 or text[1:] == ".":
        can = 0
    elif not can & (NAME | TITLE) and "-" in text:
        parts = [table.can.get(plain(part), 0) for part in text.split("-")]
        can = parts[0] & NAME or parts[-1] & NAME or next((part for part in parts if part), 0)
        if _KOREAN.fullmatch(text) and not all(part & OTHER for part in parts):
            can = GIVEN
        elif _ARABIC.match(text) and not can & (BODY | PLACE):
            can = FAMILY | UNSURE
    elif not can & NAME and ((text.isupper() and len(text) < 5) or (not can and _ABSTRACT.search(text))):
        can |= OTHER
    return Token(offset + word.start(), offset + word.end(), text, can)


_SYLLABLE = "(?:ch|kk|pp|tt|ss|jj|[bcdghjkmnprsty])?[wy]?(?:a|ae|e|eo|eu|ee|i|o|oe|oo|oh|u|ui|ah)(?:ng|[bhklmnpt])?"
_KOREAN = re.compile(rf"(?i:{_SYLLABLE})-(?i:{_SYLLABLE})")
_ARABIC = re.compile("(?:Al|El|Ul)-[A-Z]")
_ABSTRACT = re.compile("(?:ing|tion|sion|ness|ment|ity|ology|ism|ful|ous|able|ical|ship|hood)s?$", re.IGNORECASE)
_SUFFIX = re.compile(r",? (?:[JS]r\b\.?|I{2,3}\b|IV\b)")


def _could_be(token: Token) -> bool:
    return not token.can and len(token.text.rstrip(".")) > 1


def _is_sure(token: Token, kind: int) -> bool:
    return bool(token.can & kind) and not token.can & UNSURE


def _points(tokens: list[Token], table: Tables) -> float:
    first, *middle = tokens
    if not middle:
        if len(first.text.rstrip(".")) == 1:
            return -9.0
        return 2.0 if _is_sure(first, GIVEN) else 1.5 if _is_sure(first, FAMILY) else 0.5 if not first.can else 0.0
    *middle, last = middle
    initial = len(first.text.rstrip(".")) == 1
    points = 3.0 if _is_sure(first, GIVEN) else 1.5 if initial or _is_sure(first, FAMILY) else 1.0
    if len(last.text.rstrip(".")) == 1:
        points -= 1.0
    elif _is_sure(last, FAMILY):
        points += 2.0
    elif last.can & NAME:
        turned = _is_sure(last, GIVEN) and first.can & FAMILY
        korean = _KOREAN.fullmatch(last.text) is not None and last.can == GIVEN and not first.can & ELSE & ~PLACE
        points += 2.0 if korean else 1.5 if turned else 0.5
    elif plain(last.text).endswith(table.endings):
        points += 1.5
    else:
        points += 0.5
    known = first.can & NAME and last.can & NAME
    points += (1.5 if known else 1.0) * any(len(token.text.rstrip(".")) == 1 for token in middle)
    points += 0.5 * any(token.can & NAME for token in middle)
    points += 0.5 * any(not token.text.isascii() for token in tokens)
    return points


_ROLES = (
    "colleague|friend|wife|husband|brother|sister|son|daughter|mother|father|boss|neighbou?r|partner|kid|child|patient"
    "|client|customer|employee|player|singer|director|author|producer|founder|ceo|actor|actress|writer|reporter"
    "|professor|manager|doctor|nurse|teacher|attorney|lawyer|officer|detective|user|student|candidate|applicant"
    "|resident|tenant|artist|speaker|owner"
)
_AHEAD = re.compile(
    r"(?:(?P<sure>(?:\b(?:my|his|her|their|your|full|first|last|maiden|middle|family|contact|the) name(?: is|'s|:)"
    r"|\bnames?:|\bname\??|\bnamed|\bname of|\bpatient(?: name)?:?|\bdear|\bsurname:?"
    r"|\b(?:client|customer|employee|attn|attention|signed|cc|from|to|sender|recipient|contact|author|applicant"
    r"|tenant|landlord):)\s{1,12})"
    r"|(?P<field>\b(?:(?P<whose>full|first|last|given|family|real|user|customer|client|patient|employee|contact|sender"
    r"|recipient|author)[_ -]?)?name ?[\"'] ?: ?[\"'])"
    r"|(?P<likely>\b(?:i am|i'm|i’m|this is|it's|called|call me|hi|hello|hey|thanks|meet|sincerely|regards|cheers"
    rf"|signed|best|{_ROLES})[,:]?\s{{1,4}})"
    r"|(?P<slight>\b(?:by|with|from|for|to|told|asked|met|and|that|of|contact|call|starring|features?|says|said|under"
    r"|about|against)\s))$",
    re.IGNORECASE,
)
_BEHIND = re.compile(
    r"(?P<likely>,? (?:said|says|told|asked|replied|wrote|lives|lived|works|worked|explained|added|noted|argued"
    r"|was born|born|is an? |has been|who |phone|tel)\b|:? ?[(<]?[\w.]+@|(?:['’]s|s['’]) (?:phone|number|email|e-mail"
    r"|address|birthday|account|wife|husband|son|daughter|mother|father|brother|sister|house|office|card|ssn|passport"
    r"|salary|kid|child)\b)|(?P<slight>['’]s\b| (?:is|was|has|had|and|from|will|can)\b)"
)
_CONTACT = re.compile(
    r"\n[>? ]{0,6}\d{2,6} |@|\d{3}[-. )]{1,2}\d{3}|\b(?:phone|mobile|tel|address|e-?mail)\b", re.IGNORECASE
)


def _beside(text: str, start: int, end: int) -> float:
    points = 0.0
    ahead = _AHEAD.search(text, max(0, start - 32), start)
    if ahead is not None:
        sure, likely = ahead["sure"] or ahead["whose"], ahead["likely"] or ahead["field"]
        points += 4.5 if sure else 3.0 if likely else 1.0
    elif start == 0 or text[start - 1] == "\n":
        points += _heads_a_block(text, end)
    behind = _BEHIND.match(text, end)
    if behind is not None:
        points += 2.0 if behind["likely"] else 0.5
    return points


def _heads_a_block(text: str, end: int) -> float:
    """What it is worth to stand alone on a line, all the more above an address, a number or a mail address."""
    if text[end : end + 1] not in ("", "\n", "\r", ","):
        return 0.0
    return 2.5 if _CONTACT.search(text, end, end + 120) else 1.0


def _is_figure(tokens: list[Token], table: Tables) -> bool:
    names = [plain(token.text) for token in tokens]
    pairs = {f"{names[0]} {names[-1]}", " ".join(names), *map(" ".join, pairwise(names))}
    return not pairs.isdisjoint(table.figures)


_TURNS = re.compile(rf"\w, [{UPPER}]{LETTER}")
_TURNED = re.compile(
    rf"(?<![\w'’-])(?<!, )(?P<family>{_WORD}), (?P<given>{_WORD})(?: [{UPPER}]\.)?"
    rf"(?!['’-]?\w| [{UPPER}]|,? (?:and|or|&)\b|, [{UPPER}])"
)


def _inverted(text: str, found: list[tuple[int, int]], table: Tables) -> list[tuple[int, int]]:
    """The names found, with those whose family name comes first (``Brown, Lisa``), unless they are items of a list."""
    for match in _TURNED.finditer(text):
        family, given = (table.can.get(plain(match[name]), 0) for name in ("family", "given"))
        start, end = match.span()
        told = _AHEAD.search(text, max(0, start - 32), start)
        either = 0 if told is not None and told["slight"] is None else GIVEN | PLACE
        other = any(span[0] < end and start < span[1] and not start <= span[0] < span[1] <= end for span in found)
        if family & FAMILY and not family & either and given & GIVEN and not given & ELSE and not other:
            found = [span for span in found if span[1] <= start or end <= span[0]]
            found.append((start, end))
    return found


_SPOKEN = re.compile(
    r"\b(?:(?:my|his|her|full|maiden|user) name(?: is|'s|:)"
    r"|(?P<label>(?:first|last|given|family|middle) name|surname):)"
    r" (?P<name>[a-z]{2,20}(?: (?:[a-z]\.?|[a-z]{2,20})){0,2})\b(?!@)(?P<end>\s*$)?"
)


def _spoken(text: str, table: Tables) -> Iterator[tuple[int, int]]:
    """Names in small letters after ``my name is``; a value that alone follows ``surname:`` is one, known or not."""
    for match in _SPOKEN.finditer(text):
        end = match.start("name")
        sure = match["label"] is not None and match["end"] is not None
        for word in re.finditer(r"\S+", match["name"]):
            can = table.can.get(plain(word[0]), 0)
            if can & ELSE and not can & NAME and match["label"] is None:
                break
            sure = sure or bool(can & NAME)
            end = match.start("name") + word.end()
        if sure:
            yield match.start("name"), end
