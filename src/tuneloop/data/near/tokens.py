"""Tokens: words, or single characters where a script has no spaces, as 64-bit numbers; many texts at once.

Two spellings of the same text have the same tokens: compatibility forms (full width, ligatures), case, blanks,
punctuation, apostrophes in words and commas in large numbers make no difference, and a small number written out
is the number. Traditional and simplified characters are different tokens.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Words: TypeAlias = NDArray[np.uint64]

PART = "\x1e"
"""Stands between the parts of a text (question and answer); no shingle reaches over it."""
PARTS = 4
"""More parts than this are taken as one with the last."""

NUMBER, NAME, NEGATION, UNSPACED = np.uint64(4), np.uint64(8), np.uint64(16), np.uint64(32)
"""Marks of a token, beside its part in the two lowest bits; the last is of single characters."""
BARE = ~np.uint64(63)
"""Takes part and marks away."""
SAID = ~np.uint64(60)
"""Takes marks away."""

_END = "\0"
_TOP = 0x3FFFF
_GAP, _LETTER, _DIGIT, _ALONE, _SIGN, _DROP, _OPERATOR = range(7)
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # 々 and 〇
    (0x3040, 0x31FF),  # kana, bopomofo
    (0x3400, 0x9FFF),  # Han
    (0xAC00, 0xD7A3),  # Hangul: spaced, but its words change their endings
    (0xF900, 0xFAFF),  # Han
    (0x20000, _TOP),  # Han
)
_SAME_HAN = range(0x2F800, 0x2FA20)  # characters that are others in their compatibility form
_SAME_SIGN = {"’": "'", "‘": "'", "–": "-", "—": "-", "−": "-", "×": "*", "÷": "/"}
_WRITTEN_OUT = {
    "2": "two 二 两 兩", "3": "three 三", "4": "four 四", "5": "five 五", "6": "six 六", "7": "seven 七",
    "8": "eight 八", "9": "nine 九", "10": "ten 十", "11": "eleven", "12": "twelve", "13": "thirteen", "14": "fourteen",
    "15": "fifteen", "16": "sixteen", "17": "seventeen", "18": "eighteen", "19": "nineteen", "20": "twenty",
    "30": "thirty", "40": "forty", "50": "fifty", "60": "sixty", "70": "seventy", "80": "eighty", "90": "ninety",
    "100": "hundred 百", "1000": "thousand 千", "10000": "万 萬", "1000000": "million", "100000000": "亿 億",
}  # fmt: skip
_NEGATIONS = (
    "not no never none neither nor without cannot dont doesnt didnt isnt arent wasnt werent cant couldnt wont wouldnt "
    "shouldnt hasnt havent hadnt except 不 没 沒 勿"
)
_NO_NAMES = "im ive ill id"
_FIRST = np.uint64(0x9E3779B97F4A7C15)
_SECOND = np.uint64(0xBF58476D1CE4E5B9)
_THIRD = np.uint64(0x94D049BB133111EB)


class _Tables(NamedTuple):
    """What is known of each code point.

    Attributes:
        kind: What it is in a text.
        fold: The character it is compared as.
        upper: Whether it is a capital.
        spread: Whether its compatibility form has several characters, or joins with its neighbours.
    """

    kind: NDArray[np.uint8]
    fold: NDArray[np.uint32]
    upper: NDArray[np.bool_]
    spread: NDArray[np.bool_]


class Tokens(NamedTuple):
    """The tokens of a batch of texts.

    Attributes:
        flat: All tokens one after the other; the six lowest bits hold part and marks.
        starts: Where the tokens of each text begin, and the end of the last (``texts + 1``); no text has none.
    """

    flat: Words
    starts: NDArray[np.int64]


def tokens(texts: Sequence[str]) -> Tokens:
    r"""Take texts apart. A pure function of the texts: processes may share the work.

    Args:
        texts: At least one text; parts are separated by :data:`PART`.

    Example:
        >>> one, two = tokens(["It’s ２０００ km!", "its 2,000 km"]).flat.reshape(2, 3)
        >>> bool((one == two).all())
        True
        >>> len(tokens(["用Python写"]).flat)
        3
    """
    sign, kind, capital, starts = _apart(texts)
    flat = _hashes(sign, kind != _GAP, starts) if len(starts) else np.zeros(0, np.uint64)
    ends = np.flatnonzero(sign == ord(_END))
    text_of = np.searchsorted(ends, starts)
    flat, number = _numbers(flat, kind[starts])
    flat |= NUMBER * number
    flat |= NAME * (_names(sign, kind, capital, starts) & ~np.isin(flat & BARE, _known(_NO_NAMES)))
    flat |= UNSPACED * (kind[starts] == _ALONE)
    flat |= NEGATION * np.isin(flat & BARE, _known(_NEGATIONS))
    flat |= _parts(sign, ends, starts, text_of)
    return _filled(texts, flat, np.bincount(text_of, minlength=len(texts)))


def spelled(text: str, begin: int, end: int) -> str:
    """Spell some tokens of a text as they are compared.

    Example:
        >>> spelled("It’s ２０００ km!", 0, 2)
        'its 2000'
    """
    sign, kind, _, starts = _apart([text])
    ends = np.append(starts[1:], len(sign))
    found = ""
    for i in range(begin, min(end, len(starts))):
        token = "".join(chr(sign[j]) for j in range(starts[i], ends[i]) if kind[j] != _GAP)
        found += token if kind[starts[i]] == _ALONE and found and ord(found[-1]) >= _UNSPACED[0][0] else " " + token
    return found.strip()


def shingles(flat: Words, starts: NDArray[np.int64]) -> Words:
    """Two shingles a token: the token itself, and it with the next of its part (itself again where there is none).

    Args:
        flat: Tokens (``n``).
        starts: Where each text begins.

    Returns:
        Shingles (``2 n``) in the order of the tokens, the part in the two lowest bits.
    """
    part = flat & np.uint64(PARTS - 1)
    bare = (flat & BARE) + part * _THIRD
    found = np.empty(2 * len(flat), np.uint64)
    found[0::2] = mixed(bare)
    found[1::2] = found[0::2]
    joined = part[:-1] == part[1:]
    joined[starts[1:-1] - 1] = False
    at = np.flatnonzero(joined)
    found[2 * at + 1] = mixed(bare[at] * _FIRST + bare[at + 1])
    return (found & ~np.uint64(PARTS - 1)) | np.repeat(part, 2)


def mixed(values: Words) -> Words:
    """Spread values over all 64 bits (the finisher of SplitMix64, Steele et al. 2014)."""
    values = values ^ (values >> np.uint64(30))
    values *= _SECOND  # in place, since room for so many values is dear
    values ^= values >> np.uint64(27)
    values *= _THIRD
    values ^= values >> np.uint64(31)
    return values


def _apart(
    texts: Sequence[str],
) -> tuple[NDArray[np.uint32], NDArray[np.uint8], NDArray[np.bool_], NDArray[np.int64]]:
    """The characters of texts, folded; their kinds; which were capitals; and where tokens begin."""
    kind_of, fold, upper, _ = _tables()
    raw = _characters(texts)
    place = np.minimum(raw, _TOP)
    sign, kind, capital = fold[place], kind_of[place], upper[place]
    _settle(sign, kind)
    if (kind == _DROP).any():
        keep = kind != _DROP
        sign, kind, capital = sign[keep], kind[keep], capital[keep]
    word = (kind == _LETTER) | (kind == _DIGIT)
    first = kind != _GAP
    first[1:] &= ~(word[1:] & word[:-1])
    return sign, kind, capital, np.flatnonzero(first)


def _characters(texts: Sequence[str]) -> NDArray[np.uint32]:
    """The code points of all texts in their compatibility form, each text closed by a zero."""
    if any(_END in text for text in texts):
        texts = [text.replace(_END, " ") for text in texts]
    codes = _codes(texts)
    spread = np.flatnonzero(_tables().spread[np.minimum(codes, _TOP)])
    if len(spread):
        # Normalizing is slow, and a table does it for all but a few characters.
        ends = np.flatnonzero(codes == ord(_END))
        texts = list(texts)
        for i in np.unique(np.searchsorted(ends, spread)).tolist():
            texts[i] = unicodedata.normalize("NFKC", texts[i])
        codes = _codes(texts)
    return codes


def _codes(texts: Sequence[str]) -> NDArray[np.uint32]:
    joined = _END.join(texts) + _END
    return np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))


@cache
def _tables() -> _Tables:
    kind = np.full(_TOP + 1, _GAP, np.uint8)
    fold = np.arange(_TOP + 1, dtype=np.uint32)
    upper, spread = np.zeros(_TOP + 1, np.bool_), np.zeros(_TOP + 1, np.bool_)
    compatible: list[tuple[int, int]] = []
    for code in (*range(_UNSPACED[-1][0]), *_SAME_HAN):
        sign = chr(code)
        category = unicodedata.category(sign)
        if category in _NOTHING:
            continue
        kind[code] = _KINDS.get(category, _KINDS.get(category[0], _GAP))
        upper[code] = category == "Lu"
        lower = sign.casefold()
        if len(lower) == 1:
            fold[code] = ord(lower)
        plain = unicodedata.normalize("NFKC", sign)
        if len(plain) > 1 or unicodedata.category(plain)[0] == "M" or 0x1100 <= code <= 0x11FF:
            spread[code] = sign != "…"
        elif plain != sign:
            compatible.append((code, ord(plain)))
    for low, high in _UNSPACED:
        kind[low : high + 1] = _ALONE
    for sign in "+-*/^%=<>":
        kind[ord(sign)] = _OPERATOR
    for sign, same in _SAME_SIGN.items():
        fold[ord(sign)], kind[ord(sign)] = ord(same), kind[ord(same)]
    for code, same_code in compatible:
        kind[code], fold[code], upper[code] = kind[same_code], fold[same_code], upper[same_code]
    return _Tables(kind, fold, upper, spread)


_NOTHING = ("Cn", "Co", "Cs")  # not assigned, of private use, surrogates
_KINDS = {"L": _LETTER, "M": _LETTER, "N": _DIGIT, "So": _SIGN, "Sc": _SIGN, "Sm": _SIGN, "Cf": _DROP}


def _settle(sign: NDArray[np.uint32], kind: NDArray[np.uint8]) -> None:
    """Decide, in place, what apostrophes, commas, points and operators are where they stand."""

    def at(mark: str) -> NDArray[np.int64]:
        found = np.flatnonzero(sign == ord(mark))
        return found[(found > 0) & (found < len(sign) - 1)]

    inside = at("'")
    kind[inside[(kind[inside - 1] == _LETTER) & (kind[inside + 1] == _LETTER)]] = _DROP
    comma = at(",")
    comma = comma[(comma < len(sign) - 4) & (kind[comma - 1] == _DIGIT)]
    large = (kind[comma + 1] == _DIGIT) & (kind[comma + 2] == _DIGIT) & (kind[comma + 3] == _DIGIT)
    comma = comma[large]
    kind[comma[kind[comma + 4] != _DIGIT]] = _DROP
    point = at(".")
    kind[point[(kind[point - 1] == _DIGIT) & (kind[point + 1] == _DIGIT)]] = _DIGIT
    operator = np.flatnonzero(kind == _OPERATOR)
    inner = operator[operator > 0]  # behind the last character stands the text's end
    before = np.where(sign[inner - 1] == ord(" "), np.maximum(inner - 2, 0), inner - 1)
    after = np.where(sign[inner + 1] == ord(" "), np.minimum(inner + 2, len(sign) - 1), inner + 1)
    counts = ((kind[before] == _DIGIT) | (sign[before] == ord(")"))) & (
        (kind[after] == _DIGIT) | (sign[after] == ord("("))
    )
    kind[operator] = _GAP
    kind[inner[counts]] = _SIGN


def _hashes(sign: NDArray[np.uint32], inside: NDArray[np.bool_], starts: NDArray[np.int64]) -> Words:
    """Hash each token from its characters and their places in it, the six lowest bits zero."""
    length = np.diff(np.append(starts, len(sign)))
    place = np.arange(starts[0], len(sign)) - np.repeat(starts, length)
    letters = sign[starts[0] :].astype(np.uint64) * inside[starts[0] :]
    value = mixed(letters + (place.astype(np.uint64) << np.uint64(32))) * (letters > 0)
    return mixed(np.add.reduceat(value, starts - starts[0])) & BARE


def _numbers(flat: Words, kind: NDArray[np.uint8]) -> tuple[Words, NDArray[np.bool_]]:
    """Numbers written out become numbers; which tokens are numbers, or operators between them."""
    written, meant = _written_out()
    at = np.minimum(np.searchsorted(written, flat), len(written) - 1)
    is_written = written[at] == flat
    return np.where(is_written, meant[at], flat), is_written | (kind == _DIGIT) | (kind == _SIGN)


@cache
def _written_out() -> tuple[Words, Words]:
    pairs = sorted((word, number) for number, words in _values().items() for word in words)
    return np.array([word for word, _ in pairs], np.uint64), np.array([number for _, number in pairs], np.uint64)


def _values() -> dict[int, list[int]]:
    return {int(_known(number)[0]): [int(word) for word in _known(words)] for number, words in _WRITTEN_OUT.items()}


@cache
def _known(words: str) -> Words:
    """The tokens of words separated by spaces."""
    signs = [np.array([ord(sign) for sign in word], np.uint32) for word in words.split()]
    found = [_hashes(sign, np.ones(len(sign), np.bool_), np.zeros(1, np.int64))[0] for sign in signs]
    return np.array(found, np.uint64)


def _names(
    sign: NDArray[np.uint32], kind: NDArray[np.uint8], capital: NDArray[np.bool_], starts: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which tokens are capitalised within a sentence: behind a small letter or comma, and a blank."""
    back, two, ahead = np.maximum(starts - 1, 0), np.maximum(starts - 2, 0), np.minimum(starts + 1, len(sign) - 1)
    small = (kind == _LETTER) & ~capital
    follows = (sign[back] == ord(" ")) & (small[two] | (sign[two] == ord(",")))
    return np.asarray(capital[starts] & small[ahead] & follows & (starts > 1))


def _parts(
    sign: NDArray[np.uint32], ends: NDArray[np.int64], starts: NDArray[np.int64], text_of: NDArray[np.int64]
) -> Words:
    """The part of its text that each token stands in."""
    marks = np.flatnonzero(sign == ord(PART))
    if not len(marks):
        return np.zeros(len(starts), np.uint64)
    begin = np.concatenate([[0], ends[:-1]])
    number = np.searchsorted(marks, starts) - np.searchsorted(marks, begin)[text_of]
    return np.asarray(np.minimum(number, PARTS - 1), np.uint64)


def _filled(texts: Sequence[str], flat: Words, count: NDArray[np.int64]) -> Tokens:
    """Texts without any word, such as ``?!``, get one token of all their signs, so that only equals are alike."""
    empty = np.flatnonzero(count == 0)
    if len(empty):
        plain = (unicodedata.normalize("NFKC", texts[i]) for i in empty.tolist())
        whole = ["".join(text.split()).encode("utf-8", "surrogatepass") for text in plain]
        made = [int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") for text in whole]
        flat = np.insert(flat, np.cumsum(count)[empty], np.array(made, np.uint64) & BARE)
        count[empty] = 1
    return Tokens(flat, np.concatenate([[0], np.cumsum(count)]))
