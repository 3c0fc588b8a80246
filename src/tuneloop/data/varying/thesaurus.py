"""A thesaurus: words that may stand for a word of a text, in its form and its case; English and Chinese."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from tuneloop.data.script import HAN
from tuneloop.data.varying.forms import IRREGULAR, inflected, readings
from tuneloop.data.varying.protected import NEGATION
from tuneloop.data.varying.wordnet import WordNet
from tuneloop.data.varying.words import Piece
from tuneloop.errors import DataError

STOP = frozenset(
    (
        "a an the this that these those my your his her its our their mine yours hers ours theirs i you he she it we they "
        "me him us them myself yourself himself herself itself ourselves themselves who whom whose which what when where "
        "why how and or but if then else because as until while of at by for with about against between into through "
        "during before after above below to from up down in out on off over under again further once here there all any "
        "both each few more most other some such only own same so than too very can will just should now do does did "
        "doing done have has had having be is am are was were been being would could may might must shall ought let lets "
        "get got gets getting go goes going went gone make makes made making take takes took taken put also even still "
        "yet ever much many lot lots way please thanks thank yes ok okay hi hello hey sir dear well like one ones thing "
        "things people another every since though although however per via upon within without along across around "
        "toward towards onto despite versus except amid among behind beside besides beyond concerning regarding oh am pm mr mrs ms dr etc vs re im ive ill id youre dont u ur r n"
    ).split()
)
"""English words that carry no meaning of their own, or too many: never replaced, never put in."""
ZH_STOP = frozenset(
    "的 地 得 了 着 过 是 在 和 与 及 也 都 就 还 很 太 吗 呢 吧 啊 呀 嘛 啦 哦 我 你 您 他 她 它 我们 你们 他们 她们 它们 这 那 这个 那个 这些 "
    "那些 这样 那样 哪 谁 什么 怎么 怎样 多少 为什么 有 要 会 能 可以 应该 给 把 被 让 对 从 到 为 跟 比 之 其 而 但 但是 因为 所以 如果 虽然 或 或者 "
    "以及 并 并且 又 再 才 只 已 已经 将 上 下 里 中 来 去 说 请 好 大 小 多 少 人 个 们 等".split()
)
_BEFORE_NOUN = frozenset("a an the this that these those my your his her its our their some any every each another".split())
_BEFORE_VERB = frozenset(
    "to i you we they he she it who will would can could should may might must shall please dont don't didn't doesn't "
    "won't can't couldn't wouldn't let's do does did".split()
)
_BEFORE_PAST = frozenset("have has had having was were been be is are am being got get i've i'm it's".split())
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
    possible = [
        each for each in readings(word) if each[1] in allowed and each[1] in english.parts_of_speech(each[0])
    ]
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
        words = [word for word in re.split(r"[\s,，、;；]+", line[code.end() if code else 0 :]) if HAN.match(word)]
        if len(words) > 1:
            groups.append(list(dict.fromkeys(words)))
    places: dict[str, list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        for word in group:
            places[word].append(number)
    if not places:
        raise DataError("there is no group of Chinese words in it", where=str(path), fix=_LEXICON)
    alone = {word: numbers[0] for word, numbers in places.items() if len(numbers) == 1}
    found = {
        word: tuple(other for other in groups[number] if other != word and other in alone and not NEGATION.search(other))
        for word, number in alone.items()
    }
    return {word: others for word, others in found.items() if others}
