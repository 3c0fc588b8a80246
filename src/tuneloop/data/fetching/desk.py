"""The desk: what a fetch may use, and what it leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneloop.monitoring.progress import Progress, Silent
from tuneloop.store import Store


@dataclass(frozen=True)
class Desk:
    """Where and how sources that are no files are fetched.

    Attributes:
        store: The store; what is fetched for good lies in its cache.
        folder: The recipe's folder, from which paths of secrets start.
        drafts: A folder for snapshots that vanish with the work.
        refresh: Whether to fetch again what was fetched before.
        progress: Takes what a person should see meanwhile.
    """

    store: Store
    folder: Path
    drafts: Path
    refresh: bool = False
    progress: Progress = field(default_factory=Silent)


@dataclass(frozen=True)
class Taken:
    """A snapshot: rows as they were at one moment.

    Attributes:
        path: The file.
        name: What origins call it.
        facts: When it was fetched and how much it was: plain values for people, which decide nothing.
    """

    path: Path
    name: str
    facts: dict[str, Any] = field(default_factory=dict)
