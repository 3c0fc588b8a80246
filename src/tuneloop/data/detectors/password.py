"""Passwords, secrets and keys that are named as such: ``password=...``, ``"api_key": "..."``, 密码：..."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span
from tuneloop.data.detectors._entropy import is_random

_WORD = (
    r"pass(?:word|wort|wd|phrase|code)|pwd|(?<![a-z])(?:pass|pw|contraseña|mot de passe)|requirepass|登录密码|密码|口令"
)
_KEY = (
    r"(?:api|access|auth|secret|private|account|encryption|signing|app)[_ -]?key(?:[_ -]?(?:id|secret))?"
    r"|secret|token|credentials?|密钥|秘钥|令牌"
)
_CUES = (
    *(
        "pass",
        "Pass",
        "PASS",
        "pwd",
        "Pwd",
        "PWD",
        "pw:",
        "pw=",
        "ontrase",
        "BY '",
        "by '",
        "secret",
        "Secret",
        "SECRET",
        "token",
        "Token",
        "TOKEN",
    ),
    *(
        "key",
        "Key",
        "KEY",
        "redential",
        "REDENTIAL",
        "密码",
        "口令",
        "密钥",
        "秘钥",
        "令牌",
        "mysql",
        "mariadb",
        "curl ",
    ),
)
_SAYS = (
    r"(?:(?<!pass)(?: [a-z'-]{1,20}){1,5})? (?:is|was|to):?(?= )"  # the password for the printer is, ... was changed to
    r"|[\u4e00-\u9fff]{0,6}[为是成]:?"  # 密码已经改成
)
_NAMED = re.compile(
    rf"(?:(?P<word>{_WORD})|(?P<key>{_KEY}))(?:[_-]?(?:hash|value|\d))?(?P<close>[\"'`*]{{0,3}}) {{0,4}}"
    rf"(?P<sign>:=|=>|==?|[:]|(?P<said>{_SAYS})|(?<=\w)>(?! )) {{0,4}}"
    r"(?:[rbuf]?(?P<quote>\\?[\"'`]|\*\*|[“「]))?(?P<value>[!-~]{4,512})",
    re.IGNORECASE,
)
_BESIDE = re.compile(  # no sign at all: password hunter2, 密码“hunter2”, mysql -phunter2, curl -u ann:hunter2
    r"(?:(?<![a-z])(?:password|passwort|passwd|pwd|passphrase|passcode|requirepass|identified by)"
    rf"|(?P<key>(?<![a-z])(?:{_KEY})))"
    r" {1,2}[\"'`“「]?(?P<value>[!-~]{6,512})|(?:密码|口令) {0,2}[\"'`“「]?(?P<tight>[!-~]{6,512})"
    r"|\b(?:(?:mysql|mariadb)[\w-]{0,20} [^\n|;]{0,80}?-p|sshpass -p {0,2}|curl [^\n|;]{0,80}?-u {0,2}[\w.@-]{1,40}:)"
    r"(?P<command>[!-~]{4,512})",
    re.IGNORECASE,
)
_BARE_END = re.compile(r"[\s\"'`,;<>)\]}|]|\\|&(?:amp;)?(?=[\w.%-]{1,40}=)")
_CALL = re.compile(
    r"[\w.]*[(\[{]|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+$|\$[{(A-Za-z_]|%(?:[{(]|[a-z](?!\w))|<|\{|\.\.\.|\*{3}|process\.env|os\.environ"
)
_TERM = re.compile(
    r"(?:sha|md|aes|des|rsa|hs|rs|base|utf|ascii|argon|pbkdf|oauth|saml|ldap|wpa|win|python|php|html|web|ip)[-_]?\d\S*"
    r"|v?\d+(?:\.\d+)+\S*|(?:[a-z]{2,}|\d{1,4}(?:st|nd|rd|th)?)(?:[_./-](?:[a-z]{2,}|\d{1,4}))+|\d+[a-z]+",
    re.IGNORECASE,
)
_LEAST, _LEAST_KEY, _LEAST_BESIDE = 6, 16, 20
_PIN = 4
_DIGIT = re.compile(r"\d")


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
        if _DIGIT.search(text) is None:  # without one, nothing that stands alone is taken
            return
        for found in _BESIDE.finditer(text):
            start, stop = found.span(str(found.lastgroup))
            end = _bare_end(text, start, stop)
            if _stands_alone(found, text[start:end]):
                yield self.span(start, end, 0.8)

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
        if found["said"] and found["said"][0] == " " and not found["quote"]:
            return _is_mixed(value) and (found["said"].lower().strip(" :") == "is" or not _TERM.fullmatch(value))
        if not letters and not signs:
            return len(value) >= _LEAST or (bool(found["quote"]) and len(value) >= _PIN)
        return len(value) >= _LEAST and (
            (digits and letters) or (signs and digits + letters > 0 and bool(found["quote"]))
        )


def _stands_alone(found: re.Match[str], value: str) -> bool:
    """Whether a value that no sign ties to the name before it is a secret, and no term or word with a number in it."""
    if found["key"]:
        return is_random(value, _LEAST_BESIDE)
    term = _TERM.fullmatch(value) is not None and found["command"] is None
    return _is_mixed(value) and not term and not _CALL.match(value)


def _is_mixed(value: str) -> bool:
    return len(value) >= _LEAST and any(map(str.isdigit, value)) and any(map(str.isalpha, value))


def _value_end(text: str, found: re.Match[str]) -> int:
    """Where the value ends: at its closing quotation mark, or where a bare word ends."""
    start, stop = found.span("value")
    quote = found["quote"]
    if quote:
        close = text.find(quote, start, stop)
        return close if close >= 0 else stop
    return _bare_end(text, start, stop)


def _bare_end(text: str, start: int, stop: int) -> int:
    """Where a word without quotation marks ends; an exclamation mark belongs to it, as many passwords have one."""
    end = _BARE_END.search(text, start, stop)
    stop = end.start() if end else stop
    return stop - (text[stop - 1] in ".?:" and stop - start > _PIN)
