"""Passwords, secrets and keys that are named as such: ``password=...``, ``"api_key": "..."``, 密码：..."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span
from tuneloop.data.detectors._entropy import is_random

_WORD = r"pass(?:word|wd|phrase|code)|pwd|\bpass|登录密码|密码|口令"
_KEY = (
    r"(?:api|access|auth|secret|private|account|encryption|signing|app)[_ -]?key(?:[_ -]?(?:id|secret))?"
    r"|secret|token|credentials?|密钥|秘钥|令牌"
)
_CUES = (
    *("pass", "Pass", "PASS", "pwd", "Pwd", "PWD", "secret", "Secret", "SECRET", "token", "Token", "TOKEN"),
    *("key", "Key", "KEY", "redential", "REDENTIAL", "密码", "口令", "密钥", "秘钥", "令牌"),
)
_NAMED = re.compile(
    rf"(?:(?P<word>{_WORD})|(?P<key>{_KEY}))(?:[_-]?(?:hash|value|\d))?(?P<close>[\"'`*]{{0,3}}) {{0,4}}"
    r"(?P<sign>:=|=>|==?|[:]|\bis:?(?= )|应?[为是][:]?) {0,4}(?P<prefix>[rbuf]?)(?P<quote>\\?[\"'`]|\*\*)?"
    r"(?P<value>[!-~]{4,512})",
    re.IGNORECASE,
)
_BARE_END = re.compile(r"[\s\"'`,;<>)\]}&|]|\\")
_CALL = re.compile(
    r"[\w.]*[(\[{]|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+$|\$[{(A-Za-z_]|%[\w{(]|<|\{|\.\.\.|\*{3}|process\.env|os\.environ"
)
_LEAST, _LEAST_KEY = 6, 16
_PIN = 4


@final
class Password(Detector):
    """Values behind a name that says they are secret; code that reads them from elsewhere is none."""

    used_by: ClassVar[tuple[str, ...]] = ("secrets",)
    cues: ClassVar[tuple[str, ...]] = _CUES

    def find(self, text: str) -> Iterable[Span]:
        """Look behind the names; a password needs digits or signs in it, a key must look drawn by lot.

        Example:
            >>> text = "password = 'Zk3!vQ9w'; password = input('Password: '); api_key=YOUR_API_KEY; 密码是Ab12345"
            >>> [text[span.start : span.end] for span in Password().find(text)]
            ['Zk3!vQ9w', 'Ab12345']
        """
        at = 0
        while found := _NAMED.search(text, at):
            start, end = found.start("value"), _value_end(text, found)
            at = max(found.start("value"), found.start() + 1)
            value = text[start:end]
            if self._is_secret(found, value):
                yield self.span(start, end, 0.85)
                at = end

    def same(self, value: str) -> str:
        """The password as it is."""
        return value

    def _is_secret(self, found: re.Match[str], value: str) -> bool:
        if not found["quote"] and _CALL.match(value):
            return False
        if found["key"]:
            return is_random(value, _LEAST_KEY)
        digits, letters = any(map(str.isdigit, value)), any(map(str.isalpha, value))
        signs = any(not sign.isalnum() and sign not in "_-." for sign in value)
        if found["sign"].lower().startswith("is") and not found["quote"]:
            return len(value) >= _LEAST and digits and letters
        if not letters and not signs:
            return len(value) >= _LEAST or (bool(found["quote"]) and len(value) >= _PIN)
        return len(value) >= _LEAST and (
            (digits and letters) or (signs and digits + letters > 0 and bool(found["quote"]))
        )


def _value_end(text: str, found: re.Match[str]) -> int:
    """Where the value ends: at its closing quotation mark, or where a bare word ends."""
    start, stop = found.span("value")
    quote = found["quote"]
    if quote:
        close = text.find(quote, start, stop)
        return close if close >= 0 else stop
    end = _BARE_END.search(text, start, stop)
    stop = end.start() if end else stop
    return stop - (text[stop - 1] in ".!?:" and stop - start > _PIN)
