"""The ``tune`` section: what is varied, how it is searched, and what is compared."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from tuneloop.errors import RecipeError
from tuneloop.parts import OneOf, Section, find
from tuneloop.tuning.runners import Runner
from tuneloop.tuning.searches import Search
from tuneloop.tuning.span import Dimension, flat


class TuneSection(Section):
    """A search: the recipe is trained again and again with other values at some of its paths."""

    space: Annotated[dict[str, Dimension], BeforeValidator(flat)] = Field(default_factory=dict)
    """What is varied: any path of the recipe's data, model, task, train and seed, with a list of values or a span
    (``{log: [1e-5, 1e-3]}``, ``{float: [0, 0.2]}``, ``{int: [4, 64]}``). An option of a part counts only where that
    part is chosen."""
    search: OneOf[Search] = Field(default_factory=lambda: find(Search, "asha")())
    """How the next trial is chosen: ``grid``, ``random``, ``tpe`` or ``asha``."""
    trials: int | None = Field(None, ge=1)
    """Trials at most; by default every cell of a grid, and 20 otherwise."""
    metric: str = "validation/loss"
    """What is compared: a figure of the run (``validation/loss``), taken where the held-out loss is lowest, or a score
    of ``evaluate`` (``exact_match``), measured on the validation split."""
    direction: Literal["auto", "minimize", "maximize"] = "auto"
    """Whether low or high is good; ``auto`` minimizes losses and perplexity, and maximizes everything else."""
    workers: int = Field(1, ge=1)
    """Trials that are trained at the same time."""
    runner: OneOf[Runner] = Field(default_factory=lambda: find(Runner, "processes")())
    """Where they are trained: ``processes`` of this machine, ``inline`` in the searching process, or ``ray`` tasks."""
    keep: int = Field(1, ge=1)
    """Models of the best trials that are kept; of the others the runs with their figures are."""

    @model_validator(mode="after")
    def _fits(self) -> TuneSection:
        if self.workers > 1 and self.runner.name == "inline":
            raise ValueError("inline trains one trial after the other: it has no use for more than one worker")
        if len(self.search.rungs()) > 1 and "/" not in self.metric:
            raise ValueError(
                f"{self.search.name} compares trials on their way, and {self.metric!r} is measured at the end only"
            )
        return self

    def check_space(self) -> None:
        """Make sure that there is something to vary.

        Raises:
            RecipeError: The space is empty.
        """
        if not self.space:
            fix = "name paths with their values, for example `train.optimizer.adamw.learning_rate: {log: [1e-5, 1e-3]}`"
            raise RecipeError("there is nothing to vary: tune.space is empty", where="tune.space", fix=fix)

    @property
    def sign(self) -> int:
        """What a score is multiplied with so that lower is better: 1 or -1.

        Example:
            >>> TuneSection().sign, TuneSection(search="random", metric="exact_match").sign
            (1, -1)
        """
        if self.direction != "auto":
            return 1 if self.direction == "minimize" else -1
        return 1 if any(word in self.metric for word in ("loss", "perplexity")) else -1
