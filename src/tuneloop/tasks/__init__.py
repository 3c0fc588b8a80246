"""Tasks: what is learned. The one place that knows how a record becomes tokens, a loss and an answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tuneloop.parts import Part
from tuneloop.rows import Drop, Record

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tuneloop.models import Tokenizer


@dataclass(frozen=True, slots=True)
class Example:
    """One row as the model sees it.

    Attributes:
        ids: Token ids, one per token.
        learn: For each token, whether the model learns to predict it (1) or only reads it (0).
        record: Id of the record it came from.
    """

    ids: tuple[int, ...]
    learn: tuple[int, ...]
    record: str


@dataclass(frozen=True, slots=True)
class Question:
    """What a model is asked in an evaluation.

    Attributes:
        record: The record it was made from.
        prompt: Token ids of the prompt, exactly as the server would render it.
        reference: The right answer.
        shown: The prompt as a person reads it.
    """

    record: Record
    prompt: tuple[int, ...]
    reference: str
    shown: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples on a device, padded on the right.

    Attributes:
        ids: Token ids, ``(batch, sequence)``, int64.
        mask: 1 for tokens, 0 for padding, ``(batch, sequence)``, int64.
        labels: The token ids to be learned at their own position, -100 elsewhere, ``(batch, sequence)``, int64.
        supervised: How many labels count (every label but those at position 0, which nothing predicts).
        tokens: How many tokens are no padding.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    labels: torch.Tensor
    supervised: int
    tokens: int


class Task(Part, ABC):
    """What is learned from a record."""

    on_overlength: Literal["drop", "truncate", "split", "error"] = "drop"
    """What happens to a row longer than ``max_length``; an end token is never cut off from a learned answer."""

    @abstractmethod
    def load(self, config: Any, folder: str | None, **options: Any) -> nn.Module:
        """Open (``folder``) or make anew (``None``) the model class that the task trains."""

    @abstractmethod
    def encode(self, record: Record, tokenizer: Tokenizer, max_length: int) -> list[Example] | Drop:
        """Turn a record into what the model sees.

        Args:
            record: The record.
            tokenizer: The model's tokenizer with its chat template.
            max_length: Tokens of the longest example.

        Returns:
            One example (several where a long one is split), or why there is none.

        Raises:
            DataError: A row is too long and ``on_overlength`` is ``error``.
        """

    @abstractmethod
    def collate(self, examples: Sequence[Example], pad: int) -> Batch:
        """Put examples side by side, padded on the right with the id ``pad``."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Sum of the losses of all supervised tokens of a batch, in nats, a scalar with gradient (fp32)."""

    @abstractmethod
    def question(self, record: Record, tokenizer: Tokenizer) -> Question | None:
        """What the model is asked about this record in an evaluation; None if it asks nothing."""
