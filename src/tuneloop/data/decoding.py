"""From the bytes of a file to lines of text: gzip opened, UTF-8 by right, two old encodings by proof.

A line that is no UTF-8 is not guessed at alone. All such lines of the file are looked at together, and only
if they speak for one encoding (GBK or Windows-1252) is it used for them; else each is given with its problem.
"""

from __future__ import annotations

import codecs
import functools
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from tuneloop.errors import DataError

NO_UTF8 = "the bytes are no UTF-8, and no other encoding is certain"
"""The problem of a line or row in no certain encoding."""
LOOK = 4 << 20
"""Bytes of a file that are looked at to find its encoding."""

BLOCK = 1 << 18
"""Bytes of a block of lines, about."""

_HIGH = re.compile(rb"[\x80-\xff]+")
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1f]")
# Windows-1252: letters of Western Europe, typographic quotes and dashes, the euro and a few signs.
_WESTERN = (
    frozenset(range(0xC0, 0x100))
    | frozenset(b"\x80\x85\x8c\x91\x92\x93\x94\x95\x96\x97\x99\x9c")
    | frozenset(b"\xa0\xa1\xa3\xa7\xa9\xaa\xab\xae\xb0\xb1\xb2\xb3\xb4\xb5\xb7\xb9\xba\xbb\xbc\xbd\xbe\xbf")
)


class Line(NamedTuple):
    """One line without its end.

    Attributes:
        number: Its number, from 1.
        text: Its text.
        problem: Why the text is not sound.
        repair: How it was repaired.
        ended: Whether the line ends here; not so for a piece of a very long one.
    """

    number: int
    text: str
    problem: str = ""
    repair: str = ""
    ended: bool = True


class Block(NamedTuple):
    """Some whole lines, not yet decoded.

    Attributes:
        path: The file they are of.
        number: The number of the first, from 1.
        data: Their bytes, with the ends of the lines.
        repair: How all of them were repaired.
    """

    path: Path
    number: int
    data: bytes
    repair: str = ""

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Each line with its number, without its end."""
        raws = self.data.split(b"\n")
        if not raws[-1]:
            raws.pop()
        for number, raw in enumerate(raws, self.number):
            yield number, raw.rstrip(b"\r\n")

    def line(self, number: int, raw: bytes) -> Line:
        """One of its lines, decoded."""
        try:
            return Line(number, raw.decode("utf-8"), "", self.repair)
        except UnicodeDecodeError:
            return _other(number, raw, _encoding(self.path, self.path.stat().st_mtime_ns))


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a file is read into an error that names the file.

    Raises:
        DataError: The file is missing, may not be read, or is a damaged gzip file.
    """
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"the compressed file is damaged or cut off: {error}", where=str(path), fix="fetch or compress it again"
        ) from error
    except UnicodeError as error:
        raise DataError(f"the file is damaged: {error}", where=str(path), fix="save it again as UTF-8") from error
    except OSError as error:
        raise DataError(
            f"cannot read the file: {error.strerror or error}",
            where=str(path),
            fix="check the path and its permissions (data.sources)",
        ) from error


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading bytes; a gzip file, whatever its name, gives what is inside it."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if packed:
            with gzip.open(file) as inside:
                yield io.BufferedReader(inside)
        else:
            yield file


def lines(path: Path, longest: int | None = None) -> Iterator[Line]:
    """Give the lines of a text file, in order, with their numbers.

    Args:
        path: The file: UTF-8 (with or without byte order mark) or UTF-16 with one; plain or gzip.
        longest: Bytes after which a line is given in pieces, each ending with a comma, colon or quotation mark:
            for JSON, of which a whole file may stand on one line. None gives whole lines.

    Yields:
        Every line, empty ones too. A line in no certain encoding has its problem, and its text with the odd
        bytes as lone surrogates.

    Raises:
        DataError: The file cannot be read.
    """
    if longest is None:
        for block in blocks(path):
            for number, raw in block.lines():
                yield block.line(number, raw)
        return
    with guarded(path), opened(path) as file:
        wide = _begin(file)
        number = 1
        for raw, ended in _pieces(_narrow(file) if wide else file, longest):
            line = Block(path, number, b"", "UTF-16 read" if wide else "").line(number, raw.rstrip(b"\r\n"))
            yield line._replace(ended=ended)
            number += ended


def blocks(path: Path) -> Iterator[Block]:
    """Give the lines of a text file in blocks, in order; any process can then decode them.

    Args:
        path: The file: UTF-8 (with or without byte order mark) or UTF-16 with one; plain or gzip.

    Raises:
        DataError: The file cannot be read.
    """
    with guarded(path), opened(path) as file:
        wide = _begin(file)
        repair = "UTF-16 read" if wide else ""
        number = 1
        for data in _whole_lines(_narrow(file) if wide else file):
            yield Block(path, number, data, repair)
            number += data.count(b"\n")


def _begin(file: BinaryIO) -> bool:
    """Pass over a UTF-8 byte order mark; whether the file begins with one of UTF-16."""
    start = file.peek(3)[:3] if hasattr(file, "peek") else b""
    if start == codecs.BOM_UTF8:
        file.read(3)
    return start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class _Narrow(io.RawIOBase):
    """UTF-16 text, read as the bytes of UTF-8."""

    def __init__(self, file: BinaryIO) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-16", newline="\n")
        self._held = b""

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        self._held = self._held or self._text.read(BLOCK).encode("utf-8")
        count = min(len(into), len(self._held))
        into[:count], self._held = self._held[:count], self._held[count:]
        return count


def _narrow(file: BinaryIO) -> BinaryIO:
    return io.BufferedReader(_Narrow(file))


def _whole_lines(file: BinaryIO) -> Iterator[bytes]:
    """Pieces of a file that end where a line does."""
    parts: list[bytes] = []
    while data := file.read(BLOCK):
        cut = data.rfind(b"\n") + 1
        if cut:
            yield b"".join((*parts, data[:cut]))
            parts = [data[cut:]] if cut < len(data) else []
        else:
            parts.append(data)
    if parts:
        yield b"".join(parts)


def _pieces(file: BinaryIO, longest: int) -> Iterator[tuple[bytes, bool]]:
    """Lines, a very long one in pieces; no piece ends inside a character, be it UTF-8 or GBK."""
    held = b""
    while raw := file.readline(longest):
        held += raw
        if held.endswith(b"\n"):
            yield held, True
            held = b""
            continue
        cut = max(held.rfind(mark) for mark in (b",", b":", b'"')) + 1
        if cut and len(raw) == longest:
            yield held[:cut], False
            held = held[cut:]
    if held:
        yield held, True


@functools.lru_cache(maxsize=64)
def _encoding(path: Path, _changed: int) -> str:
    """What :func:`encoding_of` finds, once for each state of a file."""
    return encoding_of(path)


def encoding_of(path: Path) -> str:
    """Find the encoding of the lines of a file that are no UTF-8.

    Returns:
        ``gb18030``, ``cp1252``, or an empty string where neither is certain.
    """
    with opened(path) as file:
        odd = [line for line in file.read(LOOK).split(b"\n") if not _is_utf8(line)]
    return judge(odd)


def judge(odd: list[bytes]) -> str:
    """Judge lines that are no UTF-8: which encoding do they speak for together?

    GBK writes a Chinese character as two bytes; of real Chinese nearly all characters are among the common 7,445
    of GB 2312, while Western letters misread as GBK fall outside. Windows-1252 writes single accented letters and
    signs between ASCII letters.

    Example:
        >>> judge(["caf\u00e9 cr\u00e8me".encode("cp1252")]), judge(["\u4eca\u5929\u5929\u6c14".encode("gbk")])
        ('cp1252', 'gb18030')
    """
    if any(_BINARY.search(line) for line in odd):
        return ""
    runs = [run for line in odd for run in _HIGH.findall(line)]
    if not runs:
        return ""
    if all(_decodes(line, "gb18030") for line in odd):
        signs = [sign for line in odd for sign in line.decode("gb18030") if not sign.isascii()]
        if sum(_is_common(sign) for sign in signs) >= 0.8 * len(signs):
            return "gb18030"
    even = sum(len(run) % 2 == 0 for run in runs)
    western = all(byte in _WESTERN for run in runs for byte in run)
    return "cp1252" if western and even <= 0.3 * len(runs) else ""


def _other(number: int, raw: bytes, encoding: str) -> Line:
    if encoding and _decodes(raw, encoding):
        name = {"gb18030": "GBK", "cp1252": "Windows-1252"}[encoding]
        return Line(number, raw.decode(encoding), "", f"{name} read as such")
    text = raw.decode("utf-8", "surrogateescape")
    return Line(number, text, NO_UTF8)


def _is_utf8(raw: bytes) -> bool:
    return _decodes(raw, "utf-8")


def _is_common(sign: str) -> bool:
    try:
        sign.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
