"""Price: what looking at a run costs beside training it, before either has begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuneloop.models.quantized import weights

if TYPE_CHECKING:
    from tuneloop.training.loop import Learner

SHARE = 0.02
"""Share of the training's arithmetic that answers and general texts may cost where nobody asked for them."""
LITTLE = 1e11
"""Floating-point operations that nobody notices: about half a second of one core."""
TOKENS_OF_A_STEP = 16
"""Tokens that are read in about the time in which a few answers grow by one token: the weights are read once for it."""
FORWARD, STEP = 2, 6
"""Operations for each weight and token: of a forward pass, and of a step of training (Kaplan et al., Scaling Laws for
Neural Language Models, 2020, section 2.1)."""


def affordable(learner: Learner, tokens: int) -> bool:
    """Whether passes of the model over so many tokens at every evaluation are cheap beside the training.

    It follows from the model's size and the plan alone, never from a clock, so that the same recipe is always looked at
    in the same way.

    Args:
        learner: The model, the rows and the plan.
        tokens: Tokens that are read at each evaluation, or :data:`TOKENS_OF_A_STEP` for each token of an answer.
    """
    size = weights(learner.model)
    rows = learner.train
    trained = learner.plan.steps * learner.section.batch.size * rows.ids.size / max(1, len(rows))
    looks = 2 + learner.plan.steps // learner.plan.eval_steps
    return FORWARD * size * tokens * looks <= max(LITTLE, SHARE * STEP * size * trained)
