"""The learning rate: a range test on the real rows, then short runs at the rates that it leaves in question.

::

    sweep    the rate grows from far too low to far too high, a step each     steepest descent, divergence
    ladder   short runs from the same start, half a decade apart              held-out loss of each
    pick     the rate with the lowest held-out loss

The sweep alone is known to mislead (it never stays at any rate), so it only says where the ladder begins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from tuneloop.errors import TrainingError
from tuneloop.training.finders.asked import Asked
from tuneloop.training.finders.trials import Measured, Trials, losses

SPAN = 1e8
"""The highest rate of a sweep over its lowest."""
BELOW = 1e-3
"""The lowest rate of a sweep over the rate that the optimizer has by default."""
RUNG = math.sqrt(10)
"""From one rate of the ladder to the next."""
MOST = 8
"""Short runs at most."""
WINDOW = 9
"""Steps of the sweep that are looked at together."""
SURE = 2.0
"""Standard errors that a difference must have to be told from noise."""


class Swept(msgspec.Struct, frozen=True):
    """One step of the sweep.

    Attributes:
        rate: Its learning rate.
        loss: Loss of its rows before the step, in nats per learned term.
        gain: By how much that is lower than the same rows' loss at the start.
    """

    rate: float
    loss: float
    gain: float


class Tried(msgspec.Struct, frozen=True):
    """One short run.

    Attributes:
        rate: Its highest learning rate.
        held_out: Lowest held-out loss on the way, in nats per learned term; None where it came to nothing finite.
        above: By how much that is above the best of all runs.
        error: Standard error of that difference; None where there is nothing to compare.
    """

    rate: float
    held_out: float | None
    above: float | None = None
    error: float | None = None


class Rate(msgspec.Struct, frozen=True):
    """What was found about the learning rate.

    Attributes:
        rate: The rate that is proposed, for the highest step of the schedule; None where nothing could be told.
        written: The rate that the recipe has.
        change: The proposal as ``--set`` takes it; empty where there is none.
        why: The reason, in a sentence with figures.
        steepest: The rate of the sweep at which the loss came down fastest; None where no descent is beyond noise.
        divergence: The rate of the sweep at which the loss began to rise; None where it never did.
        start: Held-out loss before any step.
        steps: Optimizer steps of each short run.
        sweep: The steps of the sweep, in their order.
        trials: The short runs, lowest rate first.
    """

    rate: float | None
    written: float
    change: str
    why: str
    steepest: float | None
    divergence: float | None
    start: float
    steps: int
    sweep: list[Swept]
    trials: list[Tried]


def find_rate(asked: Asked, *, sweep: int = 100, steps: int = 50) -> Rate:
    """Find a learning rate for a recipe's rows, base and options; nothing of the trials is kept.

    Args:
        asked: What would be trained.
        sweep: Steps of the range test.
        steps: Steps of each short run; 0 leaves them out and trusts the range test alone.

    Returns:
        The proposal with all that speaks for it.

    Raises:
        ModelError: The model cannot be opened.
        TrainingError: There is nothing to learn, or an option cannot act.

    Source:
        Smith, Cyclical Learning Rates for Training Neural Networks, 2015, section 3.3 (the range test); Smith, A
        Disciplined Approach to Neural Network Hyper-Parameters, 2018.
    """
    with asked.opened() as (_, learner):
        trials = Trials(learner)
        if not trials.held:
            raise TrainingError(
                f"{len(learner.train)} training rows leave none to measure a rate on",
                where=asked.dataset.id,
                fix="give more rows, or set data.split.validation",
            )
        swept = _sweep(asked, trials, sweep)
        steepest, divergence = marks(swept)
        trials.put_back()
        start = trials.measure()
        few = min(steps, learner.plan.steps)
        tried = _ladder(asked, trials, start, few, _center(swept, steepest, divergence)) if few else {}
        trials.put_back()
    return _told(asked, swept, (steepest, divergence), start, few, tried)


def marks(swept: Sequence[Swept]) -> tuple[float | None, float | None]:
    """The rates of a sweep at which the loss came down fastest, and at which it began to rise.

    The gain over the same rows at the start is smoothed over :data:`WINDOW` steps. What is within
    :data:`SURE` standard errors of it is taken for noise.

    Args:
        swept: The steps, lowest rate first.

    Returns:
        Steepest and divergence; None for what the sweep does not show.
    """
    finite = [each for each in swept if math.isfinite(each.gain)]
    ended = len(finite) < len(swept)
    if len(finite) < 2 * WINDOW:
        return None, swept[len(finite)].rate if ended else None
    rates = np.log10([each.rate for each in finite])
    gains = np.array([each.gain for each in finite])
    smooth = np.convolve(gains, np.ones(WINDOW) / WINDOW, "valid")
    top = int(np.argmax(smooth))
    slopes, errors = _slopes(rates, gains)
    best = int(np.argmax(slopes[: top + 1]))
    steepest = float(10 ** rates[best + WINDOW // 2]) if slopes[best] > SURE * errors[best] else None
    noise = float(np.std(np.diff(gains[: max(WINDOW, len(gains) // 3)]), ddof=1)) / math.sqrt(2 * WINDOW)
    fallen = np.flatnonzero(smooth[top:] < smooth[top] - max(SURE * 2 * noise, 0.1 * abs(smooth[top])))
    if len(fallen):
        return steepest, float(10 ** rates[top + int(fallen[0]) + WINDOW // 2])
    return steepest, swept[len(finite)].rate if ended else None


def _slopes(rates: np.ndarray, gains: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gain per decade in every window, by least squares, with its standard error."""
    x = np.lib.stride_tricks.sliding_window_view(rates, WINDOW)
    y = np.lib.stride_tricks.sliding_window_view(gains, WINDOW)
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    squares = (x * x).sum(1)
    slopes = (x * y).sum(1) / squares
    rest = y - slopes[:, None] * x
    return slopes, np.sqrt((rest * rest).sum(1) / (WINDOW - 2) / squares)


def _sweep(asked: Asked, trials: Trials, steps: int) -> list[Swept]:
    """Let the rate grow until the loss is far above where it began, then measure the same rows at the start."""
    lowest = type(asked.train.optimizer).model_fields["learning_rate"].default * BELOW
    rates = [float(rate) for rate in lowest * np.geomspace(1, SPAN, steps)]
    asked.progress.start("range test", steps)
    trials.put_back()
    after: list[float] = []
    for step, rate in enumerate(rates):
        after.append(trials.step(step, rate))
        asked.progress.advance(step + 1, {"train/loss": after[-1], "train/learning_rate": rate})
        if _lost(after):
            break
    trials.put_back()
    before = losses(trials.learner, trials.learner.train, [trials.rows(step) for step in range(len(after))])
    first = before.sums / before.terms
    return [Swept(rate, loss, float(at) - loss) for rate, loss, at in zip(rates, after, first, strict=False)]


def _lost(after: Sequence[float]) -> bool:
    """Whether the last losses of a sweep are not finite, or surely above the first ones."""
    if not math.isfinite(after[-1]):
        return True
    if len(after) < 2 * WINDOW:
        return False
    first, last = np.array(after[:WINDOW]), np.array(after[-WINDOW:])
    noise = math.sqrt((first.var(ddof=1) + last.var(ddof=1)) / WINDOW)
    return bool(last.mean() - first.mean() > 2 * SURE * noise + 0.1 * first.mean())


def _center(swept: Sequence[Swept], steepest: float | None, divergence: float | None) -> float:
    """Where the ladder begins: a tenth of the divergence, the classical pick of a range test."""
    if divergence is not None:
        return divergence / 10
    return steepest if steepest is not None else swept[len(swept) // 2].rate


def _ladder(asked: Asked, trials: Trials, start: Measured, steps: int, center: float) -> dict[float, Measured | None]:
    """Short runs, a rung up or down from the best so far, until the best has a worse one on either side."""
    looks = sorted({max(1, round(steps * share)) for share in (1 / 3, 2 / 3, 1)})
    tried: dict[int, Measured | None] = {}
    rung: int | None = 0
    asked.progress.start("short runs", MOST)
    while rung is not None and len(tried) < MOST:
        found = trials.run(steps, center * RUNG**rung, looks)
        tried[rung] = min(found, key=lambda each: each.mean) if len(found) == len(looks) else None
        asked.progress.advance(len(tried), {"validation/loss": found[-1].mean} if found else None)
        rung = _next(tried, start)
    return {center * RUNG**rung: tried[rung] for rung in sorted(tried)}


def _next(tried: dict[int, Measured | None], start: Measured) -> int | None:
    """The rung to try next: beside the best, where nothing was tried yet; lower ones first."""
    means = {rung: math.inf if each is None else each.mean for rung, each in tried.items()}
    best = min(means, key=lambda rung: (means[rung], rung))
    if not means[best] < start.mean:  # nothing learns: it was too high, until that is ruled out
        lower = min(tried) - 1
        return lower if lower > -5 else max(tried) + 1 if max(tried) < 2 else None
    return next((rung for rung in (best - 1, best + 1) if rung not in tried), None)


def _told(
    asked: Asked,
    swept: list[Swept],
    at: tuple[float | None, float | None],
    start: Measured,
    steps: int,
    tried: dict[float, Measured | None],
) -> Rate:
    steepest, divergence = at
    section = asked.train
    best = min((each for each in tried.values() if each), key=lambda each: each.mean, default=None)
    trials = [_compared(rate, each, best) for rate, each in tried.items()]
    rate: float | None = None
    if best is not None and best.mean < start.mean:
        pick = _safe(trials)
        rate = pick.rate
        why = f"held-out loss {start.mean:.4g} to {pick.held_out:.4g} in {steps} steps"
        why += ", the lowest" if pick.above == 0 else ", as good as the lowest, which is nearer to divergence,"
        why += f" of {len(trials)} rates"
    elif not tried and (steepest or divergence):
        rate = min(each for each in (steepest, divergence and divergence / 10) if each)
        why = "the range test alone: the steepest descent, but no more than a tenth of the divergence"
    else:
        why = f"no rate brought the held-out loss below {start.mean:.4g} in {steps} steps: look at the rows first"
    rate = None if rate is None else rounded(rate)
    written = section.optimizer.learning_rate
    value = None if rate is None else rounded(rate * written / section.learning_rate)
    change = f"train.optimizer.{section.optimizer.name}.learning_rate={value:g}" if value else ""
    return Rate(rate, section.learning_rate, change, why, steepest, divergence, start.mean, steps, swept, trials)


def _safe(trials: list[Tried]) -> Tried:
    """The best run, or the one a rung below it if its loss is higher by less than one standard error.

    Long trainings diverge at lower rates than short ones.
    """
    (place,) = (index for index, each in enumerate(trials) if each.above == 0)
    below = trials[max(0, place - 1)]
    return below if below.above is not None and below.above <= (below.error or 0.0) else trials[place]


def _compared(rate: float, each: Measured | None, best: Measured | None) -> Tried:
    if each is None or best is None:
        return Tried(rate, None)
    above, error = each.above(best)
    return Tried(rate, each.mean, above, error if math.isfinite(error) else None)


def rounded(rate: float) -> float:
    """A rate in two digits, as people write it.

    Example:
        >>> rounded(0.00031623)
        0.00032
    """
    return float(f"{rate:.1e}")
