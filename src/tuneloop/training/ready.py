"""Ready: base, adapter, rows, precision and optimizer become the learner that the loop takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial

from torch import nn

from tuneloop.errors import TrainingError
from tuneloop.models import Base, Loaded, load_base, open_start
from tuneloop.models.device import pick_device
from tuneloop.models.generate import context_length
from tuneloop.models.quantized import weights
from tuneloop.models.section import ModelSection
from tuneloop.models.stream import follows_the_longest
from tuneloop.monitoring.progress import Progress
from tuneloop.monitoring.section import MonitorSection
from tuneloop.store import Dataset, Model, Store
from tuneloop.tasks import Task
from tuneloop.training import loop
from tuneloop.training.dropout import add_dropout
from tuneloop.training.encoded import Encoded, encoded, refuse_empty
from tuneloop.training.first import first_batches
from tuneloop.training.groups import groups
from tuneloop.training.noise import add_noise
from tuneloop.training.plan import Plan
from tuneloop.training.precision import Precision
from tuneloop.training.processes.ranks import Ranks
from tuneloop.training.pull import Pull
from tuneloop.training.quickened import quick
from tuneloop.training.reference import with_reference
from tuneloop.training.section import Regularization, TrainSection


def open_to_learn(
    section: TrainSection,
    task: Task,
    model: ModelSection,
    base: Base,
    store: Store,
    seed: int,
    start: Model | None,
) -> Loaded:
    """Open what is trained, with the adapter attached: the base, or a tuned model to go on from.

    Args:
        section: The ``train`` section.
        task: What is learned; it knows the model class.
        model: The ``model`` section.
        base: The base model.
        store: The store that ``start`` is in.
        seed: Seed of the adapter's first weights.
        start: A tuned model to go on from.

    Raises:
        ModelError: The model cannot be opened.
        TrainingError: ``start`` stands on another base, or an option of the adapter cannot act.
    """
    device = pick_device()
    if start is None:
        loaded = load_base(base, model, task, device=device, seed=seed)
        loaded.model = section.adapter.attach(loaded.model)
        return loaded
    origin = start.facts["base"]
    if origin["artifact"] is None and origin["digest"] != base.digest:
        if origin["name"] == base.name:
            raise TrainingError(
                f"the base {base.name} has changed since {start.id} was tuned on it",
                where=str(base.folder),
                fix="restore the files it had then, or train again from the base as it is now: tuneloop run",
            )
        raise TrainingError(
            f"{start.id} was tuned from the base {origin['name']}, not from the recipe's {base.name}",
            where="model.base",
            fix=f"write base: {origin['name']}, or train from the base alone",
        )
    return open_start(start, section.adapter, store, section=model, device=device, seed=seed)


def ready(
    section: TrainSection,
    loaded: Loaded,
    task: Task,
    dataset: Dataset,
    monitor: MonitorSection,
    store: Store,
    seed: int,
    progress: Progress,
    others: Mapping[str, Base] | None = None,
    ranks: Ranks | None = None,
) -> loop.Learner:
    """Encode the rows and make weights, precision and optimizer ready.

    Args:
        section: The ``train`` section.
        loaded: The model with the adapter attached.
        task: What is learned.
        dataset: Rows to learn from, and to be measured on.
        monitor: The ``monitor`` section.
        store: Its cache keeps the encoded rows.
        seed: Seed of the order of rows.
        progress: Told how far it is, and if the steps are too few.
        others: Other models that the task learns with, by their role.
        ranks: The processes that share the run; by default this one alone.

    Raises:
        DataError: A row is too long and the task's ``on_overlength`` is ``error``.
        TrainingError: There is nothing to learn, no weight learns, or the precision cannot act here.
    """
    ranks = ranks or Ranks()
    training, validation = _rows(section, loaded, task, dataset, store, progress, ranks)
    first = partial(first_batches, training, task, pad=loaded.tokenizer.pad_id, seed=seed, device=loaded.device)
    section.adapter.begin(loaded.model, first)
    learning = _learning(section, loaded)
    _disturb(loaded.model, section.regularization)
    precision = Precision(section.precision, loaded.device, weights(loaded.model))
    precision.store_frozen(loaded.model)
    quickened = quick(section, loaded.model, task, precision)
    plan = _plan(section, loaded, (training, validation), monitor, progress)
    optimizer = section.optimizer.build(groups(loaded.model, learning, section))
    learner = loop.Learner(
        model=loaded.model,
        task=task,
        loss=task.objective(loaded, others=others, dtype=precision.dtype),
        section=section,
        plan=plan,
        optimizer=optimizer,
        precision=precision,
        train=training,
        validation=validation,
        pad=loaded.tokenizer.pad_id,
        quick=quickened,
        seed=seed,
        pull=Pull.of(optimizer, section.regularization),
        ranks=ranks,
        progress=progress,
    )
    with ranks.first_goes_ahead():
        return with_reference(learner, loaded, store, progress)


def _rows(
    section: TrainSection,
    loaded: Loaded,
    task: Task,
    dataset: Dataset,
    store: Store,
    progress: Progress,
    ranks: Ranks,
) -> tuple[Encoded, Encoded]:
    """The encoded rows to learn from, and to be measured on."""
    length = _longest(section, loaded, progress)

    def rows(split: str) -> Encoded:
        return encoded(dataset, split, task, loaded.tokenizer, length, store=store, progress=progress)

    with ranks.first_goes_ahead():
        training, validation = rows("train"), rows("validation")
    refuse_empty(training, dataset, length)
    return training, validation


def _plan(
    section: TrainSection, loaded: Loaded, splits: tuple[Encoded, Encoded], monitor: MonitorSection, progress: Progress
) -> Plan:
    """The plan of the run; progress is told if it has too few steps, or its rows must go one by one."""
    plan = Plan.of(section, len(splits[0]), monitor.log_steps)
    if plan.warning and section.max_steps is None:
        progress.note(plan.warning)
    longest = max(int(rows.lengths.max()) for rows in splits if len(rows))
    if not follows_the_longest(loaded.model, longest):
        return plan
    progress.note("rows go through the model one by one: a long row would change how this model reads others")
    return dataclasses.replace(plan, micro=1)


def _longest(section: TrainSection, loaded: Loaded, progress: Progress) -> int:
    """Tokens of the longest row: what the recipe says, or the model's context where that is shorter."""
    context = context_length(loaded)
    if context is None or section.max_length <= context:
        return section.max_length
    progress.note(
        f"rows may have {context} tokens, as many as the model reads (train.max_length is {section.max_length})"
    )
    return context


def _learning(section: TrainSection, loaded: Loaded) -> dict[str, nn.Parameter]:
    """The weights that learn, by name, in fp32."""
    learning = {name: weight for name, weight in loaded.model.named_parameters() if weight.requires_grad}
    if not learning:
        raise TrainingError(
            f"{section.adapter.name} leaves no weight to train",
            where="train.adapter",
            fix="check its target_modules, or write adapter: {full: {}}",
        )
    for weight in learning.values():
        weight.data = weight.data.float()
    return learning


def _disturb(model: nn.Module, wanted: Regularization) -> None:
    """Add what makes learning harder on purpose, in training mode only."""
    if wanted.dropout is not None:
        add_dropout(model, wanted.dropout)
    if wanted.neftune_noise_alpha is not None:
        add_noise(model, wanted.neftune_noise_alpha)
