"""Trials: short runs that all begin at the same weights, with the same rows in the same order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from tuneloop.training import loop
from tuneloop.training.encoded import Encoded
from tuneloop.training.groups import groups, learning
from tuneloop.training.pull import Pull
from tuneloop.training.randomness import Generators

HELD_OUT = 96
"""Held-out rows that trials are measured on."""
PARTS = 12
"""Groups of them; the spread between the groups gives the standard errors."""


class Measured(NamedTuple):
    """Losses of the same groups of rows at one set of weights.

    Attributes:
        sums: Summed loss of each group, ``(groups,)``, nats.
        terms: Learned terms of each group, ``(groups,)``.
    """

    sums: np.ndarray
    terms: np.ndarray

    @property
    def mean(self) -> float:
        """Mean loss, in nats per learned term."""
        return float(self.sums.sum() / self.terms.sum())

    def above(self, other: Measured) -> tuple[float, float]:
        """By how much the mean loss is higher than at other weights, and the standard error of that.

        Args:
            other: The same groups at other weights.

        Source:
            Cochran, Sampling Techniques, 1977, section 6.4: the ratio of two sums over a sample of groups.
        """
        gains = self.sums - other.sums
        total, count = self.terms.sum(), len(gains)
        mean = gains.sum() / total
        if count < 2 or not math.isfinite(mean):
            return float(mean), math.inf
        spread = float(np.square(gains - mean * self.terms).sum())
        return float(mean), math.sqrt(count / (count - 1) * spread) / float(total)


class Trials:
    """A learner that is put back to where it began before every trial.

    Rows are held out of the validation split; where there is none, a share of the training rows is kept apart.

    Args:
        learner: Ready for its first step.
    """

    def __init__(self, learner: loop.Learner) -> None:
        self.learner = learner
        self._weights = [(weight, weight.detach().clone()) for weight in learning(learner.model).values()]
        self._scaler = learner.precision.scaler.state_dict() if learner.precision.scaler else {}
        self._random = Generators.now()
        draw = np.random.default_rng([learner.seed, len(learner.train)])
        rows = draw.permutation(len(learner.train))
        apart = 0 if len(learner.validation) else min(HELD_OUT, len(rows) // 5)
        self.split = learner.validation if len(learner.validation) else learner.train
        held = rows[:apart] if apart else draw.permutation(len(self.split))[:HELD_OUT]
        self.held = [part.tolist() for part in np.array_split(held, min(PARTS, len(held)))] if len(held) else []
        self._rows = rows[apart:]

    def put_back(self) -> None:
        """Take the learner back to its start: weights, optimizer, loss scaler and random generators."""
        learner = self.learner
        with torch.no_grad():
            for weight, first in self._weights:
                weight.copy_(first)
        if learner.precision.scaler:
            learner.precision.scaler.load_state_dict(self._scaler)
        optimizer = learner.section.optimizer.build(groups(learner.model, learning(learner.model), learner.section))
        pull = Pull.of(optimizer, learner.section.regularization)
        self.learner = replace(learner, optimizer=optimizer, pull=pull)
        self._random.restore()

    def rows(self, step: int) -> list[int]:
        """Training rows of a step, counted from 0; they are the same in every trial."""
        size = min(self.learner.section.batch.size, len(self._rows))
        places = np.arange(step * size, (step + 1) * size) % len(self._rows)
        return [int(row) for row in self._rows[places]]

    def step(self, step: int, rate: float) -> float:
        """Make one optimizer step at a rate.

        Returns:
            The loss before it, in nats per learned term; infinity where loss or gradient are not finite, and then
            the weights stay as they are.
        """
        learner = self.learner
        for group in learner.optimizer.param_groups:
            group["lr"] = rate * group.get("pace", 1.0)
        learned = loop.learn(learner, self.rows(step))
        overflown = learner.precision.scaler is not None and not math.isfinite(learned.norm)
        if not math.isfinite(learned.loss) or not (math.isfinite(learned.norm) or overflown):
            return math.inf
        loop.update(learner)
        return float(learned.loss)

    def run(self, steps: int, rate: float, looks: Iterable[int]) -> list[Measured]:
        """Train from the start with the recipe's own schedule, squeezed into a few steps.

        Args:
            steps: Optimizer steps.
            rate: The highest rate.
            looks: Steps after which the held-out rows are measured, rising.

        Returns:
            What was measured; fewer than asked for where the loss stopped being finite.
        """
        self.put_back()
        after, found = set(looks), list[Measured]()
        for step in range(steps):
            factor = self.learner.section.schedule.at(step, steps, [each.mean for each in found])
            if not math.isfinite(self.step(step, rate * factor)):
                break
            if step + 1 in after:
                found.append(self.measure())
                if not math.isfinite(found[-1].mean):
                    return found[:-1]
        return found

    def measure(self) -> Measured:
        """Measure the held-out rows, without dropout."""
        learner = self.learner
        learner.model.eval()
        found = losses(learner, self.split, self.held)
        learner.model.train()
        return found


@torch.no_grad()
def losses(learner: loop.Learner, split: Encoded, parts: Sequence[list[int]]) -> Measured:
    """Measure groups of rows, in the mode that the model is in.

    Args:
        learner: What is measured.
        split: The split that the rows are of.
        parts: The rows of each group.
    """
    sums, terms = np.zeros(len(parts)), np.zeros(len(parts))
    for index, part in enumerate(parts):
        with learner.precision.forward():
            for batch in learner.together(split, part):
                sums[index] += learner.loss(learner.model, batch).item()
                terms[index] += batch.supervised
    return Measured(sums, terms)
