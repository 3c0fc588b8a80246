"""Tasks: what is learned. The one place that knows how a record becomes tokens, a loss and an answer."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tuneloop.parts import Part
from tuneloop.rows import Drop, Record
from tuneloop.tasks._batch import Batch, Example, Tokens, packed, padded

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tuneloop.models import Base, Loaded, Tokenizer
    from tuneloop.store import Store

__all__ = ["LEARNED_BY", "Batch", "Example", "Objective", "Question", "Task", "Tokens", "packed", "padded"]

Objective = Callable[["nn.Module", Batch], "torch.Tensor"]
"""A model and a batch give the sum of the losses of all supervised terms, a scalar with gradient (fp32)."""

LEARNED_BY = {"chat": "sft", "text": "pretrain", "preference": "preference", "labeled": "text_classification"}
"""The task that each kind of row is made for."""


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


class Task(Part, ABC):
    """What is learned from a record."""

    on_overlength: Literal["drop", "truncate", "split", "error"] = "drop"
    """What happens to a row longer than ``max_length``; an end token is never cut off from a learned answer."""

    packs: ClassVar[bool] = False
    """Whether :meth:`loss` takes packed batches too."""

    def fitted(self, rows: Iterable[Record], known: Mapping[str, Any] | None = None) -> Task:  # noqa: ARG002
        """The task with what it reads from the training rows before the first step, such as the set of labels.

        Args:
            rows: The training rows.
            known: Facts of a tuned model that training goes on from, or that is measured: what was fitted for it holds.

        Raises:
            DataError: The rows do not hold what the task needs.
        """
        return self

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

    def joined(self, examples: Iterable[Example], max_length: int) -> Iterator[Example]:  # noqa: ARG002
        """Give the examples of a split what they need of each other; by default nothing.

        Args:
            examples: All examples, in the order of their rows.
            max_length: Tokens of the longest sequence.

        Returns:
            One example for each, in the same order.
        """
        return iter(examples)

    def sequences(self, example: Example) -> Sequence[Tokens]:
        """The runs of tokens that an example is made of: itself, unless the task keeps several in one example."""
        return (Tokens(example.ids, example.learn),)

    def collate(self, examples: Sequence[Example], pad: int) -> Batch:
        """Put examples side by side, one sequence a row, padded on the right with the id ``pad``."""
        return _marked(padded([each for example in examples for each in self.sequences(example)], pad), examples)

    def pack(self, examples: Sequence[Example]) -> Batch:
        """Put examples one after the other in a single row; only for a task that ``packs``."""
        return _marked(packed([each for example in examples for each in self.sequences(example)]), examples)

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Sum of the losses of all supervised terms of a batch, in nats, a scalar with gradient (fp32)."""

    def others(self, *, folder: Path, store: Store) -> dict[str, Base]:  # noqa: ARG002
        """Other models that the task learns with, found but not opened, by their role: a ``teacher``.

        Args:
            folder: The folder that relative paths start from.
            store: The store, for models in it.

        Raises:
            ModelError: One cannot be found.
        """
        return {}

    def objective(
        self,
        loaded: Loaded,  # noqa: ARG002
        *,
        others: Mapping[str, Base] | None = None,  # noqa: ARG002
        dtype: torch.dtype | None = None,  # noqa: ARG002
    ) -> Objective:
        """What training makes smaller: :meth:`loss`, unless the task needs more than the model, such as a teacher.

        Args:
            loaded: The model that learns, with its adapter; where a teacher is opened, it goes to the same device.
            others: What :meth:`others` found.
            dtype: What the run computes products in.
        """
        return self.loss

    def reference(self) -> Callable[[nn.Module, Batch], torch.Tensor] | None:
        """What is worked out once, with the model as it is before its first step, and comes back in ``batch.values``.

        Returns:
            A function that gives numbers for a batch's examples, ``(examples, values)``, fp32, called without gradient
            in evaluation mode; None if the loss needs nothing.
        """
        return None

    @property
    def term(self) -> str:
        """What the loss is a mean over, in a word."""
        return "token"

    def gauge(self) -> Callable[[nn.Module, Batch], torch.Tensor] | None:
        """What the loss of each batch needs to know of all batches of a step; it comes back in ``batch.gauge``.

        Returns:
            A function that gives a sum over a batch's terms, a scalar, called without gradient in evaluation mode
            before the step; ``batch.gauge`` is then the mean over all terms of the step. None if there is nothing.
        """
        return None

    def figures(self, sums: Mapping[str, float]) -> dict[str, float]:  # noqa: ARG002
        """Make figures of the sums that :meth:`loss` left in ``batch.figures``, added up over batches."""
        return {}

    def alternatives(self) -> dict[str, Task]:
        """The same task with one option changed, by what was changed, to show in the receipts that the option acts."""
        return {}

    def acts(self, values: Any) -> dict[str, Any]:  # noqa: ARG002
        """Say for the run's receipts what the task's options did.

        Args:
            values: What :meth:`reference` gave for the training examples, ``(examples, values)``, in NumPy; or None.
        """
        return {}

    @property
    def choices(self) -> tuple[str, ...]:
        """The answers that the model chooses from; none of a model that writes its answers token by token."""
        return ()

    def choose(self, loaded: Loaded, questions: Sequence[Question], max_length: int) -> list[str]:  # noqa: ARG002
        """The answers of a model that chooses among :attr:`choices`; none of one that writes.

        Args:
            loaded: The model, in evaluation mode.
            questions: What :meth:`question` made.
            max_length: Tokens of the longest prompt; longer ones are shortened as in training.
        """
        return []

    def chances(self, loaded: Loaded, questions: Sequence[Question], max_length: int) -> list[list[float]]:  # noqa: ARG002
        """How probable a model that chooses holds each of :attr:`choices` for, ``(questions, choices)``.

        The arguments are those of :meth:`choose`, whose answers are the most probable ones. Empty for a model that
        writes, and for a task that knows no probabilities.
        """
        return []

    @abstractmethod
    def question(self, record: Record, tokenizer: Tokenizer) -> Question | None:
        """What the model is asked about this record in an evaluation; None if it asks nothing."""


def _marked(batch: Batch, examples: Sequence[Example]) -> Batch:
    if not examples[0].marks:
        return batch
    import torch

    return dataclasses.replace(batch, marks=torch.tensor([example.marks for example in examples]))
