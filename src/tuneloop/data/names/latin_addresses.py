"""Postal addresses in text of Latin letters: a street with a house number, or a box, and what belongs to it behind."""

from __future__ import annotations

import re

from tuneloop.data.names.english import BODY, LETTER, NAME, OTHER, PLACE, UNSURE, UPPER, plain, tables

_NUMBER = r"\d{1,6}[A-Za-z]?(?:[-/]\d{1,4}[A-Za-z]?)?"
_WORD = rf"[{UPPER}](?:{LETTER}|['’.-](?={LETTER}))*\.?"
_SMALL = (
    "(?:de|del|della|delle|dei|di|da|do|dos|das|du|des|la|le|les|las|los|van|von|der|den|het|of|the|y|e|à|zum|zur"
    "|am|an|im|na|ter|ten|sur)"
)
_WORDS = rf"(?:{_WORD}|\d{{1,3}}(?:st|nd|rd|th))(?: (?:{_SMALL} ){{0,2}}(?:{_WORD}|\d{{1,3}}(?:st|nd|rd|th)))"
_TYPE = (
    r"(?i:street|str|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|place|pl|square|sq|terrace|ter|way|parkway|pkwy"
    r"|highway|hwy|circle|cir|crescent|cres|close|grove|gardens|mews|row|walk|hill|trail|trl|alley|loop|plaza|turnpike|freeway|expressway"
    r"|route|pike|heights|point|ridge|cove|harbor|landing|crossing|green|quay|wharf|parade|esplanade|broadway)\b\.?"
)
_FRONT = (
    r"(?i:rua|rúa|via|viale|vicolo|corso|piazza|largo|strada|calle|c/|avenida|avda|av|avenue|rue|allée|chemin|impasse|quai|cours|place|boulevard"
    r"|bd|paseo|camino|carrera|cra|carretera|plaza|praça|travessa|estrada|rambla|ulica|ul|al|aleja|jalan|jl|nám|náměstí|trg|str|route|camí)\b\.?"
)
_TAIL_OF_WORD = (
    r"(?:strasse|straße|str\.|gasse|weg|platz|allee|ring|damm|ufer|gatan|gata|vägen|väg|vej|vænget|gade|veien|vegen|gate|stien|katu|tie|kuja|polku"
    r"|laan|straat|plein|kade|dreef|gracht|steeg|singel|stræde|braut|stræti|backen|gränd|torg)"
)
_UNIT = (
    r"(?i:apt|apartment|suite|ste|unit|flat|floor|fl|room|rm|bldg|building|house|block|tower|lot|box|piso|etage|no)"
    r"\.?[ #]{0,2}(?:[A-Za-z]?\d[\w-]{0,5}|[A-Z])\b|#\s?\d[\w-]{0,5}|\d{1,2}(?:st|nd|rd|th) (?i:floor)"
)
_KIND_BEHIND = (
    r"(?:[Uu]tca|[Úú]t|[Tt]ér|útja|u\.|[Kk]atu|[Ss]tr\.|[Ss]traße|[Ss]trasse|[Gg]ade|[Ww]eg|[Tt]errasse|[Vv]ej|[Tt]ie)"
)
_HEAD = re.compile(
    rf"(?<![\w.,#/$€£-])(?:(?:{_UNIT}),? )?(?:"
    rf"(?P<box>(?:{_NUMBER} )?\b(?i:p\.? ?o\.? ?box|post office box|postfach|gpo box|apartado|boîte postale) \d{{1,6}}"
    rf"|\b(?:PSC|CMR|Unit) \d{{2,5}},? Box \d{{1,6}}|\bUS(?:S|NS|NV|CGC) [{UPPER}]{LETTER}+(?=\s*\n? ?[FAD]PO\b))"
    rf"|(?P<typed>(?:{_NUMBER},? ){{1,2}}(?:[NSEW]{{1,2}}\.? )?(?:{_WORDS}{{0,4}} {_TYPE}|Broadway\b)"
    rf"(?: [NSEW]{{1,2}}\b)?)"
    rf"|(?P<fronted>(?:{_NUMBER},? ){{0,2}}{_FRONT} (?:{_SMALL} ){{0,2}}{_WORDS}{{0,4}},? (?:n[º°o.]{{1,2}} ?)?"
    rf"(?!\d{{5}} [{UPPER}]){_NUMBER}\b|(?:{_NUMBER},? ){{1,2}}{_FRONT} (?:{_SMALL} ){{0,2}}{_WORDS}{{0,4}})"
    rf"|(?P<compound>(?:{_NUMBER},? )?(?:{_WORD} ){{0,2}}"
    rf"(?:[{UPPER}]{LETTER}{{0,40}}{_TAIL_OF_WORD}|{_WORD} {_KIND_BEHIND}) {_NUMBER}\b)"
    rf"|(?P<bare>{_NUMBER},? {_WORDS}{{0,4}}(?: {_NUMBER}\b)?)"
    r")"
)
_JOIN = r"(?:,? |,?[ \t]*\r?\n[>?\s]{0,8},? ?)"
_CITY = rf"{_WORD}(?:[ -](?:(?:{_SMALL}|u|nad|upon|on|in|sur|sous) )?{_WORD}){{0,3}}(?: \([A-Z][a-z]+\))?"
_CODE = (
    r"(?:[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d|[A-Z]{1,2}-\d{4,6}|\d{4,6}(?:-\d{3,4})?|\d{3} \d{2})"
    r"\b(?! ?[/%°])"
)
_GOES_ON = r"(?=[,.;:?!\n)\"]|$| \d{4,6}\b| [A-Z]{2}\b| [A-Z]{1,2}\d| (?:and|if|in|after|for|to|the|before|with|on)\b)"
_STATE = r"(?:[FAD]PO )?[A-Z]{2,3},?[ \n]{1,2}\d{3,6}(?:-\d{4})?\b"
_PART = re.compile(
    rf"(?:(?P<state>{_JOIN}{_STATE})"
    rf"|(?P<unit>{_JOIN}(?:{_UNIT}))"
    rf"|(?P<zip_city>{_JOIN}\d{{4,6}} {_CITY})"
    rf"|(?P<code>{_JOIN}{_CODE})"
    rf"|(?P<city>(?:,? ?\n[>?\s]{{0,8}},? ?|, ?|(?<=\d) |(?<=[a-z]\.) ){_CITY}{_GOES_ON})"
    rf"|(?P<short>{_JOIN}[A-Z]{{2}}\b))"
)
_CODE_PART = re.compile(_JOIN + _CODE)
_HINT = re.compile(
    rf"\d[A-Za-z]?,? (?:\d{{1,6}} )?(?:[{UPPER}]|\d{{1,3}}(?:st|nd|rd|th) [{UPPER}]"
    rf"|(?:r[uú]a|rue|via|calle|avenue|avenida|av|ul)\b)"
    rf"|(?<!\w)[{UPPER}]{LETTER}{{1,40}}\.?,? (?:n[º°o]\.? ?)?\d"
)
_LABEL = re.compile(
    r"(?:\baddress(?:es)?(?: is| to|:| line|,)?(?: \w+)?[\"']?[:=]?[\"']?|\bliv(?:e|es|ed|ing) (?:at|on|in)"
    r"|\breside[sd]? (?:at|in)"
    r"|\b(?:located|based) at|\bsen[dt] (?:\w+ ){0,3}to|\bship(?:ped)? to|\bdeliver(?:ed|y)? (?:\w+ ){0,3}to"
    r"|\breturn to|\bmoved to|\bmeet (?:you |me |us )?at|\bit is|\bhome:|\bwith|\bat)\s{0,3}$",
    re.IGNORECASE,
)
_WEAK = re.compile(
    "(?i:court|place|square|point|green|route|loop|row|hill|walk|close|way|park|trail|heights|cove|landing|ridge|broadway)"
)
_SHORT = re.compile(r"(?i:\b(?:st|ave|rd|ln|dr|blvd|ct|pl|sq|ter|pkwy|hwy|cir|cres|trl|str|u))\.$")
_ORDINAL = re.compile(r" \d{1,3}(?:st|nd|rd|th) ")
_IN_STATE = re.compile(rf"{_JOIN}{_STATE}")
_STRONG = frozenset(("unit", "state", "code", "zip_city"))


def addresses(text: str) -> list[tuple[int, int, bool]]:
    """Find postal addresses with at least a street and a number, or a box.

    Args:
        text: Any text; only Latin letters and digits are looked at.

    Returns:
        Start, end, and whether form alone speaks for it (a street's word, a box), in order.
    """
    found = []
    place = 0
    while (hint := _HINT.search(text, place)) is not None:
        head = _HEAD.search(text, max(place, hint.start() - 60), hint.end() + 60)
        if head is None:
            place = hint.end() - 1
            continue
        kind = str(head.lastgroup)
        end, parts = _extended(text, head.end())
        place = head.end()
        if _is_address(text, head, kind, parts):
            if text[end - 1] == "." and not _SHORT.search(text, head.start(), end):
                end -= 1
            found.append((head.start(), end, kind != "bare"))
            place = max(place, end)
        elif kind == "bare":
            place = head.start() + len(head[0].split()[0])
    return found


def _is_address(text: str, head: re.Match[str], kind: str, parts: list[str]) -> bool:
    """Whether what looks like one is one: by words that mean nothing else, by a unit or code behind, or by a label."""
    labelled = _LABEL.search(text, max(0, head.start() - 40), head.start()) is not None
    strong = labelled or not _STRONG.isdisjoint(parts)
    names = [word for word in head[0].split() if word[0].isalpha()]
    if kind == "typed":
        weak = not parts and _WEAK.fullmatch(names[-1]) is not None
        ordinal = _ORDINAL.search(head[0]) is not None
        return strong or (not weak and (ordinal or not all(_is_common(name) for name in names[:-1] or names)))
    if kind == "compound":
        return strong or not _is_common(names[-1])
    if kind == "bare":
        numbered = head[0][-1].isdigit()
        alone = text[: head.start()].rstrip(" >?").endswith("\n")
        if "unit" in parts or ("city" in parts and "state" in parts):
            return numbered or len(parts) > 1
        return numbered and bool(parts) and (labelled or alone)
    return True


def _extended(text: str, end: int) -> tuple[int, list[str]]:
    """Where the address ends with unit, city, state, code and country behind, and which of them there are."""
    parts: list[str] = []
    while len(parts) < 7 and (part := _PART.match(text, end)) is not None:
        kind = str(part.lastgroup)
        if kind == "city" and (
            parts.count("city") > 2 or (_has_common(part[0]) and not _IN_STATE.match(text, part.end()))
        ):
            break
        if kind == "zip_city" and _has_common(part[0].strip(" ,\n>?0123456789")):
            kind, part = "code", _CODE_PART.match(text, end)
            if part is None:
                break
        if kind in ("state", "code") and not {"state", "code"}.isdisjoint(parts):
            break
        parts.append(kind)
        end = part.end()
    return end, parts


def _has_common(part: str) -> bool:
    """Whether the first or the last word of a part is an ordinary one."""
    words = part.strip(" ,\n>?").split()
    return _is_common(words[0]) or _is_common(words[-1])


def _is_common(word: str) -> bool:
    """Whether a word is an ordinary one, and no name of anybody or of a place."""
    can = tables().can.get(plain(word.strip(",.")), 0)
    return bool(can & OTHER and (not can & NAME or can & UNSURE) and not can & (PLACE | BODY))
