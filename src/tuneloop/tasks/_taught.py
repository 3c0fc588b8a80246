"""Taught: the loss of a student beside its teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tuneloop.errors import TrainingError
from tuneloop.models import Base, Loaded, Tokenizer, load_base
from tuneloop.models.logits import hidden_at
from tuneloop.models.quick import quicken
from tuneloop.models.section import ModelSection
from tuneloop.models.teaching import HELD, Blend, Head, chunked_loss
from tuneloop.rows import Message
from tuneloop.tasks import Batch, Task

PROBES = (
    "user\nWhat is 12 + 30?\nassistant\n  It is 42.",
    "你好，请在三月三号晚上七点半提醒我。",
    '{"a": [1, 2.5, null], "b": "ünïcödé 🙂"}\n\ndef f(x):\n\treturn x ** 2',
)
PARTS = ("cross_entropy", "divergence")
"""What a loss is blended of."""
CHAT = (Message("user", "Who wrote Hamlet?"), Message("assistant", "Shakespeare"), Message("user", "And Faust?"))


@dataclass(slots=True)
class Taught:
    """An objective: student and teacher read the same tokens, and their chances are compared.

    Attributes:
        teacher: The frozen model.
        base: Where it came from.
        head: The student's head.
        teacher_head: The teacher's.
        blend: What is made of both models' logits.
        streams: Whether the teacher is known to read packed rows exactly.
    """

    teacher: nn.Module
    base: Base
    head: Head
    teacher_head: Head
    blend: Blend
    streams: bool = False

    @classmethod
    def by(cls, base: Base, student: Loaded, task: Task, blend: Blend, dtype: torch.dtype | None) -> Taught:
        """Open a teacher for a student.

        Args:
            base: The teacher.
            student: The model that learns; the teacher goes to its device.
            task: It knows the model class.
            blend: What is made of both models' logits.
            dtype: The run's arithmetic; the teacher's weights are kept in it.

        Raises:
            ModelError: The teacher cannot be opened.
            TrainingError: It has other tokens than the student.
        """
        with torch.random.fork_rng([student.device] if student.device.type == "cuda" else []):
            loaded = load_base(base, ModelSection(base=base.name), task, device=torch.device("cpu"))
        same_tokens(student.tokenizer, loaded.tokenizer, base.name)
        teacher = loaded.model.to(student.device, dtype).eval().requires_grad_(False)
        quicken(teacher)
        return cls(teacher, base, Head.of(student.model), Head.of(teacher), blend)

    def __call__(self, model: nn.Module, batch: Batch) -> Tensor:
        """Sum of the blended losses of all supervised tokens of a batch; both parts are left in its figures."""
        if batch.ends and not self.streams:
            self._take_streams()
        following = batch.labels[:, 1:]
        where = torch.zeros_like(batch.labels, dtype=torch.bool)
        where[:, :-1] = following != -100
        targets = following[following != -100]
        with torch.no_grad():
            known = hidden_at(self.teacher, batch.ids, where, batch.ends)
        hidden = hidden_at(model, batch.ids, where, batch.ends)
        batch.figures["tokens"] = where.sum()
        parts = {name: torch.zeros((), device=hidden.device) for name in PARTS}
        batch.figures.update(parts)

        def loss(logits: Tensor, part: slice) -> Tensor:
            with torch.no_grad():
                taught = self.teacher_head(known[part])
            mixed, *apart = self.blend(logits, taught, targets[part])
            for name, summed in zip(PARTS, apart, strict=True):
                parts[name] += summed
            return mixed

        return chunked_loss(self.head, hidden, loss, max(1, HELD // self.vocabulary))

    @property
    def vocabulary(self) -> int:
        """Logits that the larger of the two heads gives."""
        return max(len(head.module.weight) for head in (self.head, self.teacher_head))  # type: ignore[arg-type]

    def _take_streams(self) -> None:
        from tuneloop.models.stream import NotPackable, streams_are_exact, take_streams

        try:
            take_streams(self.teacher)
            reason = streams_are_exact(self.teacher)
        except NotPackable as error:
            reason = str(error)
        if reason:
            raise TrainingError(
                f"the teacher {self.base.name} cannot read packed rows: {reason}",
                where="task.distillation.teacher",
                fix="write train.batch.packing: false, or take another teacher",
            )
        self.streams = True


def same_tokens(student: Tokenizer, teacher: Tokenizer, name: str) -> None:
    """Make sure that two tokenizers give the same ids.

    Raises:
        TrainingError: A token has another id, or a text gets other ids.
    """
    ours, theirs = student.hf.get_vocab(), teacher.hf.get_vocab()
    other = sorted(token for token in {*ours, *theirs} if ours.get(token) != theirs.get(token))
    texts = [*PROBES, student.render(CHAT, generation=True)]
    apart = [text for text in texts if _ids(student, text) != _ids(teacher, text)]
    if other or apart:
        what = (
            f"{len(other):,} tokens such as {other[0]!r} have other ids"
            if other
            else f"it reads {apart[0]!r} otherwise"
        )
        raise TrainingError(
            f"the teacher {name} has other tokens than the student: {what}",
            where="task.distillation.teacher",
            fix="take a teacher of the student's own family, or let it write answers and train on them with sft",
        )


def _ids(tokenizer: Tokenizer, text: str) -> Any:
    return tokenizer.hf(text, add_special_tokens=False, verbose=False)["input_ids"]
