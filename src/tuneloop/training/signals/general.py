"""General: texts that the model knew before its first step, to see how much of them it forgets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tuneloop.errors import ModelError, TrainingError
from tuneloop.models.generate import Request, generate
from tuneloop.store.seal import replace
from tuneloop.tasks import Tokens
from tuneloop.training.signals.passes import row_losses

if TYPE_CHECKING:
    from tuneloop.models import Loaded
    from tuneloop.training.loop import Learner

FILE = "general.json"
OWN = "own"
TEXTS, LENGTH, LEAST = 32, 64, 8
"""Texts, tokens of the longest, and of the shortest that tells something."""


class General(msgspec.Struct):
    """The texts as tokens, and what was lost on each before the first step.

    What the model wrote itself, drawn token by token as its own chances have it, makes the rise of the loss an estimate
    of the Kullback-Leibler divergence, in nats per token, of what it was from what it has become.

    Attributes:
        ids: Token ids of each text.
        before: Mean loss of each at step 0; empty before it was measured.
    """

    ids: list[list[int]]
    before: list[float] = []

    @classmethod
    def of(cls, loaded: Loaded, wish: str | None, folder: Path, step: int) -> General | None:
        """The texts of a run: those kept in its folder, else new ones if it has not begun.

        Args:
            loaded: The model, as it is at this step.
            wish: ``own`` for texts that the model writes, or a file of texts; None for no texts.
            folder: The run's work folder.
            step: The step that the run stands at.

        Raises:
            TrainingError: The file cannot be read, or holds too little text.
            StoreError: The texts cannot be kept.
        """
        if wish is None:
            return None
        path = folder / FILE
        if path.exists():
            return msgspec.json.decode(path.read_bytes(), type=cls)
        if step:
            return None
        ids = _written(loaded) if wish == OWN else _read(loaded, Path(wish))
        return cls(ids) if ids else None

    def measure(self, learner: Learner, folder: Path) -> dict[str, float]:
        """The mean loss on the texts, and the standard error of its rise since step 0.

        Args:
            learner: Its model is measured.
            folder: The run's work folder.

        Raises:
            StoreError: The texts cannot be kept.
        """
        losses, terms = row_losses(learner, [Tokens(ids, [0] + [1] * (len(ids) - 1)) for ids in self.ids])
        if not self.before:
            self.before = losses.tolist()
            replace(folder / FILE, msgspec.json.encode(self))
        share = terms / terms.mean()
        rise = losses - np.array(self.before)
        off = (rise - (rise * share).mean()) * share
        error = float(off.std(ddof=1) / len(off) ** 0.5) if len(off) > 1 else 0.0
        return {"general/loss": float((losses * share).mean()), "general/loss/error": error}


def _written(loaded: Loaded) -> list[list[int]]:
    """Texts that the model draws from nothing; none of a model that knows nothing, or whose state cannot be kept."""
    if loaded.section.init == "random":
        return []
    hf = loaded.tokenizer.hf
    start = hf.bos_token_id if hf.bos_token_id is not None else loaded.tokenizer.eos_id
    requests = [Request((start,), max_new_tokens=LENGTH, temperature=1.0, seed=seed) for seed in range(TEXTS)]
    try:
        answers = generate(loaded, requests, batch=TEXTS)
    except ModelError:
        return []
    return [[start, *answer.ids] for answer in answers if len(answer.ids) >= LEAST]


def _read(loaded: Loaded, path: Path) -> list[list[int]]:
    """The beginning of a file of texts, in pieces."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(
            f"the general texts cannot be read: {error}",
            where=f"monitor.general_texts: {path}",
            fix="name a file of plain text in UTF-8, or write general_texts: own",
        ) from error
    ids = loaded.tokenizer.text_ids(text[: TEXTS * LENGTH * 16])
    pieces = [ids[start : start + LENGTH] for start in range(0, len(ids), LENGTH)][:TEXTS]
    found = [piece for piece in pieces if len(piece) >= LEAST]
    if len(found) < 2:
        raise TrainingError(
            f"the general texts hold only {len(ids)} tokens",
            where=f"monitor.general_texts: {path}",
            fix="give some pages of text, or write general_texts: own",
        )
    return found
