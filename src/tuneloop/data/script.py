"""Scripts: which writing system a character belongs to, and the runs of one script in a text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

_LETTERS = {
    "latin": r"A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u1d00-\u1d25\u1e00-\u1eff\u2c60-\u2c7f"
    r"\ua722-\ua787\ua78b-\ua7ca\ufb00-\ufb06\uff21-\uff3a\uff41-\uff5a",
    "han": r"\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af",
    "kana": r"\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9d",
    "hangul": r"\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb",
    "bopomofo": r"\u3105-\u312f\u31a0-\u31bf",
    "cyrillic": r"\u0400-\u0481\u048a-\u052f\u1c80-\u1c88\ua640-\ua66e\ua680-\ua69d",
    "greek": r"\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u03ff\u1f00-\u1ffc",
    "arabic": r"\u0620-\u064a\u066e-\u06d3\u06d5\u06ee\u06ef\u06fa-\u06ff\u0750-\u077f\u0870-\u088e\u08a0-\u08c9"
    r"\ufb50-\ufdfb\ufe70-\ufefc",
    "hebrew": r"\u05d0-\u05ea\u05ef-\u05f2\ufb1d-\ufb4f",
    "devanagari": r"\u0904-\u0939\u093d\u0950\u0958-\u0961\u0972-\u097f",
    "bengali": r"\u0985-\u09b9\u09dc-\u09e1\u09f0\u09f1",
    "thai": r"\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46",
    "armenian": r"\u0531-\u0556\u0561-\u0587",
    "georgian": r"\u10a0-\u10ff\u1c90-\u1cbf\u2d00-\u2d2d",
}
_RUN = re.compile("|".join(f"(?P<{name}>[{signs}]+)" for name, signs in _LETTERS.items()) + r"|(?P<other>[^\W\d_])")
_ASCII = re.compile("[\x00-\x7f]+")
_NO_LETTERS = bytes(code for code in range(256) if code > 127 or not chr(code).isalpha())
_UNSPACED = re.compile(f"[{_LETTERS['han']}{_LETTERS['kana']}{_LETTERS['bopomofo']}{_LETTERS['thai']}]")
_UNIT = re.compile(
    f"{_UNSPACED.pattern}|(?:(?!{_UNSPACED.pattern})[^\\W_])+(?:['’](?:(?!{_UNSPACED.pattern})[^\\W_])+)*"
)

HAN = re.compile(f"[{_LETTERS['han']}]")
"""One Chinese character, as the Chinese, Japanese and old Korean write them."""


def runs(text: str) -> Iterator[tuple[str, str]]:
    """Cut the letters of a text into runs of one script; digits, signs and blanks end a run and are left out.

    Yields:
        The script's name (``latin``, ``han``, ``kana`` …, ``other``) and the run.

    Example:
        >>> list(runs("用Python写, 很快"))
        [('han', '用'), ('latin', 'Python'), ('han', '写'), ('han', '很快')]
    """
    for found in _RUN.finditer(text):
        yield found.lastgroup or "other", found[0]


def letters(text: str) -> Counter[str]:
    """Count the letters of a text by script.

    Example:
        >>> letters("用Python写 3.11")
        Counter({'latin': 6, 'han': 2})
    """
    latin = len(text.encode("utf-8", "replace").translate(None, _NO_LETTERS))
    found = Counter(latin=latin) if latin else Counter[str]()
    for script, run in () if text.isascii() else runs(_ASCII.sub("", text)):
        found[script] += len(run)
    return found


def unspaced(text: str) -> bool:
    """Whether a text has letters of a script that puts no blanks between words: Chinese, Japanese, Thai.

    Example:
        >>> unspaced("我爱 Python"), unspaced("naïve 한국어")
        (True, False)
    """
    return not text.isascii() and _UNSPACED.search(text) is not None


def units(text: str) -> list[str]:
    """The units that a text is made of: whole words, but single characters where words are not parted by blanks.

    Numbers are words; signs and blanks are left out, and case is kept.

    Example:
        >>> units("Go to 北京 2008!")
        ['Go', 'to', '北', '京', '2008']
    """
    return _UNIT.findall(text)
