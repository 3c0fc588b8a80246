"""Figures as people read them on a page: short, and the same in every table."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tuneloop.monitoring.proof import figure

if TYPE_CHECKING:
    from markupsafe import Markup


def loss(value: float | None) -> str:
    """A loss in nats.

    Example:
        >>> loss(1.23456), loss(0.00123), loss(None)
        ('1.235', '0.00123', '')
    """
    if value is None:
        return ""
    return f"{value:.3f}" if abs(value) >= 0.1 else f"{value:.3g}"


def amount(value: float | None) -> str:
    """Any other figure, in four digits.

    Example:
        >>> amount(0.0002), amount(12345.6), amount(None)
        ('0.0002', '12,346', '')
    """
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else figure(float(value))


def span(seconds: float | None) -> str:
    """A time span in its two largest units.

    Example:
        >>> span(4.23), span(75), span(7260), span(200000), span(None)
        ('4.2 s', '1 min 15 s', '2 h 1 min', '2 d 7 h', '')
    """
    if seconds is None:
        return ""
    rest = round(seconds)
    for unit, size, below, smaller in (("d", 86400, 3600, "h"), ("h", 3600, 60, "min"), ("min", 60, 1, "s")):
        if rest >= size:
            return f"{rest // size} {unit} {rest % size // below} {smaller}"
    return f"{rest} s" if rest >= 10 else f"{seconds:.1f} s"


def moment(when: float) -> str:
    """A time of day on this machine's clock: ``2026-01-31 14:05``; empty for none."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(when)) if when else ""


def short(id: str) -> str:
    """The beginning of an artifact's id that people copy; other names stay whole.

    Example:
        >>> short("run-246fbd1e94b637095b19"), short("work-1")
        ('run-246fbd1e', 'work-1')
    """
    kind, _, digits = id.partition("-")
    return f"{kind}-{digits[:8]}" if len(digits) == 20 else id[:24]


def base(recipe: Mapping[str, Any]) -> str:
    """The base model of a recipe: its name, or the last folder of its path.

    Example:
        >>> base({"model": {"base": "/data/models/small"}}), base({"model": {"base": "Qwen/Qwen3-0.6B"}})
        ('small', 'Qwen/Qwen3-0.6B')
    """
    name = str((recipe.get("model") or {}).get("base", ""))
    return name.rstrip("/").rpartition("/")[2] if name.startswith(("/", ".", "~")) else name


def spark(points: list[tuple[int, float]], first: int, last: int, low: float, high: float) -> str:
    """The points of a small curve in a box 100 wide and 24 high, as SVG takes them.

    Example:
        >>> spark([(1, 3.0), (11, 1.0)], 1, 11, 1.0, 3.0)
        '0.0,2.0 100.0,22.0'
    """
    width, height = max(1, last - first), (high - low) or 1.0
    step = max(1, len(points) // 60)
    kept = [*points[:-1:step], *points[-1:]]
    return " ".join(f"{100 * (x - first) / width:.1f},{22 - 20 * (y - low) / height:.1f}" for x, y in kept)


def dots(path: str) -> Markup:
    """A recipe path that may be broken after a dot."""
    from markupsafe import Markup, escape

    return escape(path).replace(".", Markup(".<wbr>"))
