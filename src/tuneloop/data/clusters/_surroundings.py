"""Surroundings: what a worker elsewhere takes from its own machine, and what must be the same there as here."""

from __future__ import annotations

import platform
import unicodedata
from collections.abc import Callable
from importlib import metadata
from typing import Any

from tuneloop.data.sources import digest_read
from tuneloop.data.stretch import Stretch
from tuneloop.errors import DataError

PACKAGES = ("tuneloop", "ftfy", "py3langid", "ahocorasick-rs", "better-profanity", "tokenizers", "transformers")
"""Packages whose rules decide what becomes of a row."""


def surroundings(work: Callable[[Any], Any]) -> dict[str, str]:
    """What decides the result of work and does not travel with it: versions, files that its steps read, secret keys.

    Args:
        work: The work; only a stretch of steps has more than versions.

    Returns:
        A value or digest by name; nothing can be found from the digest of a secret.

    Raises:
        DataError: A file or a secret is not there.
    """
    found = {"Python": platform.python_version().rpartition(".")[0], "Unicode": unicodedata.unidata_version}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "none"
    for place, step in enumerate(work.transforms if isinstance(work, Stretch) else ()):
        found[f"the secret of step {place + 1}, {step.name}"] = step.stamp()
        for path in step.reads():
            found[f"{path} of step {place + 1}, {step.name}"] = digest_read(path, step.place.folder)
    return found


def check_alike(here: dict[str, str], there: dict[str, str], node: str) -> None:
    """See to it that a worker's surroundings are those of the process that gives out the work.

    Raises:
        DataError: They differ; every difference is named.

    Example:
        >>> check_alike({"ftfy": "6.3"}, {"ftfy": "6.1"}, "192.0.2.7")
        Traceback (most recent call last):
        tuneloop.errors.DataError: the rows could come out otherwise on a node of the cluster: ftfy 6.1 instead of 6.3
          where: node 192.0.2.7
          fix:   install there what is installed here, and give it the same files at the same paths and the same secrets
    """
    names = [name for name in here if there.get(name) != here[name]]
    if not names:
        return
    told = (f"{name} {there.get(name)} instead of {here[name]}" if _is_short(here[name]) else name for name in names)
    raise DataError(
        f"the rows could come out otherwise on a node of the cluster: {', '.join(told)}",
        where=f"node {node}",
        fix="install there what is installed here, and give it the same files at the same paths and the same secrets",
    )


def _is_short(value: str) -> bool:
    """Whether a value says something to people; a digest does not."""
    return len(value) < 20
