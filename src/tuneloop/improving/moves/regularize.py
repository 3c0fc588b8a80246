"""Regularize: what keeps a model from learning its rows by heart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from pydantic import Field

from tuneloop.improving.moves import Move, Proposal, Story
from tuneloop.improving.story import Attempt


@final
class Regularize(Move):
    """Tries dropout, weight decay and a smaller rank, one after the other, where training runs ahead of held-out rows.

    Source:
        Srivastava et al., Dropout, 2014; Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019; Jain et
        al., NEFTune, 2023.
    """

    gap: float = Field(0.05, ge=0)
    """Share by which the held-out loss must lie above the training loss at the same step."""

    def propose(self, story: Story) -> list[Proposal]:
        """Each kind of regularization that the best recipe has little of."""
        best = story.leading
        why = self._cause(best)
        return [Proposal(changes, f"{why}; {what}") for what, changes in _kinds(best)] if why else []

    def _cause(self, best: Attempt) -> str:
        found = best.saw("overfit", "memorised", "small_data")
        if found:
            return f"{found.check}: {found.evidence}"
        if best.best is None:
            return ""
        step, loss = best.best
        width = max(1, best.steps // 5)
        train = best.history.mean("train/loss", step - width, step)
        if train is None or loss < train * (1 + self.gap):
            return ""
        return f"held-out loss {loss:.3f} lies {loss / train - 1:.0%} above training loss {train:.3f} at step {step}"


def _kinds(best: Attempt) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What it does, and the changes that do it."""
    rank, alpha = best.option("train.adapter.lora.r"), best.option("train.adapter.lora.lora_alpha")
    dropout = best.option("train.adapter.lora.lora_dropout")
    if dropout is not None and dropout < 0.1:
        yield "more of the adapter's inputs are dropped", ("train.adapter.lora.lora_dropout=0.1",)
    whole = best.option("train.regularization.dropout")
    if whole is None or whole < 0.1:
        yield "outputs of attention and feed-forward parts are dropped", ("train.regularization.dropout=0.1",)
    decay = best.option(f"train.optimizer.{best.history.optimizer}.weight_decay")
    if decay is not None and decay < 0.1:
        yield "weights are pulled to zero", (f"train.optimizer.{best.history.optimizer}.weight_decay=0.1",)
    if rank is not None and alpha is not None and rank >= 4:
        halved = (f"train.adapter.lora.r={int(rank) // 2}", f"train.adapter.lora.lora_alpha={max(1, int(alpha) // 2)}")
        yield "half the rank has half the weights to learn by heart with", halved
    if best.history.option("train.regularization.neftune_noise_alpha") is None:
        yield "noise on the embedded tokens", ("train.regularization.neftune_noise_alpha=5",)
