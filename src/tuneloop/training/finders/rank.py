"""The rank: short runs at several ranks from the same rows in the same order, compared by their held-out loss.

After the run with the best rank, what is left of its gain is measured when only one kind of layer keeps what it
learned: that says which layers a small budget of parameters is best spent on.

Cheaper probes were tried and say less. Gradients of the full matrices at the base are nearly of rank 1 whatever the
rows are; and cutting one run's product ``B A`` down to fewer directions calls ranks enough that are not
(``docs/life/find.md`` has the figures).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import torch

from tuneloop.errors import TrainingError
from tuneloop.models.layers import linear_layers, sizes
from tuneloop.models.load import read_config
from tuneloop.models.quiet import quietly
from tuneloop.monitoring.progress import Silent
from tuneloop.training.finders.asked import Asked
from tuneloop.training.finders.trials import Measured, Trials

if TYPE_CHECKING:
    from tuneloop.models.adapters.lora import Lora

RANKS = (1, 4, 16, 64)
"""Ranks that are tried, as far as the layers are large enough."""
SURE = 2.0
"""Standard errors that a difference must have for the ranks to be told apart."""
SMALL = 0.005
"""Of the best loss: a difference that is not worth a higher rank, however sure it is."""


class Tried(msgspec.Struct, frozen=True):
    """One short run.

    Attributes:
        r: Its rank.
        held_out: Held-out loss at its end, in nats per learned term; None where it came to nothing finite.
        above: By how much that is above the best of all runs.
        error: Standard error of that difference.
        parameters: Parameters that it trains in linear layers.
    """

    r: int
    held_out: float | None
    above: float | None
    error: float | None
    parameters: int


class Kind(msgspec.Struct, frozen=True):
    """Layers of one name, in all blocks together.

    Attributes:
        name: The last word of their names, as ``target_modules`` takes it.
        layers: How many there are.
        parameters: Parameters that LoRA trains in them for each rank.
        share: Share of the best run's gain that is left where these layers alone keep what they learned.
        together: The same for these layers and all kinds before them.
    """

    name: str
    layers: int
    parameters: int
    share: float
    together: float


class Rank(msgspec.Struct, frozen=True):
    """What was found about rank and targets.

    Attributes:
        r: The rank that is proposed; None where no run learned anything.
        target_modules: The layers that are proposed; ``all-linear`` unless a budget forbids it.
        changes: The proposal as ``--set`` takes it; the scale of the product stays what it is.
        why: The reason, in a sentence with figures.
        separates: Whether the worst rank is worse than the best by more than noise.
        parameters: Parameters that the proposal trains in these layers.
        budget: The most that were allowed; None for no bound.
        start: Held-out loss before any step.
        steps: Optimizer steps of each run.
        tried: The runs, lowest rank first.
        kinds: The layers by name, most gain for their parameters first.
    """

    r: int | None
    target_modules: list[str] | str
    changes: list[str]
    why: str
    separates: bool
    parameters: int
    budget: int | None
    start: float
    steps: int
    tried: list[Tried]
    kinds: list[Kind]


def find_rank(asked: Asked, *, steps: int = 100, budget: int | None = None) -> Rank:
    """Find rank and target layers for LoRA by short runs; nothing of them is kept.

    Args:
        asked: What would be trained, at its own learning rate. Of its adapter, rank and targets are not looked at.
        steps: Steps of each run; a longer training may need a higher rank.
        budget: Trained parameters at most; without it all linear layers are proposed.

    Returns:
        The proposal, with what each rank reached and each kind of layer gained.

    Raises:
        ModelError: The model cannot be opened.
        TrainingError: There is nothing to learn or to measure, or the budget does not pay for rank 1 anywhere.

    Source:
        Biderman et al., LoRA Learns Less and Forgets Less, 2024 (what a low rank loses depends on the rows and grows
        with the steps).
    """
    most, each = _sizes(asked)
    ranks = [rank for rank in RANKS if rank <= most]
    found: dict[int, Measured | None] = {}
    kinds: list[Kind] = []
    for rank in ranks[::-1]:
        section = asked.train.model_copy(update={"adapter": _with_rank(asked, rank)})
        beside = Silent() if found else asked.progress
        with replace(asked, train=section, progress=beside).opened() as (_, learner):
            if not found:
                asked.progress.start("short runs", len(ranks))
            trials = Trials(learner)
            if not trials.held:
                raise _unmeasured(asked)
            start = trials.measure()
            few = min(steps, learner.plan.steps)
            made = trials.run(few, section.learning_rate, [few])
            found[rank] = made[-1] if made else None
            if made and _best(found) == rank and made[-1].mean < start.mean:
                kinds = _kinds(trials, made[-1], start)
        asked.progress.advance(len(found), {"validation/loss": made[-1].mean} if made else None)
    tried = [_tried(rank, found, each) for rank in ranks]
    return _told(asked, tried, kinds, budget, start=start.mean, steps=few)


def _sizes(asked: Asked) -> tuple[int, int]:
    """The highest rank that fits into every linear layer, and the parameters that each rank trains in all of them."""
    base = asked.base.under or asked.base
    with torch.device("meta"), quietly():
        network = asked.task.fitted(asked.dataset.records("train")).load(read_config(base.folder), None)
    each = [sizes(layer) for layer in linear_layers(network).values()]
    return min(min(pair) for pair in each), sum(sum(pair) for pair in each)


def _lora(asked: Asked) -> Lora:
    """The recipe's own LoRA, or the default one."""
    from tuneloop.models.adapters.lora import Lora

    return asked.train.adapter if isinstance(asked.train.adapter, Lora) else Lora()


def _alpha(lora: Lora, rank: int) -> int:
    """What ``lora_alpha`` has to be at another rank for the product to be multiplied by the same."""
    return max(1, round(lora.lora_alpha * (rank / lora.r) ** (0.5 if lora.use_rslora else 1)))


def _with_rank(asked: Asked, rank: int) -> Lora:
    lora = _lora(asked)
    every: dict[str, Any] = {"target_modules": "all-linear", "layers_to_transform": None}
    plain: dict[str, Any] = {"init_lora_weights": True, "eva_config": None}
    return lora.model_copy(update={**every, **plain, "r": rank, "lora_alpha": _alpha(lora, rank)})


def _unmeasured(asked: Asked) -> TrainingError:
    return TrainingError(
        "the training rows are so few that none are left to measure a rank on",
        where=asked.dataset.id,
        fix="give more rows, or set data.split.validation",
    )


def _best(found: dict[int, Measured | None]) -> int | None:
    means = {rank: each.mean for rank, each in found.items() if each is not None}
    return min(means, key=lambda rank: means[rank], default=None)


def _tried(rank: int, found: dict[int, Measured | None], each: int) -> Tried:
    best, made = _best(found), found[rank]
    if best is None or made is None:
        return Tried(rank, None, None, None, rank * each)
    reference = found[best]
    above, error = made.above(reference) if reference else (0.0, 0.0)
    return Tried(rank, made.mean, above, error if math.isfinite(error) else None, rank * each)


@torch.no_grad()
def _kinds(trials: Trials, whole: Measured, start: Measured) -> list[Kind]:
    """What is left of a run's gain where only some kinds of layers keep what they learned."""
    from peft.tuners.lora import LoraLayer

    layers: dict[str, list[Any]] = {}
    for name, layer in trials.learner.model.named_modules():
        if isinstance(layer, LoraLayer):
            layers.setdefault(name.rpartition(".")[2], []).append(layer)
    learned = {kind: [_second(layer).clone() for layer in members] for kind, members in layers.items()}
    parameters = {kind: sum(sum(sizes(layer)) for layer in members) for kind, members in layers.items()}

    def share(kept: Collection[str]) -> float:
        for kind, members in layers.items():
            for layer, weight in zip(members, learned[kind], strict=True):
                _second(layer).copy_(weight if kind in kept else torch.zeros_like(weight))
        return (start.mean - trials.measure().mean) / (start.mean - whole.mean)

    alone = {kind: share([kind]) for kind in layers}
    names = sorted(layers, key=lambda kind: -alone[kind] / parameters[kind])
    together = [share(names[: count + 1]) for count in range(len(names))]
    return [
        Kind(kind, len(layers[kind]), parameters[kind], alone[kind], among)
        for kind, among in zip(names, together, strict=True)
    ]


def _second(layer: Any) -> torch.Tensor:
    """The matrix ``B``, which is zero where nothing was learned."""
    weight: torch.Tensor = layer.lora_B["default"].weight
    return weight


def _told(asked: Asked, tried: list[Tried], kinds: list[Kind], budget: int | None, *, start: float, steps: int) -> Rank:
    reached = {each.r: each for each in tried if each.held_out is not None and each.held_out < start}
    if not reached or not kinds:
        why = f"no rank brought the held-out loss below {start:.4g} in {steps} steps: find the learning rate first"
        return Rank(None, "all-linear", [], why, False, 0, budget, start, steps, tried, kinds)
    best = min(reached.values(), key=lambda each: each.held_out or 0.0)
    good = next(each for each in reached.values() if _as_good(each, best, 1.0))
    told = ", ".join(f"{each.held_out:.4g} at rank {each.r}" for each in reached.values())
    why = f"held-out loss after {steps} steps: {told}"
    separates = any(not _as_good(each, best, SURE) for each in tried)
    if not separates:
        why += "; the ranks differ by no more than noise, so these runs are too short to tell"
    names = [kind.name for kind in kinds]
    r = good.r
    if budget is not None and good.parameters > budget:
        r, names = _within(reached, kinds, budget, start)
        why += f"; {budget:,} parameters are best spent on rank {r} in {', '.join(names)}"
    every = len(names) == len(kinds)
    targets: list[str] | str = "all-linear" if every else names
    path, spelled = "train.adapter.lora", "all-linear" if every else f"[{', '.join(names)}]"
    changes = [f"{path}.r={r}", f"{path}.lora_alpha={_alpha(_lora(asked), r)}", f"{path}.target_modules={spelled}"]
    parameters = r * sum(kind.parameters for kind in kinds if kind.name in names)
    return Rank(r, targets, changes, why, separates, parameters, budget, start, steps, tried, kinds)


def _as_good(each: Tried, best: Tried, errors: float) -> bool:
    """Whether a rank's loss is above the best one's by no more than some standard errors, or by next to nothing."""
    if each.above is None or each.error is None or best.held_out is None:
        return each is best
    return each.above <= max(errors * each.error, SMALL * best.held_out)


def _within(reached: dict[int, Tried], kinds: list[Kind], budget: int, start: float) -> tuple[int, list[str]]:
    """Rank and layers that a budget pays for, and that keep most: the rank's gain times the layers' share of it.

    Raises:
        TrainingError: It does not pay for the lowest rank anywhere.
    """
    choices: dict[tuple[int, int], float] = {}
    for r, each in reached.items():
        for count in range(1, len(kinds) + 1):
            some = kinds[:count]
            if r * sum(kind.parameters for kind in some) <= budget and each.held_out is not None:
                choices[r, count] = (start - each.held_out) * some[-1].together
    if not choices:
        least = min(reached)
        raise TrainingError(
            f"{budget:,} parameters do not pay for rank {least} in {kinds[0].name}",
            where="--budget",
            fix=f"allow {least * kinds[0].parameters:,} or more",
        )
    r, count = max(choices, key=lambda choice: choices[choice])
    return r, [kind.name for kind in kinds[:count]]
