"""Receipts: proof that what the recipe asked for is what happened, taken from the weights and the run itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tuneloop.models import quantized
from tuneloop.training.loop import Learner
from tuneloop.training.noise import noise_proof
from tuneloop.training.processes.proof import processes_proof
from tuneloop.training.receipts import course
from tuneloop.training.receipts.memory import memory
from tuneloop.training.receipts.options import effects
from tuneloop.training.receipts.probes import probes
from tuneloop.training.receipts.weights import Weights, formats, kinds, moved, new_layers
from tuneloop.training.state import State

__all__ = ["Before", "receipts"]


@dataclass(frozen=True)
class Before:
    """What was true before the first step: the weights, and what a pass over one row showed."""

    weights: Weights
    probes: dict[str, Any]

    @classmethod
    def of(cls, learner: Learner) -> Before:
        """Look at what is ready to learn; nothing of it changes.

        Raises:
            TrainingError: An option of the recipe does not act.
        """
        return cls(Weights.of(learner.model), probes(learner))


def receipts(learner: Learner, before: Before, state: State, *, reason: str) -> dict[str, Any]:
    """Compare the weights with what they were, and say what the run really did.

    Args:
        learner: What learned, at the end of the run.
        before: What was true at its beginning.
        state: Where the run ended.
        reason: Why it ended.

    Raises:
        TrainingError: No trained weight moved, or a frozen one did.
    """
    model, section = learner.model, learner.section
    far = moved(model, before.weights, state.step)
    total = quantized.weights(model)
    trained = sum(weight.numel() for weight in learner.weights)
    alpha = section.regularization.neftune_noise_alpha
    return {
        "weights": {
            "trained": trained,
            "total": total,
            "share": trained / total,
            "frozen_unmoved": True,
            "kinds": kinds(model),
            "new_layers": new_layers(model, before.weights),
            "moved": far,
        },
        "quantization": quantized.proof(model),
        "task": {"name": learner.task.name, **learner.task.acts(learner.train.values), **effects(learner)},
        "reference": learner.reference,
        "adapter": {"name": section.adapter.name, **section.adapter.acts(model)},
        "optimizer": {"name": section.optimizer.name, "groups": course.groups(learner)},
        "batch_scaling": course.batch_scaling(learner),
        "quick": asdict(learner.quick),
        "dropout": before.probes["dropout"],
        "noise": noise_proof(model, alpha) if alpha is not None else None,
        "pull": learner.pull.proof(learner.optimizer) if learner.pull else None,
        "smoothing": before.probes["smoothing"],
        "precision": {
            "wished": section.precision,
            "used": learner.precision.name,
            "device": str(learner.precision.device),
            "computed_in": before.probes["computed_in"],
            "kept_in": formats(model, learner.optimizer),
        },
        "memory": memory(learner, state),
        "schedule": course.schedule(learner, state),
        "clipping": course.clipping(learner, state),
        "early_stopping": course.early_stopping(learner),
        "processes": processes_proof(learner, state),
        "ended": reason,
        "best_step": state.best[0] if state.best else state.step,
        "steps": course.steps(learner, state),
        "rows_seen": state.rows,
        "rows_digest": state.seen,
        "tokens": state.tokens,
        "supervised_tokens": state.learned,
    }
