"""A thesaurus: words that may stand for a word of a text, in its form and its case; English and Chinese."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from tuneloop.data.names import words
from tuneloop.data.script import HAN
from tuneloop.data.varying.forms import IRREGULAR, inflected, readings
from tuneloop.data.varying.protected import NEGATION
from tuneloop.data.varying.wordnet import WordNet
from tuneloop.data.varying.words import Piece
from tuneloop.errors import DataError

TABLE = "varying.txt"
STOP = words(TABLE, "english")
"""English words that carry no meaning of their own, or too many: never replaced, never put in."""
ZH_STOP = words(TABLE, "chinese")
"""Chinese words of that kind."""
_BEFORE_NOUN = words(TABLE, "before_noun")
_BEFORE_VERB = words(TABLE, "before_verb")
_BEFORE_PAST = words(TABLE, "before_past")
_AN = re.compile("[aeiou](?!ni[vqtc]|se|ne|u)|hou?r|hon[eo]|heir")
_CODE = re.compile(r"[A-Z][a-z][0-9]{2}[A-Z][0-9]{2}([=#@])\s*")


class Thesaurus:
    """Words that may stand for others.

    Args:
        english: Synonyms of English words, if there are any.
        chinese: Synonyms of Chinese words.
    """

    def __init__(self, english: WordNet | None, chinese: dict[str, tuple[str, ...]]) -> None:
        self._english, self._chinese = english, chinese

    def of(self, pieces: Sequence[Piece], at: int) -> tuple[str, ...]:
        """What may stand for the word at a place, in small letters but in its form; nothing for words of grammar.

        A word that can be several parts of speech is replaced only if the words beside it tell which.

        Args:
            pieces: The text.
            at: Number of the word.
        """
        word = pieces[at].text
        if pieces[at].han:
            return () if word in ZH_STOP else self._chinese.get(word, ())
        small = word.lower().replace("’", "'")
        if self._english is None or len(small) < 3 or small in STOP or small in IRREGULAR or not small.isalpha():
            return ()
        before, after = _beside(pieces, at, -1), _beside(pieces, at, 1)
        reading = _reading(small, before, after, self._english)
        if reading is None:
            return ()
        base, pos, form = reading
        found = (inflected(other, pos, form) for other in self._english.synonyms(base, pos))
        article = before in ("a", "an")
        return tuple(
            other
            for other in dict.fromkeys(found)
            if len(other) > 2
            and other not in STOP
            and other != small
            and not NEGATION.fullmatch(other)
            and not (pos == "v" and after == "to")  # need to, want to: what follows belongs to the verb
            and not (article and bool(_AN.match(other)) != bool(_AN.match(small)))
        )


def _reading(word: str, before: str, after: str, english: WordNet) -> tuple[str, str, str] | None:
    """The one way to read a word that its neighbours leave: dictionary form, part of speech, form."""
    allowed = set("nvar")
    if before in _BEFORE_NOUN:
        allowed = {"n", "a"} if after in STOP or not after else {"a", "n", "r"}
    elif before in _BEFORE_PAST:
        allowed = {"v", "a", "r"} if word.endswith(("ed", "ing")) else {"a", "n", "r"}
    elif before in _BEFORE_VERB:
        allowed = {"v", "r"}
    possible = [each for each in readings(word) if each[1] in allowed and each[1] in english.parts_of_speech(each[0])]
    return possible[0] if len({(base, pos) for base, pos, _ in possible}) == 1 else None


def _beside(pieces: Sequence[Piece], at: int, step: int) -> str:
    """The word before or behind, in small letters; empty where a sign or the end of the text stands there."""
    near = at + step
    if 0 <= near < len(pieces) and not pieces[near].word:
        if pieces[near].text.strip(" "):
            return ""
        near += step
    return pieces[near].text.lower().replace("’", "'") if 0 <= near < len(pieces) else ""


def open_lexicon(path: Path) -> dict[str, tuple[str, ...]]:
    """Read Chinese synonyms: a line is a group of words that mean the same, with blanks or commas between them.

    Cilin's lines (``Aa01A01= 人 士 人物``) are read too: of them only those with ``=``, since ``#`` marks words that
    are only of a kind, and ``@`` a word alone. A word of several groups has several senses and is left out.

    Raises:
        DataError: There is no such file, or no group in it.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"there is no lexicon: {error.strerror}", where=str(path), fix=_LEXICON) from error
    return _lexicon(path, status.st_mtime_ns, status.st_size)


_LEXICON = "name a text file, one group of synonyms a line (快 迅速 飞快), in data.augment.synonyms.lexicon"


@lru_cache(maxsize=2)
def _lexicon(path: Path, _changed: int, _size: int) -> dict[str, tuple[str, ...]]:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("gb18030", "replace")
    groups: list[list[str]] = []
    for line in text.splitlines():
        code = _CODE.match(line)
        if line.startswith("#") or (code and code[1] != "="):
            continue
        group = [word for word in re.split(r"[\s,，、;；]+", line[code.end() if code else 0 :]) if HAN.match(word)]
        if len(group) > 1:
            groups.append(list(dict.fromkeys(group)))
    places: dict[str, list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        for word in group:
            places[word].append(number)
    if not places:
        raise DataError("there is no group of Chinese words in it", where=str(path), fix=_LEXICON)
    alone = {word: numbers[0] for word, numbers in places.items() if len(numbers) == 1}
    found = {
        word: tuple(
            other for other in groups[number] if other != word and other in alone and not NEGATION.search(other)
        )
        for word, number in alone.items()
    }
    return {word: others for word, others in found.items() if others}
