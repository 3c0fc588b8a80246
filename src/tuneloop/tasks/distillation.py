"""Distillation: a small model learns from rows what a larger one thinks of every token."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from pydantic import Field

from tuneloop.tasks import Objective
from tuneloop.tasks._conversations import Conversations

if TYPE_CHECKING:
    import torch

    from tuneloop.models import Base, Loaded
    from tuneloop.store import Store


@final
class Distillation(Conversations):
    """Learns the answers of conversations as ``sft`` does, and at each of their tokens the teacher's chances.

    The teacher reads the same tokens, frozen. Both models must have the same tokens under the same ids, as models of
    one family have; rows of the output head that only one of them has are left out. In training the held-out loss is
    this same loss, and ``cross_entropy`` and ``divergence`` are its parts; an evaluation measures the cross-entropy.

    Formula:
        ``(1 - kd_ratio) * cross-entropy + kd_ratio * temperature^2 * KL(teacher || student)``, of chances that both
        make of their logits divided by ``temperature``. ``beta`` is the interpolation of generalised Jensen-Shannon
        divergence: 0 is the KL divergence above, 1 is ``KL(student || teacher)``.

    Source:
        Hinton et al., Distilling the Knowledge in a Neural Network, 2015, section 2; Agarwal et al., GKD, 2024,
        equation 1.
    """

    teacher: str = Field(examples=["Qwen/Qwen2.5-7B-Instruct"])
    """The model to learn from: folder (relative to the recipe), Hugging Face name, or a model of the store."""
    kd_ratio: float = Field(0.5, ge=0, le=1)
    """Share of the teacher in the loss; 0 is ``sft``, 1 leaves the rows' own tokens out."""
    temperature: float = Field(1.0, gt=0)
    """Above 1 the teacher's unlikely tokens count for more."""
    beta: float = Field(0.0, ge=0, le=1)
    """0 makes the student cover all that the teacher does (forward KL), 1 makes it choose (reverse KL)."""

    def others(self, *, folder: Path, store: Store) -> dict[str, Base]:
        """Find the teacher."""
        from tuneloop.models import find_base
        from tuneloop.models.section import ModelSection

        if self.kd_ratio == 0:
            return {}
        return {"teacher": find_base(ModelSection(base=self.teacher), folder=folder, store=store)}

    def objective(
        self, loaded: Loaded, *, others: Mapping[str, Base] | None = None, dtype: torch.dtype | None = None
    ) -> Objective:
        """Open the teacher, frozen, beside the model that learns.

        Raises:
            ModelError: The teacher cannot be opened.
            TrainingError: The teacher has other tokens.
        """
        if self.kd_ratio == 0:
            return self.loss
        from tuneloop.models.teaching import Blend
        from tuneloop.tasks._taught import Taught

        blend = Blend(self.kd_ratio, self.temperature, self.beta)
        return Taught.by((others or {})["teacher"], loaded, self, blend, dtype)

    def figures(self, sums: Mapping[str, float]) -> dict[str, float]:
        """Cross-entropy of the rows' own tokens and divergence from the teacher, in nats per token."""
        return {name: sums[name] / sums["tokens"] for name in ("cross_entropy", "divergence") if sums.get("tokens")}

    def acts(self, values: Any) -> dict[str, Any]:  # noqa: ARG002
        """How much the student listened, and to whom; the run's signals hold how far it came."""
        return {"teacher": self.teacher if self.kd_ratio else None, "kd_ratio": self.kd_ratio}
