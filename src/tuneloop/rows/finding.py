"""A finding: what a check saw in a run, on what evidence, and what to change."""

from __future__ import annotations

from typing import Literal

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """One line of ``findings.jsonl``: check, severity, the steps it speaks of, evidence and advice."""

    check: str
    severity: Literal["good", "note", "warning", "error"]
    first_step: int
    last_step: int
    evidence: str
    advice: str
