"""JSON lines: one object a line."""

from __future__ import annotations

import json as standard
from collections.abc import Iterator
from pathlib import Path
from typing import final

from tuneloop.data.decoding import lines
from tuneloop.data.readers import Raw, Reader
from tuneloop.data.scanning import Broken, parse


@final
class Jsonl(Reader):
    """Reads one JSON object from each line; empty lines are no rows."""

    endings = (".jsonl", ".ndjson")

    def rows(self, path: Path) -> Iterator[Raw]:
        """Give the object of each line."""
        for line in lines(path):
            if line.problem:
                yield Raw(line.number, None, line.problem)
            elif line.text.strip():
                yield self._row(line.number, line.text, line.repair)

    def _row(self, number: int, text: str, repair: str) -> Raw:
        start = len(text) - len(text.lstrip())
        try:
            value, end, mended = parse(text, start)
        except standard.JSONDecodeError as error:
            return Raw(number, None, f"no JSON: {error.msg} (column {error.pos + 1})")
        except Broken as error:
            return Raw(number, None, f"no JSON: {error}")
        if text[end:].strip():
            return Raw(number, None, f"no JSON: something follows the first value (column {end + 1})")
        if not isinstance(value, dict):
            return Raw(number, None, f"a row must be a JSON object, this is a {type(value).__name__}")
        return Raw(number, value, "", repair or mended)
