"""Normalize: one spelling for what looks the same, misread characters mended, and nothing invisible."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar, Literal, final

from pydantic import Field

from tuneloop.data.contents import changed, texts
from tuneloop.data.mojibake import mend
from tuneloop.data.passages import in_prose, is_code
from tuneloop.data.transforms import Transform
from tuneloop.rows import Drop, Record

# What a text of plain ASCII may hold that is not in order; most hold none of it.
_ASCII_CONTROL = bytes([*range(9), *range(11, 32), 127])
_ASCII_WORK = ("&", " \n", "\t\n", "\n\n\n\n", "    ")
_LINE_END = re.compile("\r\n?|[\x0b\x0c\u2028\u2029]")
# Zero-width space, word joiner and invisible operators, byte order mark, soft hyphen, signs of annotation, and control
# characters but tab and newline. The zero-width joiner and non-joiner stay where emoji, Persian and the scripts of
# India need them, tags where they spell the flag that an emoji begins.
_INVISIBLE = re.compile(
    "[\u00ad\u180e\u200b\u2060-\u2064\ufeff\ufff9-\ufffb\x00-\x08\x0e-\x1f\x7f]"
    "|(?<=[ -~\u4e00-\u9fff])[\u200c\u200d]+(?=[ -~\u4e00-\u9fff])"
    "|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0000-\U000e007f]+"
)
# Overrides turn around the order in which text is shown, so that code reads otherwise than it runs (CVE-2021-42574);
# embeddings, isolates and marks do the same, but Hebrew and Arabic need them.
_OVERRIDE = re.compile("[\u202d\u202e]")
_DIRECTION = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});")
_MARKUP = re.compile(r"</?[a-zA-Z!]|(?i:html|xml|entit|escap)|实体|转义|字符")
_TRAIL = re.compile(r"(?<=\S)[ \t]+(?=\n)")
_EMPTY_LINES = re.compile(r"\n{4,}")
_GAP = re.compile(r"(?<=\S) {4,}(?=\S)")
_FULL_WIDTH = {code: code - 0xFEE0 for a, b in ("０９", "Ａｚ") for code in range(ord(a), ord(b) + 1)}
_FULL_WIDTH = {code: plain for code, plain in _FULL_WIDTH.items() if chr(plain).isalnum()}
_FULL_POINT = re.compile("(?<=[0-9])．(?=[0-9])")
# The replacement character, the same read as GBK, and what will never be a character.
_LOST = re.compile("\ufffd|锟斤拷|[\ufdd0-\ufdef\ufffe\uffff]")
# Characters of private use are no loss: old telephones sent emoji so.
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010fffd]")


@final
class Normalize(Transform):
    """Composes Unicode, mends misread text, makes line ends newlines, takes out the invisible, and trims.

    Program code, also between fences or back-quotes, and tables and formulas keep their blanks and signs.
    """

    rowwise: ClassVar[bool] = True

    form: Literal["NFC", "NFKC"] = "NFC"
    """Unicode form; NFKC also makes full-width letters and punctuation plain and ligatures letters."""
    width: Literal["keep", "half"] = "keep"
    """``half`` makes full-width letters and digits plain and keeps Chinese punctuation as it is."""
    max_lost: float = Field(0.1, ge=0, le=1)
    """Largest share of a text's characters that may be lost for good (``�``); a row with more is set aside."""

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Normalize all texts of each record; what is damaged for good is set aside."""
        for record in records:
            if all(map(_in_order, texts(record.content))):
                yield record
                continue
            content = changed(record.content, self.text)
            lost = max(map(_lost, texts(content)), default=0.0)
            self.tally.update(["characters lost"] * (lost > 0))
            self.tally.update(["private characters"] * any(map(_PRIVATE.search, texts(content))))
            if lost > self.max_lost:
                yield Drop("too many characters are lost for good", self.name, record.origin, id=record.id)
            else:
                yield record if content == record.content else record.having(content)

    def text(self, text: str) -> str:
        r"""Normalize one text.

        Example:
            >>> Normalize().text("  cafe\u0301\r\n\u200bok, it\xe2\x80\x99s &lt;3 ")
            'café\nok, it’s <3'
        """
        if _in_order(text):
            return text
        met: set[str] = set()
        while (normal := self._once(text, met)) != text:
            text = normal
        self.tally.update(met)
        return text

    def _once(self, text: str, met: set[str]) -> str:
        """Mend everything once; what was mended is added to ``met``."""

        def step(what: str, change: Callable[[str], str]) -> None:
            nonlocal text
            if (new := change(text)) != text:
                met.add(what)
                text = new

        step("misread", mend)
        step("line ends", lambda text: _LINE_END.sub("\n", text))
        step("invisible", _visible)
        if is_code(text):
            return text
        step("entities", _plain_entities)
        if self.width == "half" and not text.isascii():
            step("full width", lambda text: in_prose(text, _half))
        step("form", lambda text: unicodedata.normalize(self.form, text))
        step("blanks", lambda text: _trimmed(in_prose(text, _fewer_blanks)))
        return text


def _in_order(text: str) -> bool:
    """Whether a quick look at a text shows that there is nothing to do."""
    if not text.isascii() or text.strip() != text or len(text.encode().translate(None, _ASCII_CONTROL)) != len(text):
        return False
    for sign in _ASCII_WORK:  # noqa: SIM110 - twice as fast as any(), and this is asked of every text
        if sign in text:
            return False
    return True


def _visible(text: str) -> str:
    """The text without what cannot be seen."""
    text = _INVISIBLE.sub("", text)
    if text.isascii():
        return text
    return (_OVERRIDE if _RIGHT_TO_LEFT.search(text) else _DIRECTION).sub("", text)


def _plain_entities(text: str) -> str:
    """``&amp;`` and its like as the signs they stand for, unless the text is about them or is markup itself."""
    if "&" not in text or not _ENTITY.search(text) or _MARKUP.search(text):
        return text
    return in_prose(text, lambda piece: _ENTITY.sub(lambda found: html.unescape(found[0]), piece))


def _half(text: str) -> str:
    return _FULL_POINT.sub(".", text.translate(_FULL_WIDTH))


def _fewer_blanks(text: str) -> str:
    """No blanks at line ends, at most one empty line where there were three, no gaps within a line but columns."""
    if " \n" in text or "\t\n" in text:
        text = _TRAIL.sub("", text)
    if "\n\n\n\n" in text:
        text = _EMPTY_LINES.sub("\n\n", text)
    return _GAP.sub(" ", text) if "    " in text and len(_GAP.findall(text)) == 1 else text


def _trimmed(text: str) -> str:
    """The text without blanks around it; the indentation stays where another line has the same."""
    text = text.rstrip()
    body = text.lstrip()
    indent = text[: len(text) - len(body)].rpartition("\n")[2]
    return indent + body if len(indent) > 1 and f"\n{indent}" in body else body


def _lost(text: str) -> float:
    """The share of a text that is lost for good."""
    return 0.0 if text.isascii() else sum(map(len, _LOST.findall(text))) / len(text)
