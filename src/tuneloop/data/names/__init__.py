"""What names of people and places are made of, in English and Chinese: small tables and the scoring over them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

TABLES = Path(__file__).parent / "tables"


@cache
def sections(file: str) -> dict[str, str]:
    """Read a table: ``[section]`` lines, each followed by its text; lines that begin with ``#`` are notes.

    Args:
        file: Name of the file in the folder of tables.

    Returns:
        Text of every section by its name, lines joined by blanks.
    """
    found: dict[str, list[str]] = {}
    for line in (TABLES / file).read_text("utf-8").splitlines():
        if line.startswith("["):
            lines = found.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            lines.append(line)
    return {name: " ".join(lines) for name, lines in found.items()}


def words(file: str, section: str) -> frozenset[str]:
    """Read a section of a table as a set of words.

    Args:
        file: Name of the file in the folder of tables.
        section: Name of the section.

    Returns:
        The words between its blanks.
    """
    return frozenset(sections(file)[section].split())
