"""Score functions for the tests of searches, found by name in other processes; they keep a log of what they did."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tuneloop.tuning.trials import Order, Outcome


def scored(order: Order) -> Outcome:
    """The distance of ``x`` from 3, less what training takes away; it writes down that it was called."""
    with Path(order.context["log"]).open("a") as log:
        log.write(f"{order.trial} {order.share:.3f}\n")
    time.sleep(order.context.get("seconds", 0.0))
    score = abs(order.values["x"] - 3) + (1 - order.share)
    return Outcome(
        order.trial, order.share, score=score, ended=order.share == 1, steps=round(9 * order.share), epochs=order.share
    )


def deadly(order: Order) -> Outcome:
    """As ``scored``, but an even ``x`` kills the process, and 5 makes it raise."""
    if order.values["x"] % 2 == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if order.values["x"] == 5:
        raise RuntimeError("five is right out")
    return scored(order)


def refused(order: Order) -> Outcome:
    """Nothing can be trained with these values."""
    return Outcome(order.trial, order.share, failure=f"x {order.values['x']} does not fit")


def hopeless(order: Order) -> Outcome:
    """What is compared is never measured."""
    fatal = ("RecipeError", "nothing records `y`", "tune.metric", "did you mean `x`?")
    return Outcome(order.trial, order.share, failure="nothing", fatal=fatal)


def not_a_number(order: Order) -> Outcome:
    """As ``scored``, but an ``x`` above 4 has no score."""
    outcome = scored(order)
    return outcome if order.values["x"] <= 4 else Outcome(order.trial, order.share, score=float("nan"), ended=True)
