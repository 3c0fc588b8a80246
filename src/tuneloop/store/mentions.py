"""Mentions: files of a store, of whatever kind, that name a subject."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

from tuneloop.store.parquet import read_records
from tuneloop.store.subject import Search

UNSEARCHED = frozenset({".safetensors", ".gguf", ".onnx", ".npy", ".npz", ".bin", ".pt", ".png"})
"""Endings of files that hold numbers; what a model learned shows in lineage alone."""
VOCABULARY = frozenset({"tokenizer.json", "vocab.json", "merges.txt", "tokenizer.model", "spiece.model"})
"""Files of a tokenizer, which come from the base model."""
TEXT = frozenset({".json", ".jsonl", ".yaml", ".yml", ".md", ".html", ".txt", ".csv", ".svg", ".jinja", ".log", ".dvc"})
PIECE, OVERLAP = 1024**2, 4096
_ESCAPE = re.compile(r'\\[nrtbf"/\\]')


def mentions(path: Path, search: Search) -> int:
    """How many rows or lines of a file name a subject; of a database or other binary file, how many pieces.

    Args:
        path: The file.
        search: What is looked for.
    """
    if path.suffix in UNSEARCHED or path.name in VOCABULARY:
        return 0
    if path.suffix == ".parquet":
        return sum(map(search.record, read_records(path)))
    return sum(search.text(unescaped(piece)) for piece in _pieces(path))


def below(folder: Path, search: Search) -> dict[str, int]:
    """The files below a folder that name a subject, by their path relative to it, with how often."""
    found: dict[str, int] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (count := mentions(path, search)):
            found[path.relative_to(folder).as_posix()] = count
    return found


def unescaped(text: str) -> str:
    r"""A text of JSON or HTML without what stands for blanks and signs.

    Example:
        >>> unescaped(r"Ann\nLee &amp; Co")
        'Ann Lee & Co'
    """
    if "\\" in text:
        text = _ESCAPE.sub(" ", text)
    return html.unescape(text) if "&" in text else text


def _pieces(path: Path) -> Iterator[str]:
    """The lines of a text; of another file pieces that overlap, so that nothing is missed between two."""
    with path.open("rb") as file:
        if path.suffix in TEXT:
            for line in file:
                yield line.decode("utf-8", "replace")
            return
        tail = b""
        while piece := file.read(PIECE):
            yield (tail + piece).decode("utf-8", "replace")
            tail = piece[-OVERLAP:]
