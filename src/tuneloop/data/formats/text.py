"""Text: running text for continued pre-training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from tuneloop.data import turns
from tuneloop.data.formats import Format
from tuneloop.rows import Text as Running

NAMES = ("text", "content", "document", "raw_content", "response", "文本", "正文", "内容")


@final
class Text(Format):
    """Reads one field of running text."""

    shape = '{"text"}'
    fields = NAMES

    def fits(self, row: Mapping[str, Any]) -> float:
        """Fits where ``text`` stands, less surely than any format that also explains another field.

        The other names count where they stand alone.
        """
        if isinstance(row.get("text"), str):
            return 0.45
        return 0.45 if len(row) == 1 and isinstance(row.get(next(iter(row))), str) and next(iter(row)) in NAMES else 0.0

    def content(self, row: Mapping[str, Any]) -> Running:
        """Read one row."""
        name = next((name for name in NAMES if name in row), "text")
        return Running(turns.text(row.get(name), name))
