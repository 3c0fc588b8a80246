"""Exporters: a tuned model in the form of another tool, checked against the original. One file, one method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.parts import Part

if TYPE_CHECKING:
    from tuneloop.models import Loaded


class Exporter(Part, ABC):
    """Writes one form."""

    @abstractmethod
    def write(self, loaded: Loaded, folder: Path) -> dict[str, Any]:
        """Write the model in this form and check that it answers like the original.

        Args:
            loaded: The tuned model with its tokenizer.
            folder: An empty folder to write in.

        Returns:
            What the check measured, for ``verify.json``.

        Raises:
            ModelError: The written model does not answer like the original.
        """
