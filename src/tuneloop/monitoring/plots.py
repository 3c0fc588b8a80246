"""Plots: a run's curves in one picture, for reports and for people."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal

from tuneloop.monitoring.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAIN, HELD_OUT, OTHER, ZONE = "#9db4d6", "#c2410c", "#475569", "#fde3d3"


def curves(history: History, *, format: Literal["svg", "png"] = "svg") -> bytes:
    """Draw losses, learning rate and gradient norm of a run, one below the other.

    The lowest held-out loss is marked; where the held-out loss stays above it to the end while training goes
    on, the zone is shaded as over-fitting.

    Args:
        history: The run's figures.
        format: ``svg`` (the same bytes for the same figures) or ``png``.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    settings: dict[str, Any] = {"svg.hashsalt": "tuneloop", "svg.fonttype": "path", "font.size": 9}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(8, 6.5), layout="constrained")
        FigureCanvasAgg(figure)
        loss, rate, norm = figure.subplots(3, 1, sharex=True, height_ratios=[3, 1, 1])
        _losses(loss, history)
        _line(rate, history, "train/learning_rate", "learning rate")
        _line(norm, history, "train/grad_norm", "gradient norm")
        norm.set_xlabel("optimizer step")
        for axes in (loss, rate, norm):
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
        data = io.BytesIO()
        figure.savefig(data, format=format, dpi=120, metadata={"Date": None} if format == "svg" else None)
    return data.getvalue()


def overfitting(history: History) -> tuple[int, int] | None:
    """The steps from the lowest held-out loss to the last, if two evaluations or more came after it.

    Example:
        >>> from tuneloop.rows import Signal
        >>> losses = [(10, 2.0), (20, 1.5), (30, 1.6), (40, 1.9)]
        >>> overfitting(History(Signal(step, "validation/loss", loss, 0.0) for step, loss in losses))
        (20, 40)
    """
    series = history.series("validation/loss")
    if not series:
        return None
    best = min(series, key=lambda entry: (entry[1], entry[0]))[0]
    after = [step for step, _ in series if step > best]
    return (best, after[-1]) if len(after) >= 2 else None


def _losses(axes: Axes, history: History) -> None:
    train = history.series("train/loss")
    held_out = history.series("validation/loss")
    axes.plot(*_columns(train), color=TRAIN, linewidth=0.8)
    axes.plot(*_columns(smooth(train)), color="#1d4ed8", linewidth=1.4, label="training (running mean)")
    if held_out:
        axes.plot(*_columns(held_out), color=HELD_OUT, marker="o", markersize=3.5, label="held out")
        step, value = min(held_out, key=lambda entry: (entry[1], entry[0]))
        axes.plot([step], [value], marker="*", markersize=13, color=HELD_OUT, label=f"lowest: {value:.3f} at {step}")
    zone = overfitting(history)
    if zone:
        axes.axvspan(*zone, color=ZONE, alpha=0.6, zorder=0, label="over-fitting")
    axes.set_ylabel("loss (nats)")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)


def _line(axes: Axes, history: History, name: str, label: str) -> None:
    axes.plot(*_columns(history.series(name)), color=OTHER, linewidth=1.0)
    axes.set_ylabel(label)


def _columns(series: list[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [step for step, _ in series], [value for _, value in series]


def smooth(series: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Mean over a centred window of a twentieth of the run."""
    half = max(1, len(series) // 40)
    sums = [0.0]
    for _, value in series:
        sums.append(sums[-1] + value)
    smooth = []
    for index, (step, _) in enumerate(series):
        first, last = max(0, index - half), min(len(series), index + half + 1)
        smooth.append((step, (sums[last] - sums[first]) / (last - first)))
    return smooth
