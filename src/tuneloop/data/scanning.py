"""A scanner that takes JSON values one after the other out of a text that need not fit into memory."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable
from typing import Any

from tuneloop.data.decoding import NO_UTF8, Line

STEP = 1 << 16
_strict = json.JSONDecoder()
_lenient = json.JSONDecoder(strict=False)
_space = re.compile(r"\s*")
_escaped = re.compile("[\udc80-\udcff]")


NO_JSON = "no JSON"
"""The problem of a row that breaks the rules of JSON, wherever and however."""


class Broken(ValueError):
    """A value that is no JSON.

    Args:
        reason: Why, in words that are the same for all rows of a kind.
        detail: What it looks like in this row.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail


def parse(text: str, at: int = 0) -> tuple[Any, int, str]:
    """Read the JSON value that begins at a place of a text.

    Returns:
        The value, where it ends, and how it was repaired: raw tabs and newlines inside a string are let pass.

    Raises:
        json.JSONDecodeError: There is no value.
        Broken: It cannot be held: nested too deeply, or a number of thousands of digits.

    Example:
        >>> parse('{"a": 1} rest')
        ({'a': 1}, 8, '')
    """
    try:
        try:
            return *_strict.raw_decode(text, at), ""
        except json.JSONDecodeError as error:
            if not error.msg.startswith("Invalid control character"):
                raise
            return *_lenient.raw_decode(text, at), "control characters in a string let pass"
    except RecursionError:
        raise Broken("nested too deeply") from None
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        raise Broken(NO_JSON, str(error)) from None


class Scanner:
    """Walks through lines of JSON text.

    Args:
        lines: The lines of the text, in order.

    Attributes:
        line: Number of the line at which the scanner stands.
        text: The text of the last value taken.
        repair: How the last value was repaired.
        problem: Why the last value cannot be used, though it is sound JSON.
    """

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = iter(lines)
        self._buffer = ""
        self._at = 0
        self._done = False
        self._repaired: deque[Line] = deque()
        self._odd = False
        self.line = 1
        self.text = ""
        self.repair = ""
        self.problem = ""

    def peek(self) -> str:
        """The next character that is no blank; empty at the end of the text."""
        while True:
            match = _space.match(self._buffer, self._at)
            self._advance(match.end() if match else self._at)
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._more():
                return ""

    def skip(self) -> None:
        """Pass over one character."""
        self._advance(self._at + 1)

    def value(self) -> Any:
        """Take the value at which the scanner stands.

        Raises:
            Broken: There is none; the scanner has not moved.
        """
        while True:
            try:
                value, end, repair = parse(self._buffer, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or error.pos >= len(self._buffer) - 16
                if cut and self._more():
                    continue
                if cut and self._done and error.pos >= len(self._buffer.rstrip()) - 1:
                    raise Broken("the text ends in the middle of this row") from None
                raise Broken(NO_JSON, f"{error.msg} (column {self._column(error.pos)})") from None
            if end == len(self._buffer) and self._more():
                continue
            first = self.line
            self.text = self._buffer[self._at : end]
            self._advance(end)
            self.repair = repair or self._repair(first)
            self.problem = NO_UTF8 if self._odd and _escaped.search(self.text) else ""
            return value

    def resume(self, key: str) -> bool:
        """Go on to the next object that begins with a key: the next row after a broken one.

        Args:
            key: The first key of the rows; empty if no row is known yet, then any object will do.

        Returns:
            Whether there is one; if not, the scanner stands at the end.
        """
        begin = re.compile(r"\{\s*" + (re.escape(json.dumps(key, ensure_ascii=False)) + r"\s*:" if key else '"'))
        self._advance(self._at + 1)
        while True:
            match = begin.search(self._buffer, self._at)
            if match and (match.end() < len(self._buffer) or self._done):
                self._advance(match.start())
                return True
            if not self._more():
                self._advance(len(self._buffer))
                return False

    def _repair(self, first: int) -> str:
        while self._repaired and self._repaired[0].number < first:
            self._repaired.popleft()
        return self._repaired[0].repair if self._repaired and self._repaired[0].number <= self.line else ""

    def _column(self, position: int) -> int:
        return position - self._buffer.rfind("\n", 0, position)

    def _advance(self, to: int) -> None:
        self.line += self._buffer.count("\n", self._at, to)
        self._at = to

    def _more(self) -> bool:
        if self._done:
            return False
        taken: list[str] = []
        wanted = max(STEP, len(self._buffer) - self._at)
        while wanted > 0:
            line = next(self._lines, None)
            if line is None:
                self._done = True
                break
            if line.repair:
                self._repaired.append(line)
            self._odd = self._odd or bool(line.problem)
            taken.append(line.text + "\n" if line.ended else line.text)
            wanted -= len(line.text) + 1
        self._buffer = self._buffer[self._at :] + "".join(taken)
        self._at = 0
        return bool(taken)
