"""A student learns what a teacher would have said: both models' chances for every token, compared in small chunks.

The gradient is formed chunk by chunk in the forward pass, so the logits of all tokens never exist at once, neither
the student's nor the teacher's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tuneloop.errors import TrainingError
from tuneloop.models.logits import hidden_at, logits_at

HELD = 2**25
"""Logits of one model that are held at once, at most."""


@dataclass(frozen=True, slots=True)
class Blend:
    """How much a student listens to its teacher, and how the two are compared.

    Attributes:
        kd_ratio: Share of the teacher in the loss; the rest is the rows' cross-entropy.
        temperature: What both models' logits are divided by before they are compared.
        beta: 0 compares by ``KL(teacher || student)``, 1 by ``KL(student || teacher)``, between by a mixture of both.
    """

    kd_ratio: float
    temperature: float
    beta: float

    def __call__(self, student: Tensor, teacher: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``(1 - kd_ratio) * cross-entropy + kd_ratio * temperature^2 * divergence``, summed over rows, and both parts.

        Args:
            student: Its logits, ``(rows, vocabulary)``.
            teacher: Its logits, ``(rows, vocabulary)``; columns that only one of them has are left out.
            targets: The right tokens, ``(rows,)``, int64.

        Returns:
            The loss with gradient, the cross-entropy and the divergence, scalars in nats.

        Source:
            Hinton et al., Distilling the Knowledge in a Neural Network, 2015, section 2.
        """
        student = student.float()
        entropy = nn.functional.cross_entropy(student, targets, reduction="sum")
        distance = divergence(student, teacher.float(), self.temperature, self.beta).sum()
        loss = (1 - self.kd_ratio) * entropy + self.kd_ratio * self.temperature**2 * distance
        return loss, entropy.detach(), distance.detach()


def divergence(student: Tensor, teacher: Tensor, temperature: float = 1.0, beta: float = 0.0) -> Tensor:
    """How far the student's chances lie from the teacher's, row by row, in nats, ``(rows,)``.

    Args:
        student: Its logits, ``(rows, vocabulary)``, fp32.
        teacher: Its logits, ``(rows, vocabulary)``, fp32; columns that only one of them has are padding, left out.
        temperature: What both are divided by first.
        beta: 0 gives ``KL(t || s)``, 1 gives ``KL(s || t)``, what lies between ``beta KL(t || m)`` and
            ``(1 - beta) KL(s || m)`` together, with ``m = beta t + (1 - beta) s``.

    Source:
        Agarwal et al., On-Policy Distillation of Language Models (GKD), 2024, equation 1.

    Example:
        >>> alike = torch.tensor([[1.0, 2.0, 3.0]])
        >>> divergence(alike, alike + 5).tolist()
        [0.0]
    """
    common = min(student.shape[-1], teacher.shape[-1])
    s = torch.log_softmax(student[..., :common] / temperature, -1)
    t = torch.log_softmax(teacher[..., :common] / temperature, -1)
    if beta == 0:
        return _kl(t, s)
    if beta == 1:
        return _kl(s, t)
    logs = torch.stack([t + torch.tensor(beta).log(), s + torch.tensor(1 - beta).log()])
    mixture = torch.logsumexp(logs, 0)
    return beta * _kl(t, mixture) + (1 - beta) * _kl(s, mixture)


def _kl(p: Tensor, q: Tensor) -> Tensor:
    """``KL(p || q)`` of log-probabilities, ``(rows,)``."""
    return (p.exp() * (p - q)).sum(-1)


@dataclass(frozen=True, slots=True)
class Head:
    """What makes logits of a model's last hidden states: its output head, and what some families do afterwards.

    Attributes:
        module: The output head.
        scale: What its output is multiplied with (Cohere, Granite, Falcon-H1).
        cap: Logits stay below it, by ``cap * tanh(logits / cap)`` (Gemma); None leaves them.
    """

    module: nn.Module
    scale: float = 1.0
    cap: float | None = None

    @classmethod
    def of(cls, model: nn.Module) -> Head:
        """Find a model's head, and try it on a few tokens.

        Raises:
            TrainingError: The model makes its logits in another way.
        """
        inner: Any = model
        text = inner.config.get_text_config()
        scale = getattr(text, "logit_scale", None) or getattr(text, "lm_head_multiplier", None) or 1.0
        scale /= getattr(text, "logits_scaling", None) or 1.0
        head = cls(inner.get_output_embeddings(), scale, getattr(text, "final_logit_softcapping", None))
        ids = torch.tensor([[1, 2, 0]], device=next(model.parameters()).device)
        where = torch.ones_like(ids, dtype=torch.bool)
        was = model.training
        model.eval()
        with torch.no_grad():
            expected, found = logits_at(model, ids, where).float(), head(hidden_at(model, ids, where)).float()
        model.train(was)
        if (expected - found).abs().max() > 0.01 * expected.abs().max():
            raise TrainingError(
                f"{type(model).__name__} does not make its logits of its output head alone, so they cannot be compared",
                where="task.distillation",
                fix="take teacher and student of another family",
            )
        return head

    def __call__(self, hidden: Tensor) -> Tensor:
        """Logits, ``(rows, vocabulary)``, of hidden states ``(rows, size)``."""
        logits: Tensor = self.module(hidden) * self.scale
        return logits if self.cap is None else self.cap * torch.tanh(logits / self.cap)

    @property
    def learning(self) -> list[nn.Parameter]:
        """The head's weights that learn."""
        return [weight for weight in self.module.parameters() if weight.requires_grad]


def chunked_loss(head: Head, hidden: Tensor, loss: Callable[[Tensor, slice], Tensor], rows: int) -> Tensor:
    """Sum a loss of logits over chunks of rows; each chunk's gradient is taken at once, and its logits are let go.

    Args:
        head: Makes logits of hidden states.
        hidden: Last hidden states, ``(tokens, size)``.
        loss: Gets the logits of some rows and which rows they are of; gives their losses, summed.
        rows: Rows of a chunk.

    Returns:
        A scalar, fp32, with gradient for ``hidden`` and for the head's weights that learn.
    """
    weights = head.learning
    learns = torch.is_grad_enabled()
    out: Tensor = _Chunked.apply(head, loss, rows, weights, learns, hidden, *weights)  # type: ignore[no-untyped-call]
    return out


class _Chunked(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        head: Head,
        loss: Callable[[Tensor, slice], Tensor],
        rows: int,
        weights: list[nn.Parameter],
        learns: bool,
        hidden: Tensor,
        *_: Tensor,
    ) -> Tensor:
        total = torch.zeros((), device=hidden.device)
        slope = torch.zeros_like(hidden)
        slopes = [torch.zeros_like(weight) for weight in weights]
        for first in range(0, len(hidden), rows):
            where = slice(first, first + rows)
            part = hidden[where].detach().requires_grad_(learns)
            with torch.set_grad_enabled(learns):
                found = loss(head(part), where)
            total += found.detach()
            if learns:
                slope[where], *others = torch.autograd.grad(found, [part, *weights])
                for summed, other in zip(slopes, others, strict=True):
                    summed += other
        ctx.save_for_backward(slope, *slopes)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return (None, None, None, None, None, *(slope * gradient.to(slope.dtype) for slope in ctx.saved_tensors))
