"""Normalize: one spelling for what looks the same, misread characters mended, and nothing invisible."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Literal, final

from tuneloop.data.contents import changed
from tuneloop.data.transforms import Transform
from tuneloop.rows import Drop, Record

# Zero-width space, word joiner, byte order mark, and control characters but tab and newline. The zero-width
# joiner and non-joiner stay: emoji, Persian and the scripts of India need them.
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\x00-\x08\x0e-\x1f\x7f-\x9f]")
_LINE_END = re.compile("\r\n?|[\x0b\x0c\u2028\u2029]")
_WESTERN = {bytes([byte]).decode("cp1252", "ignore") or chr(byte): byte for byte in range(0x80, 0xA0)}
_TRAIL = "\x80-\xbf" + "".join(sign for sign in _WESTERN if sign > "\xff")
_MISREAD = re.compile(f"[\xc2-\xf4][{_TRAIL}]{{1,3}}")
_CONTROL = re.compile("[\x80-\x9f]")


@final
class Normalize(Transform):
    """Composes Unicode, mends misread UTF-8, makes line ends newlines, takes out the invisible, and trims."""

    form: Literal["NFC", "NFKC"] = "NFC"
    """Unicode form; NFKC also makes full-width letters plain and ligatures letters."""

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Normalize all texts of each record; none is dropped."""
        for record in records:
            content = changed(record.content, self.text)
            yield record if content == record.content else record.having(content)

    def text(self, text: str) -> str:
        r"""Normalize one text.

        Example:
            >>> Normalize().text("  cafe\u0301\r\n\u200bok, it\xe2\x80\x99s ")
            'café\nok, it’s'
        """
        while (normal := self._once(text)) != text:
            text = normal
        return text

    def _once(self, text: str) -> str:
        text = unicodedata.normalize(self.form, text)
        if not text.isascii():
            if any(map(_is_certain, _MISREAD.finditer(text))):
                text = _MISREAD.sub(_reread, text)
            text = _CONTROL.sub(_western, text)
        return _INVISIBLE.sub("", _LINE_END.sub("\n", text)).strip()


def _is_certain(found: re.Match[str]) -> bool:
    """Whether a run of Western letters is misread UTF-8 for sure: nobody writes control characters or ``â€™``."""
    run = found[0]
    return (run.startswith("â€") or bool(_CONTROL.search(run))) and _reread(found) != run


def _reread(found: re.Match[str]) -> str:
    """What a run of Western letters says when its bytes are read as UTF-8; the run itself where they are none."""
    try:
        return bytes(_WESTERN.get(sign, ord(sign)) for sign in found[0]).decode("utf-8")
    except ValueError:
        return found[0]


def _western(found: re.Match[str]) -> str:
    """The sign that Windows-1252 has where Unicode has a control character; empty where it has none."""
    return found[0].encode("latin-1").decode("cp1252", "ignore")
