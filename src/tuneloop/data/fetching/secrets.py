"""Secrets of a request: named in the recipe, taken from the environment or a file, and seen nowhere else."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from tuneloop.errors import DataError

SHORTEST = 8
"""Characters of a secret: a shorter one could not be told from other text when it is taken out of answers."""

_NAMED = re.compile(r"\b(env|file):(\S+)")
_SECRET = re.compile(
    r"authorization|cookie|token|secret|passw|signature|credential|api[-_]?key|access[-_]?key|^(x-)?key$|^sig$",
    re.IGNORECASE,
)


def names_secret(value: str) -> bool:
    """Whether a value of the recipe names a secret instead of holding it."""
    return _NAMED.search(value) is not None


def bare(values: Mapping[str, str]) -> list[str]:
    """Names of headers or query parameters that must hold a secret, and are given it in plain sight.

    Example:
        >>> bare({"Accept": "application/json", "X-Api-Key": "env:SHOP_KEY", "access_token": "12345678"})
        ['access_token']
    """
    return [name for name, value in values.items() if _SECRET.search(name) and not names_secret(value)]


class Secrets:
    """Takes secrets from where they are kept, and takes them out of all that is kept or shown.

    Args:
        folder: The folder that paths of files start from.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._marks: dict[str, str] = {}

    def fill(self, text: str, where: str) -> str:
        """A value with the secrets it names: ``Bearer env:API_TOKEN``, ``file:keys/api.txt``.

        Args:
            text: The value as the recipe has it.
            where: Which value it is, for messages.

        Raises:
            DataError: A secret is not there, too short, or of several lines.
        """
        return _NAMED.sub(lambda found: self._take(found[1], found[2], where), text)

    def clean(self, value: Any) -> Any:
        """A plain value in which every secret is replaced by its name."""
        if not self._marks:
            return value
        if isinstance(value, str):
            for secret, mark in self._marks.items():
                if secret in value:
                    value = value.replace(secret, mark)
            return value
        if isinstance(value, dict):
            return {self.clean(key): self.clean(inner) for key, inner in value.items()}
        return [self.clean(inner) for inner in value] if isinstance(value, list) else value

    def restore(self, text: str) -> str:
        """A text that was cleaned, with its secrets again."""
        for secret, mark in self._marks.items():
            text = text.replace(mark, secret)
        return text

    def _take(self, kind: str, name: str, where: str) -> str:
        if kind == "env":
            value = os.environ.get(name, "")
            fix = f"set it: export {name}=..."
        else:
            try:
                value = (self._folder / Path(name).expanduser()).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                value = ""
            fix = f"write the secret into the file {name}, alone on one line"
        value = value.strip()
        if not value:
            raise DataError(f"the secret {kind}:{name} is empty or not there", where=where, fix=fix)
        if len(value) < SHORTEST or not value.isprintable():
            raise DataError(
                f"the secret {kind}:{name} is no secret: it has fewer than {SHORTEST} characters, or several lines",
                where=where,
                fix=fix,
            )
        for number, form in enumerate(dict.fromkeys((value, quote(value, safe=""), quote_plus(value), quote(value)))):
            self._marks[form] = f"[{kind}:{name}{'%' * number}]"
        return value
