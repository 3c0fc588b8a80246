"""Plain text: paragraphs, lines or the whole file, for continued pre-training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, final

from tuneloop.data.decoding import Line, lines
from tuneloop.data.readers import Raw, Reader

LONGEST = 10_000
"""Characters after which a paragraph without an empty line is closed at the next line end."""


@final
class Text(Reader):
    """Reads running text."""

    endings = (".txt", ".text")

    by: Literal["paragraph", "line", "file"] = "paragraph"
    """One row for each paragraph (between empty lines), for each line, or for the whole file."""

    def rows(self, path: Path) -> Iterator[Raw]:
        """Give each piece of text with the line it begins on; empty pieces are no rows."""
        block: list[Line] = []
        size = 0
        for line in lines(path):
            empty = not line.text.strip()
            if block and (self.by == "line" or (self.by == "paragraph" and (empty or size > LONGEST))):
                yield _row(block)
                block, size = [], 0
            if block or not empty:
                block.append(line)
                size += len(line.text)
        if block:
            yield _row(block)


def _row(block: list[Line]) -> Raw:
    problem = next((line.problem for line in block if line.problem), "")
    repair = next((line.repair for line in block if line.repair), "")
    text = "\n".join(line.text for line in block).rstrip()
    return Raw(block[0].number, None if problem else {"text": text}, problem, repair)
