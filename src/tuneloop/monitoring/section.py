"""The ``monitor`` section: what is looked at while a run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from tuneloop.monitoring.checks import Check
from tuneloop.monitoring.trackers import Tracker
from tuneloop.parts import OneOf, Section, find, names


class MonitorSection(Section):
    """What is watched during training."""

    checks: list[OneOf[Check]] = Field(default_factory=lambda: [find(Check, name)() for name in names(Check)])
    """What is looked for in the curves; by default everything there is."""
    trackers: list[OneOf[Tracker]] = Field(default_factory=list)
    """Where the figures go besides the run's own file: ``mlflow``, ``tensorboard``; by default nowhere."""
    log_steps: int = Field(1, ge=1)
    """Optimizer steps between lines of the log."""
    details: bool = True
    """Whether losses of single rows, by source and by place in the answer, and gradients by layer are kept too."""
    samples: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    """Questions of held-out rows that the model answers at every evaluation, where there are no ``sample_prompts``;
    ``auto`` takes 3 where answering costs less than 2 % of the training."""
    sample_prompts: tuple[str, ...] = ()
    """Prompts that the model answers at every evaluation, kept with the run."""
    general_texts: str | None = "auto"
    """Texts on which forgetting is measured: ``own`` are texts that the model writes before its first step, or name a
    file of plain text; null measures none, ``auto`` takes ``own`` where that costs less than 2 % of the training."""

    def beside(self, folder: Path) -> MonitorSection:
        """The section with its file found from a recipe's folder."""
        if self.general_texts in (None, "own", "auto"):
            return self
        return self.model_copy(update={"general_texts": str(folder / str(self.general_texts))})
