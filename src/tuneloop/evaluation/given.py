"""Given: what a report speaks of beside its own two models, found by whoever calls the stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tuneloop.rows import Record
from tuneloop.store import Report
from tuneloop.store.digest import of_value


@dataclass(frozen=True)
class Given:
    """Other models' reports, rows that must stay right, and files.

    Attributes:
        against: Reports of other models on the same rows, by the name they are compared under.
        regression: Rows that must stay right.
        folder: The folder that relative paths of the recipe start from.
        files: Digests of files that decide a figure, by their path.
    """

    against: Mapping[str, Report] = field(default_factory=dict)
    regression: Sequence[Record] = ()
    folder: Path = field(default_factory=Path)
    files: Mapping[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        """Digest of all of it."""
        against = {name: report.id for name, report in self.against.items()}
        return of_value([against, [record.id for record in self.regression], dict(self.files)])
