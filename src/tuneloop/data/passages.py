"""Passages: which pieces of a text are prose, and which are code, tables or formulas, where every blank counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_KEPT = re.compile(
    r"^[ \t]*(?P<fence>```+|~~~+)[^\n]*\n.*?(?:^[ \t]*(?P=fence)[ \t]*$|\Z)"  # a fence never closed goes to the end
    r"|`[^`\n]+`"
    r"|^(?: {4}|\t)[^\n]*$"
    r"|^[ \t]*\|[^\n]*$"
    r"|\$\$.+?\$\$|\\\[.+?\\\]|\\\(.+?\\\)|\$[^$\n]+\$"
    r"|\\begin\{(?P<of>\w+\*?)\}.*?\\end\{(?P=of)\}",
    re.MULTILINE | re.DOTALL,
)
_MARK = re.compile(r"`|~~~|^(?: {4}|\t)|^[ \t]*\||\$|\\[\[(b]", re.MULTILINE)

_SIGNS = ("`", "|", "$", "\\", "    ", "\t", "~~~")  # no mark is without one of them, and most texts are
_START = re.compile(
    r"\s*(?:from [\w.]+ import \w|import [\w.]+(?: as \w+)?;?$|(?:async )?def \w+\(|class \w+\s*[(:{]|#include\b|#!/"
    r"|public (?:static |final )*class\b|package [\w.]+;?$|using [\w.]+;|<!DOCTYPE html|<html\b|<\?(?:php|xml)\b"
    r"|(?:SELECT\b[^\n]*\bFROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM|CREATE TABLE)\b)",
    re.MULTILINE,
)
_DEFINITION = re.compile(r"^(?:def \w+\(.*\).*|class \w+(?:\(.*\))?):$", re.MULTILINE)
_OUTDENTED = re.compile(r"^(?! {4}|\t)[^\n]*\S", re.MULTILINE)
_LINE = re.compile(
    r"\s*(?:(?:if|elif|else|for|while|try|except|finally|with|switch|do|catch|def|class)\b.*[:{]$"
    r"|(?:return|yield|raise|throw|import|from|print|assert|del|break|continue|pass)\b(?:[^a-z]|\s\S*[\W_0-9]|$).*$"
    r"|(?:public|private|protected|static|const|let|var|int|void|float|double|char|bool|string|function|func|fn)\b.*[;{)]$"
    r"|[\w.\[\]'\"]+(?:\s*:\s*\w+)?\s*(?:[-+*/|&:]?=)\s*\S.*$|[\w.]+\([^()]*(?:\([^()]*\)[^()]*)*\)[;{:]?$"
    r"|[\])}]+[;,)]*$|.*[)\]}\"'=].*[;{]$|</?[a-zA-Z]\w*(?: [^<>]*)?/?>.*$|(?:SELECT|INSERT|UPDATE|DELETE|CREATE)\b.*$"
    r"|(?://|/\*|\*/|>>> |\$ \w|@\w+|\.\w+ ?\{).*$)",
    re.ASCII,
)


def is_code(text: str) -> bool:
    r"""Whether a text as a whole is program code: it begins as code does, or half of its lines are lines of code.

    Example:
        >>> is_code("def add(a, b):\n    return a + b"), is_code("Return the sum of a and b.")
        (True, False)
    """
    if _START.match(text):
        return True
    if "```" in text or "~~~" in text:
        return False
    if ("def " in text or "class " in text) and _DEFINITION.search(text):
        return True
    if text.startswith(("    ", "\t")) and not _OUTDENTED.search(text):
        return True
    lines = [line for line in text.split("\n") if line.strip()]
    misses = len(lines) - max(2, (len(lines) + 1) // 2)  # so many lines may be prose
    for line in lines if misses >= 0 else ():
        misses -= _LINE.match(line.rstrip()) is None
        if misses < 0:
            break
    return misses >= 0


def pieces(text: str) -> Iterator[tuple[bool, str]]:
    r"""Cut a text into prose and what is none: code between fences or back-quotes or indented, tables, formulas.

    Yields:
        Whether the piece is prose, and the piece; together they are the text.

    Example:
        >>> list(pieces("Run `a  b`:\n| x  | y |\nDone."))
        [(True, 'Run '), (False, '`a  b`'), (True, ':\n'), (False, '| x  | y |'), (True, '\nDone.')]
    """
    end = 0
    if any(sign in text for sign in _SIGNS) and _MARK.search(text):
        for found in _KEPT.finditer(text):
            if found.start() > end:
                yield True, text[end : found.start()]
            yield False, found[0]
            end = found.end()
    if end < len(text):
        yield True, text[end:]


def in_prose(text: str, change: Callable[[str], str]) -> str:
    """The text with its prose changed and everything else as it was."""
    return "".join(change(piece) if prose else piece for prose, piece in pieces(text))


def prose(text: str) -> str:
    r"""The prose of a text alone, with a blank for whatever else stood there; empty for code.

    Example:
        >>> prose("Use `x = 1`, then stop.")
        'Use  , then stop.'
    """
    if is_code(text):
        return ""
    return "".join(piece if spoken else " " for spoken, piece in pieces(text))
