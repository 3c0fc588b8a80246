"""Languages: which one a text is in, by its script first, then by what its words look like; or none at all."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from tuneloop.data.passages import prose
from tuneloop.data.script import letters

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

LOOKED_AT = 500
"""Characters of a text that decide; what follows says the same."""

_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+\.\w+|<[^<>\n]*>")
_ADDRESS_SIGNS = ("@", "<", "://", "www.")  # no address is without one of them, and most texts are
_SINGLE = {
    "hangul": "ko",
    "greek": "el",
    "hebrew": "he",
    "bengali": "bn",
    "thai": "th",
    "armenian": "hy",
    "georgian": "ka",
}
# The languages told apart within a script: those with many readers. Rare ones would only take short texts from them.
_SEVERAL = {
    "latin": frozenset(
        [
            *("en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "no", "pl", "cs", "sk", "hu"),
            *("ro", "hr", "sl", "fi", "et", "lv", "lt", "tr", "id", "vi", "ca", "sq", "sw", "tl"),
        ]
    ),
    "cyrillic": frozenset(["ru", "uk", "bg", "be", "sr", "mk", "kk"]),
    "arabic": frozenset(["ar", "fa", "ur"]),
    "devanagari": frozenset(["hi", "mr", "ne"]),
}
CODES = frozenset(["zh", "ja", *_SINGLE.values(), *(code for codes in _SEVERAL.values() for code in codes)])
"""The languages that are told apart, by ISO 639-1 code."""
NAMES = dict(
    [
        *(("english", "en"), ("chinese", "zh"), ("japanese", "ja"), ("korean", "ko"), ("german", "de")),
        *(("french", "fr"), ("spanish", "es"), ("italian", "it"), ("portuguese", "pt"), ("russian", "ru")),
        *(("arabic", "ar"), ("hindi", "hi"), ("中文", "zh"), ("汉语", "zh"), ("英文", "en")),
        *(("英语", "en"), ("日语", "ja"), ("deutsch", "de"), ("français", "fr"), ("zh-cn", "zh")),
        *(("zh-tw", "zh"), ("cn", "zh"), ("jp", "ja"), ("kr", "ko")),
    ]
)
"""What people write instead of a code."""
# How many letters of Latin a letter of a script outweighs.
_WEIGHTS = {"east": 8, "hangul": 3}
_EAST = ("han", "kana", "bopomofo")
_LONG = re.compile("[A-Za-z]{2}")
_WORD = re.compile("[a-z']+")
# Frequent words that no other language spelled in Latin letters has.
_ENGLISH = frozenset(
    [
        *("the", "of", "and", "that", "you", "with", "are", "this", "what", "how", "your", "have", "from"),
        *("which", "would", "when", "where", "there", "their", "my", "it", "be", "can", "by", "not", "or"),
        *("they", "should", "could", "does", "i'm", "it's", "don't", "been", "were", "who", "why", "these", "those"),
        *("about", "into", "than", "then", "its"),
    ]
)
# Characters that only one of the two ways to write Chinese has, among the most frequent ones.
_SIMPLIFIED = frozenset(
    "这个们来时说国为会对没过还后话么样经现发问开见长动点让给实门进觉车应该关东机书边钱电听气军员业头爱谢难读写请马鱼鸟飞龙语认识课学习买卖单双张亲吗饭号总从热"
)
_TRADITIONAL = frozenset(
    "這個們來時說國為會對沒過還後話麼樣經現發問開見長動點讓給實門進覺車應該關東機書邊錢電聽氣軍員業頭愛謝難讀寫請馬魚鳥飛龍語認識課學習買賣單雙張親嗎飯號總從熱"
)


def weigh(text: str) -> dict[str, float]:
    """How likely each language is that most of a text may be in, likeliest first; the shares add up to 1.

    The script that carries most decides first; a Chinese character counts as much as eight letters, since
    Chinese quotes names and commands in Latin letters more often than the other way round. Code, addresses and
    tags are passed over. Chinese characters with kana are Japanese; without any they cannot be told from Chinese.

    Returns:
        Shares by ISO 639-1 code; nothing for what is in no language: numbers, code, addresses, signs.

    Example:
        >>> weigh("送餐快，好吃"), weigh("用 Python 写程序"), weigh("91-33=")
        ({'zh': 1.0}, {'zh': 1.0}, {})
    """
    said = prose(text[:LOOKED_AT])
    if any(sign in said for sign in _ADDRESS_SIGNS):
        said = _ADDRESS.sub(" ", said)
    found = letters(said)
    if not found or (said.isascii() and not _LONG.search(said)):
        return {}
    east = found["han"] + found["kana"] + found["bopomofo"]
    heard = {script: _WEIGHTS.get(script, 1) * count for script, count in found.items() if script not in _EAST}
    heard["east"] = _WEIGHTS["east"] * east
    script = max(heard, key=heard.__getitem__)
    if script == "east":
        return {"ja" if found["kana"] * 10 > east else "zh": 1.0}
    return _by_words(said, script) if script in _SEVERAL else {_SINGLE.get(script, script): 1.0}


def language(text: str) -> str:
    """The language that a text is most likely in; empty for none.

    Example:
        >>> language("Where is my card?"), language("Où est ma carte, s'il vous plaît ?"), language("x = 1; y = 2")
        ('en', 'fr', '')
    """
    return next(iter(weigh(text)), "")


def _by_words(text: str, script: str) -> dict[str, float]:
    """The languages of a script by how likely they are."""
    text = text.lower()
    if script == "latin":
        words = _WORD.findall(text)
        hits = sum(map(_ENGLISH.__contains__, words))
        if (hits > 2 and hits * 8 >= len(words)) or (hits == 2 and len(words) <= 10):
            return {"en": 1.0}
    wanted = _SEVERAL[script]
    ranked = {code: share for code, share in _identifier().rank(text) if code in wanted}
    total = sum(ranked.values())
    return {code: share / total for code, share in ranked.items()} if total else {}


@cache
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages({code for group in _SEVERAL.values() for code in group})
    return identifier


def chinese_form(text: str) -> str:
    """How Chinese is written: ``simplified``, ``traditional``, ``mixed``, or ``either`` where nothing tells.

    Example:
        >>> chinese_form("这个"), chinese_form("這個"), chinese_form("好吃")
        ('simplified', 'traditional', 'either')
    """
    simplified = sum(sign in _SIMPLIFIED for sign in text)
    traditional = sum(sign in _TRADITIONAL for sign in text)
    if not simplified and not traditional:
        return "either"
    if min(simplified, traditional) * 5 > max(simplified, traditional):
        return "mixed"
    return "simplified" if simplified > traditional else "traditional"
