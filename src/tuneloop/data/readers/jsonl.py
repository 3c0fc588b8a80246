"""JSON lines: one object a line."""

from __future__ import annotations

import json as standard
from typing import final

import msgspec

from tuneloop.data.decoding import Block, Line
from tuneloop.data.readers import LineReader, Raw
from tuneloop.data.scanning import NO_JSON, Broken, parse

_decode = msgspec.json.Decoder().decode


@final
class Jsonl(LineReader):
    """Reads one JSON object from each line; empty lines are no rows."""

    endings = (".jsonl", ".ndjson")

    def row(self, block: Block, number: int, raw: bytes) -> Raw | None:
        """Give the object of a line. A fast decoder reads what is sound; what it refuses is looked at with care."""
        try:
            value = _decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            line = block.line(number, raw)
            return _careful(line) if line.problem or line.text.strip() else None
        return _row(number, value, block.repair)


def _careful(line: Line) -> Raw:
    """Read a line as far as it can be, or say why it cannot."""
    if line.problem:
        return Raw(line.number, None, line.problem)
    text = line.text
    start = len(text) - len(text.lstrip())
    try:
        value, end, mended = parse(text, start)
    except standard.JSONDecodeError as error:
        return Raw(line.number, None, NO_JSON, detail=f"{error.msg} (column {error.pos + 1})")
    except Broken as error:
        return Raw(line.number, None, str(error), detail=error.detail)
    if text[end:].strip():
        return Raw(line.number, None, NO_JSON, detail=f"something follows the first value (column {end + 1})")
    return _row(line.number, value, line.repair or mended)


def _row(number: int, value: object, repair: str) -> Raw:
    if not isinstance(value, dict):
        return Raw(number, None, f"a row must be a JSON object, this is a {type(value).__name__}")
    return Raw(number, value, "", repair)
