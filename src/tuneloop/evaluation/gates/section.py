"""A gate as a recipe writes it."""

from __future__ import annotations

from pydantic import Field, model_validator

from tuneloop.parts import Section


class Gate(Section):
    """One thing that must hold of the tuned model."""

    metric: str = Field(examples=["exact_match"], json_schema_extra={"beside": {"at_least": 0.9}})
    """A figure of the report: a metric, ``loss``, ``perplexity``, ``macro_f1``, ``regression`` (share of the rows that
    must stay right), ``judge`` (its wins, ties counted half), or ``TASK/METRIC`` of a benchmark."""
    at_least: float | None = None
    """It is this or more."""
    at_most: float | None = None
    """It is this or less."""
    no_worse_than: str = Field("", examples=["champion"], json_schema_extra={"beside": {"by": 0.02}})
    """It is no worse than that of ``base``, or of a name of ``evaluate.against``. Without a champion that gate is
    open."""
    by: float = Field(0.0, ge=0, json_schema_extra={"beside": {"no_worse_than": "champion", "confidence": 0}})
    """With ``no_worse_than``: by how much it may be worse and still pass, in the figure's own unit."""
    confidence: float = Field(0.95, ge=0, lt=1, json_schema_extra={"beside": {"at_least": 0.9}})
    """How surely it must hold: the whole interval has to lie on the right side. 0 looks at the figure alone."""

    @model_validator(mode="after")
    def _one_demand(self) -> Gate:
        demands = [self.at_least is not None, self.at_most is not None, bool(self.no_worse_than)]
        if sum(demands) != 1:
            raise ValueError("give one of at_least, at_most and no_worse_than")
        if self.by and not self.no_worse_than:
            raise ValueError("by goes with no_worse_than")
        if self.no_worse_than and self.confidence and not self.by:
            raise ValueError("no model is surely no worse by 0: give by, or set confidence to 0")
        return self
