"""Pictures of a search: its history, what mattered, all trials at once, and the two dimensions that mattered most."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from typing import TYPE_CHECKING, Any

from tuneloop.tuning.importance import importance
from tuneloop.tuning.section import TuneSection
from tuneloop.tuning.space import Space, settled
from tuneloop.tuning.span import Span
from tuneloop.tuning.trials import Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST = 4
"""Trials of the smallest contour."""
CHINESE = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Microsoft YaHei",
    "SimHei",
    "Droid Sans Fallback",
)
"""Fonts with Chinese letters that systems bring."""
DOT, BEST, PAUSED = "#1d4ed8", "#c2410c", "#94a3b8"


def pictures(trials: Sequence[Trial], section: TuneSection) -> Iterator[tuple[str, bytes]]:
    """Draw what there is to draw.

    Args:
        trials: All trials.
        section: The ``tune`` section.

    Yields:
        The name of a picture (``history``, ``importance``, ``parallel``, ``contour``) and its PNG.
    """
    scored = [trial for trial in trials if trial.score is not None and math.isfinite(trial.score)]
    shares = importance(Space(section.space), trials)
    with _sheet() as (figure, png):
        _history(figure.subplots(), scored, section)
        yield "history", png()
    if shares:
        with _sheet(height=1.2 + 0.4 * len(shares)) as (figure, png):
            _importance(figure.subplots(), shares)
            yield "importance", png()
    with _sheet(width=max(6.0, 1.9 * (len(section.space) + 1))) as (figure, png):
        _parallel(figure, scored, section, list(section.space))
        yield "parallel", png()
    pair = _pair(list(shares), scored)
    if pair is not None:
        with _sheet(width=6.5, height=5) as (figure, png):
            _contour(figure, scored, section, *pair)
            yield "contour", png()


def _pair(paths: list[str], trials: list[Trial]) -> tuple[str, str] | None:
    """The first two dimensions, in the order of their importance, that both vary among the trials that have both."""
    for first, second in combinations(paths, 2):
        here = [trial for trial in trials if first in trial.values and second in trial.values]
        kinds = [{str(trial.values[path]) for trial in here} for path in (first, second)]
        if len(here) >= FEWEST and min(map(len, kinds)) > 1:
            return first, second
    return None


@contextmanager
def _sheet(width: float = 8.0, height: float = 4.0) -> Iterator[tuple[Figure, Any]]:
    """A figure in the house's dress, with fonts that have Chinese letters where there are any."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"font.size": 9, "font.family": _families(), "axes.unicode_minus": False}):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)

        def png() -> bytes:
            data = io.BytesIO()
            figure.savefig(data, format="png", dpi=120)
            return data.getvalue()

        yield figure, png


def _families() -> list[str]:
    from matplotlib import font_manager

    known = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in CHINESE if name in known)]


def _history(axes: Axes, trials: list[Trial], section: TuneSection) -> None:
    """Scores in the order of trials, those of paused trials pale, and the best so far of the others."""
    done, paused = [t for t in trials if t.ended], [t for t in trials if not t.ended]
    for some, size, color, label in ((paused, 16, PAUSED, "paused on its way"), (done, 22, DOT, "trained to the end")):
        axes.scatter([t.number for t in some], [t.score or 0.0 for t in some], s=size, color=color, label=label)
    best, lead = math.inf, []
    for trial in done:
        best = min(best, section.sign * (trial.score or 0.0))
        lead.append(section.sign * best)
    axes.step([t.number for t in done], lead, where="post", color=BEST, label="best so far")
    _label(axes, "trial", section.metric)
    axes.legend(frameon=False)


def _importance(axes: Axes, shares: dict[str, float]) -> None:
    paths = list(shares)[::-1]
    axes.barh([_short(path, paths) for path in paths], [shares[path] for path in paths], color=DOT, height=0.6)
    axes.set_xlim(0, 1)
    _label(axes, "share of the spread of ranks that it explains by itself", "")


def _parallel(figure: Figure, trials: list[Trial], section: TuneSection, paths: list[str]) -> None:
    """One line a trial across one axis a dimension, coloured by its score's rank, the best on top."""
    import matplotlib

    axes = figure.subplots()
    order = sorted(trials, key=lambda trial: -section.sign * (trial.score or 0.0))
    colors = matplotlib.colormaps["viridis"]
    for rank, trial in enumerate(order):
        shade = 1 - rank / max(1, len(order) - 1)  # the worst pale, the best dark
        heights = [_height(section.space[path], trial.values[path]) if path in trial.values else None for path in paths]
        spots = [(place, height) for place, height in enumerate(heights) if height is not None]
        width = 2.4 if rank == len(order) - 1 else 1.0
        color = BEST if rank == len(order) - 1 else colors(0.85 * shade)
        axes.plot(*zip(*spots, strict=True), color=color, linewidth=width, alpha=0.9, marker="o", markersize=3)
    axes.set_xticks(range(len(paths)), [_short(path, paths) for path in paths])
    axes.set_yticks([])
    axes.set_ylim(-0.08, 1.08)
    for place, path in enumerate(paths):
        axes.axvline(place, color="#cbd5e1", linewidth=1, zorder=0)
        for height, text in _ticks(section.space[path]):
            axes.annotate(text, (place, height), xytext=(4, 2), textcoords="offset points", fontsize=8, color="#475569")
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.set_title(f"{section.metric}: dark is good, the best in orange", fontsize=9, loc="left")


def _contour(figure: Figure, trials: list[Trial], section: TuneSection, first: str, second: str) -> None:
    """The scores over two dimensions, the surface between them interpolated by inverse distance."""
    import numpy as np

    axes = figure.subplots()
    low = min(share for trial in trials for share, _ in trial.scores)
    here = [trial for trial in trials if {first, second} <= set(trial.values) and trial.at(low) not in (None, math.inf)]
    x = np.array([_height(section.space[first], trial.values[first]) for trial in here])
    y = np.array([_height(section.space[second], trial.values[second]) for trial in here])
    score = np.array([trial.at(low) for trial in here], dtype=float)
    side = np.linspace(-0.05, 1.05, 80)
    across, up = np.meshgrid(side, side)
    weight = 1 / ((across[..., None] - x) ** 2 + (up[..., None] - y) ** 2 + 4e-3) ** 1.5
    surface = (weight * score).sum(-1) / weight.sum(-1)
    filled = axes.contourf(across, up, surface, levels=12, cmap="viridis" if section.sign > 0 else "viridis_r")
    figure.colorbar(filled, label=section.metric)
    axes.scatter(x, y, s=18, color="white", edgecolor="black", linewidth=0.6)
    best = int((score * section.sign).argmin())
    axes.scatter(x[best], y[best], s=140, marker="*", color=BEST, edgecolor="white")
    axes.set_xticks(*_split(_ticks(section.space[first])))
    axes.set_yticks(*_split(_ticks(section.space[second])))
    _label(axes, first, second)
    if low < 1:
        axes.set_title(f"after {low:.0%} of the training, where all trials came", fontsize=9, loc="left")
    axes.grid(visible=False)


def _label(axes: Axes, across: str, up: str) -> None:
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _height(dimension: list[Any] | Span, value: Any) -> float:
    """Where a value stands on its axis, 0 to 1."""
    if not isinstance(dimension, Span):
        return dimension.index(value) / max(1, len(dimension) - 1)
    low, high = dimension.ends
    if dimension.by_magnitude:
        return math.log(value / low) / math.log(high / low)
    return float((value - low) / (high - low))


def _ticks(dimension: list[Any] | Span) -> list[tuple[float, str]]:
    if not isinstance(dimension, Span):
        return [(_height(dimension, value), _text(value)) for value in dimension]
    low, high = dimension.ends
    middle = math.sqrt(low * high) if dimension.by_magnitude else (low + high) / 2
    return [(_height(dimension, value), _text(value)) for value in (low, settled(dimension, middle), high)]


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _split(ticks: list[tuple[float, str]]) -> tuple[list[float], list[str]]:
    return [height for height, _ in ticks], [text for _, text in ticks]


def _short(path: str, others: Sequence[str]) -> str:
    """The last words of a path: as many as tell it from the others, and two where the last is ``size``."""
    words = path.split(".")
    fewest = 2 if words[-1] == "size" else 1
    for count in range(fewest, len(words)):
        ending = ".".join(words[-count:])
        if sum(other.endswith(f".{ending}") for other in others) < 2:
            return ending
    return path
