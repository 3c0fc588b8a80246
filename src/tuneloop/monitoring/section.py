"""The ``monitor`` section: what is looked at while a run goes on."""

from __future__ import annotations

from pydantic import Field

from tuneloop.monitoring.checks import Check
from tuneloop.parts import OneOf, Section, find, names


class MonitorSection(Section):
    """What is watched during training."""

    checks: list[OneOf[Check]] = Field(default_factory=lambda: [find(Check, name)() for name in names(Check)])
    """What is looked for in the curves; by default everything there is."""
    log_steps: int = Field(1, ge=1)
    """Optimizer steps between lines of the log."""
    sample_prompts: tuple[str, ...] = ()
    """Prompts that the model answers after every evaluation, kept with the run."""
