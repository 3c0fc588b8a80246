"""A finding: what a check saw in a run, on what evidence, and what to change."""

from __future__ import annotations

from typing import Literal

import msgspec


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of ``findings.jsonl``.

    Attributes:
        check: The cause, by the name of the check that saw it.
        severity: ``good`` news, a ``note``, a ``warning`` (the result suffers), an ``error`` (the run is of no use).
        first_step: First of the steps it speaks of.
        last_step: Last of them.
        evidence: What was seen, in a sentence with its figures.
        advice: What to do about it, in a sentence.
        change: The one change of the recipe that does so, as ``--set`` takes it (``train.optimizer.adamw.learning_rate=
            2e-05``); empty where no recipe change can, and people must look at rows or code.
        rows: Origins of the rows that it speaks of, the most telling first.
        figures: The figures of the evidence by name, for programs.
    """

    check: str
    severity: Literal["good", "note", "warning", "error"]
    first_step: int
    last_step: int
    evidence: str
    advice: str
    change: str = ""
    rows: tuple[str, ...] = ()
    figures: dict[str, float] = {}
