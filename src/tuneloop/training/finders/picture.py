"""The picture of a learning rate that was found: the range test above, the short runs below, the pick through both."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tuneloop.training.finders.rate import Rate

GAIN, HELD_OUT, PICK, MARK = "#1d4ed8", "#c2410c", "#047857", "#64748b"


def picture(found: Rate, *, format: Literal["png", "svg"] = "png") -> bytes:
    """Draw what the range test and the short runs showed.

    Args:
        found: What was found.
        format: Of the picture.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "tuneloop", "font.size": 9}):
        figure = Figure(figsize=(8, 6), layout="constrained")
        FigureCanvasAgg(figure)
        sweep, runs = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
        _sweep(sweep, found)
        _runs(runs, found)
        for axes in (sweep, runs):
            if found.rate is not None:
                axes.axvline(found.rate, color=PICK, linewidth=1.6, linestyle="--")
            axes.set_xscale("log")
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
            if axes.get_legend_handles_labels()[0]:
                axes.legend(frameon=False, loc="best")
        runs.set_xlabel("learning rate")
        title = "no rate learned anything" if found.rate is None else f"learning rate {found.rate:.2g}"
        figure.suptitle(title, color=PICK, fontweight="bold")
        data = io.BytesIO()
        figure.savefig(data, format=format, dpi=120, metadata={"Date": None} if format == "svg" else None)
    return data.getvalue()


def _sweep(axes: Axes, found: Rate) -> None:
    from tuneloop.training.finders.rate import WINDOW

    finite = [(each.rate, each.gain) for each in found.sweep if np.isfinite(each.gain)]
    rates, gains = (np.array(column) for column in zip(*finite, strict=True)) if finite else (np.ones(0), np.ones(0))
    axes.plot(rates, gains, ".", color=GAIN, markersize=3, alpha=0.5, label="each step")
    if len(gains) >= WINDOW:
        smooth = np.convolve(gains, np.ones(WINDOW) / WINDOW, "valid")
        axes.plot(rates[WINDOW // 2 : WINDOW // 2 + len(smooth)], smooth, color=GAIN, label=f"mean of {WINDOW} steps")
        low = min(0.0, float(smooth.min()))
        axes.set_ylim(low - 0.2 * (smooth.max() - low) - 1e-6, 1.3 * float(max(smooth.max(), 1e-6)))
    axes.axhline(0, color=MARK, linewidth=0.8)
    for rate, name, style in ((found.steepest, "steepest", ":"), (found.divergence, "divergence", "-.")):
        if rate is not None:
            axes.axvline(rate, color=MARK, linewidth=1.1, linestyle=style, label=f"{name} {rate:.2g}")
    axes.set_ylabel("range test: gain (nats)")


def _runs(axes: Axes, found: Rate) -> None:
    tried = [(each.rate, each.held_out, each.error or 0.0) for each in found.trials if each.held_out is not None]
    axes.axhline(found.start, color=MARK, linewidth=1.1, label=f"before any step: {found.start:.3f}")
    axes.errorbar(
        [rate for rate, _, _ in tried],
        [loss for _, loss, _ in tried],
        yerr=[error for _, _, error in tried],
        color=HELD_OUT,
        marker="o",
        capsize=3,
        label=f"{found.steps} steps each, with standard errors against the best",
    )
    axes.set_ylabel("short runs: held-out loss (nats)")
