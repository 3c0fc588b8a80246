"""What a person sees: tables that line up, and figures in few digits."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any
from unicodedata import combining, east_asian_width

import click

if TYPE_CHECKING:
    from rich.console import Console

_SHORT = {
    "train/loss": ("loss", "{:.3f}"),
    "validation/loss": ("held-out", "{:.3f}"),
    "train/rewards/accuracies": ("right", "{:.0%}"),
    "train/rewards/margins": ("margin", "{:.3f}"),
    "train/learning_rate": ("rate", "{:.1e}"),
    "train/grad_norm": ("grad", "{:.2f}"),
    "train/tokens_per_second": ("tok/s", "{:,.0f}"),
    "train/memory_mb": ("MB", "{:,.0f}"),
    "train/epoch": ("epoch", "{:.2f}"),
}

_NARROW = 24
"""Columns below which a last column is not worth wrapping."""


def console(*, err: bool = False) -> Console:
    """A rich console that wraps to a terminal's width and never wraps in a file or pipe."""
    from rich.console import Console

    return Console(stderr=err, highlight=False)


def table(header: Sequence[str], rows: Sequence[Sequence[Any]], *, right: Sequence[int] = ()) -> None:
    """Print an aligned table without frames; the columns in ``right`` are aligned to the right.

    On a terminal the last column is wrapped to its width, or stands below the others where that leaves too little;
    in a file or pipe every row is one line.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(wide, column)) for column in zip(header, *cells, strict=True)]
    indent = sum(widths[:-1]) + 2 * len(widths[:-1])
    room = terminal() - indent if sys.stdout.isatty() else 0
    below = bool(room) and room < min(widths[-1], _NARROW)
    if below:
        indent, room = 4, terminal() - 4
    if any(header):
        click.secho(_row(header, widths, right), bold=True)
    for row in cells:
        *first, last = row
        lines = wrap(last, room) if room and wide(last) > room else [last]
        click.echo(_row([*first, "" if below else lines[0]], widths, right))
        for line in lines if below and last else lines[1:]:
            click.echo(" " * indent + line)


def paragraph(text: str, indent: int) -> str:
    """Wrap a sentence to the terminal's width, its later lines indented; in a file or pipe it stays one line."""
    if not sys.stdout.isatty():
        return text
    return "\n".join(wrap(text, max(_NARROW, terminal() - 1), subsequent_indent=" " * indent))


def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> str:
    filled = []
    for index, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        space = " " * (width - wide(cell))
        filled.append(space + cell if index in right else cell + space)
    return "  ".join(filled).rstrip()


def wide(text: str) -> int:
    """How many columns of a terminal a text takes: two for each Chinese character.

    Example:
        >>> wide("ab"), wide("模型")
        (2, 4)
    """
    if text.isascii():
        return len(text)
    return sum(0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def pairs(rows: Mapping[str, Any]) -> None:
    """Print names and values in two columns."""
    width = max((wide(name) for name in rows), default=0)
    for name, value in rows.items():
        click.echo(f"{name}{' ' * (width - wide(name))}  {value}".rstrip())


def figure(value: Any) -> str:
    """Write a figure in few digits.

    Example:
        >>> figure(0.123456), figure(1234567), figure(2e-7), figure(True), figure("x")
        ('0.1235', '1,234,567', '2.0e-07', 'yes', 'x')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if value and not 1e-3 <= abs(value) < 1e6:
            return f"{value:.1e}"
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)


def size(count: float) -> str:
    """Write a number of bytes for people.

    Example:
        >>> size(1536), size(3 * 1024**3)
        ('1.5 KiB', '3.0 GiB')
    """
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def duration(seconds: float) -> str:
    """Write a time span for people.

    Example:
        >>> duration(4.2), duration(75), duration(7260)
        ('4.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def moment(when: float) -> str:
    """Write a time of day: ``2026-01-31 14:05``."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(when))


def figures(values: Mapping[str, float], room: int = 0) -> str:
    """Write the figures of one step on one line, the known ones in their order, with short names.

    A task's own figures have two slashes in their name; of them, only the known ones are shown.

    Args:
        values: The figures by name.
        room: Columns there are for it; what does not fit is left out. 0 takes what it needs.

    Example:
        >>> figures({"train/learning_rate": 2e-4, "train/loss": 1.25})
        'loss 1.250  rate 2.0e-04'
    """
    known = [f"{short} {form.format(values[name])}" for name, (short, form) in _SHORT.items() if name in values]
    others = [name for name in values if name not in _SHORT and name.count("/") < 2]
    told = known + [f"{name} {figure(values[name])}" for name in others]
    while room and told and len("  ".join(told)) > room:
        told.pop()
    return "  ".join(told)


def terminal() -> int:
    """Columns of the terminal."""
    return shutil.get_terminal_size().columns
