"""Cells of tables: which stand for a missing value, and what kind of thing one holds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterator, Mapping

from tuneloop.rows import Scalar

MISSING = {
    *(
        "",
        "n/a",
        "#n/a",
        "#n/a n/a",
        "nan",
        "null",
        "(null)",
        "<na>",
        "\\n",
        "?",
        "-",
        "--",
        "---",
        "—",
        "–",
        ".",
        "..",
    ),
    *("#null!", "#ref!", "#value!", "#div/0!", "#name?", "#num!", "#error", "n.a.", "not available", "no data"),
}
"""Marks that nobody means as a value (lower case): they are missing values in every column."""
DOUBTFUL = {
    *("na", "none", "nil", "unknown", "unk", "error", "err", "missing", "undefined", "unspecified"),
    *("not applicable", "not known", "blank", "invalid", "n/k", "tbd"),
    *("无", "空", "未知", "缺失", "不详", "暂无"),
}
"""Marks that may be a value (``NA`` is Namibia, ``None`` a choice): a column's other cells decide."""

_SIGNS = re.compile(r"^#{3,}$")
_INVISIBLE = re.compile("[\u200b\u2060\ufeff]")
_INSIDE = re.compile(r"[^\S\n\r]+")
_MARKED = re.compile(r"'[\d+-]")
_BLANKS = re.compile(r"[\s\u00a0\u200b\u2060\ufeff]+")


_WIDE = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))}


def tidy(text: str) -> str:
    r"""A cell as it is kept: no blanks around it, one where there are several, plain letters and digits.

    Line ends stay, and so do full-width commas and stops, which are right in Chinese and Japanese.

    Example:
        >>> tidy("  Bend ,  ＯＲ\u00a0"), tidy("'00501"), tidy("好，好")
        ('Bend , OR', '00501', '好，好')
    """
    if not text.isascii():
        text = text.translate(_WIDE)
    text = _INSIDE.sub(" ", _INVISIBLE.sub("", text)).strip()
    return text[1:] if _MARKED.match(text) else text


def trimmed(text: str) -> str:
    r"""A cell as it is read as number or date: like :func:`tidy`, on one line, and every full-width sign plain.

    Example:
        >>> trimmed("  12\u3000\uff4b\uff47\u00a0 ")
        '12 kg'
    """
    if not text.isascii():
        text = "".join(_plain(sign) for sign in text)
    return _BLANKS.sub(" ", text).strip()


def is_missing(value: Scalar) -> bool:
    """Whether a cell says for sure that there is no value."""
    if not isinstance(value, str):
        return value is None
    mark = value.strip().lower()
    return mark in MISSING or bool(_SIGNS.match(mark))


def is_doubtful(value: Scalar) -> bool:
    """Whether a cell may say that there is no value."""
    return isinstance(value, str) and value.strip().lower() in DOUBTFUL


def clear_cells(values: Mapping[str, Scalar], columns: Container[str] | None = None) -> Iterator[tuple[str, Scalar]]:
    """The cells of a row that hold a value for sure, of some columns or of all.

    Example:
        >>> list(clear_cells({"price": "3.20", "note": "n/a", "cup": "large"}, ["price", "note"]))
        [('price', '3.20')]
    """
    for name, value in values.items():
        if (columns is None or name in columns) and not is_missing(value) and not is_doubtful(value):
            yield name, value


def _plain(sign: str) -> str:
    return unicodedata.normalize("NFKC", sign) if "\uff01" <= sign <= "\uff5e" or sign == "\u3000" else sign
