"""The ``train`` section: what learns, how fast, how long, and what is kept."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tuneloop.models.adapters import Adapter
from tuneloop.parts import OneOf, Section, find
from tuneloop.training.optimizers import Optimizer
from tuneloop.training.parallel import Parallel
from tuneloop.training.schedules import Schedule


class RateScaling(Section):
    """The learning rate follows the batch size: it is meant for ``reference`` rows a step, and scaled from there.

    Source:
        Goyal et al., Accurate, Large Minibatch SGD, 2017, section 2.1 (``linear``, for SGD); Malladi et al., On the
        SDEs and Scaling Rules for Adaptive Gradient Algorithms, 2022 (``sqrt``, for Adam and its kin).
    """

    rule: Literal["linear", "sqrt"] = "sqrt"
    """The rate is multiplied by ``size / reference`` (``linear``), or by its root (``sqrt``)."""
    reference: int = Field(16, ge=1)
    """Rows of the step that the optimizer's ``learning_rate`` was chosen for."""


class Batch(Section):
    """How many rows make one optimizer step, and how many go through the model at once."""

    size: int = Field(16, ge=1)
    """Rows per optimizer step (the effective batch size)."""
    per_device_train_batch_size: int | None = Field(None, ge=1)
    """Rows that go through the model at once; the rest of the step is accumulated. By default ``min(size, 16)``."""
    packing: Literal["auto"] | bool = "auto"
    """Whether rows stand one after the other in streams, each row seeing itself alone, instead of being filled up with
    padding; the result is the same. ``auto`` packs where the model proves that its rows stay apart."""
    auto_find_batch_size: bool = False
    """Halve the rows that go through the model at once until the longest ones fit in memory, beginning with
    ``per_device_train_batch_size`` or all of ``size``; the rest of a step is accumulated, the result is the same."""
    gradient_checkpointing: Literal["auto"] | bool = "auto"
    """Keep only the input of each block, and compute the rest again in the backward pass: a third more time for a
    fraction of the memory, and the same result. ``auto`` does so where memory would not suffice."""
    learning_rate_scaling: RateScaling | None = None
    """Scales the learning rate with ``size``; null takes the rate as it is written."""

    @model_validator(mode="after")
    def _divides(self) -> Batch:
        micro = self.per_device_train_batch_size
        if micro is not None and micro > self.size:
            raise ValueError(f"per_device_train_batch_size {micro} is larger than size {self.size}")
        return self


class Regularization(Section):
    """What keeps the weights from learning the rows by heart, besides the optimizer's ``weight_decay``."""

    dropout: float | None = Field(None, ge=0, lt=1)
    """Share of the outputs of attention and of the feed-forward part of every block that is set to zero in training. It
    takes the place of all dropout that the model's family brings; 0 leaves none, null leaves the family's as it is."""
    l1: float = Field(0.0, ge=0)
    """Every step moves each weight of a trained matrix towards zero by ``rate * l1``, and no further than zero."""
    l2_start: float = Field(0.0, ge=0)
    """Every step moves each trained weight by ``rate * l2_start`` of its way back to where training began (L2-SP)."""
    neftune_noise_alpha: float | None = Field(None, gt=0)
    """Noise on the embedded tokens in training (NEFTune), 5 to 15 for long answers; null adds none."""


class Checkpoints(Section):
    """When the state is saved, and how many states are kept."""

    save_steps: int | None = Field(None, ge=1)
    """Optimizer steps between checkpoints; by default one after every evaluation."""
    save_total_limit: int = Field(3, ge=1)
    """Checkpoints kept: the newest ones, besides the best."""


class Stop(Section):
    """When to stop before the end: the held-out loss no longer improves."""

    patience: int = Field(3, ge=1)
    """Evaluations in a row without improvement."""
    min_delta: float = Field(0.0, ge=0)
    """What counts as an improvement, in nats per token."""


class TrainSection(Section):
    """One training run."""

    adapter: OneOf[Adapter] = Field(default_factory=lambda: find(Adapter, "lora")())
    """What learns: ``lora``, ``freeze`` or ``full``."""
    optimizer: OneOf[Optimizer] = Field(default_factory=lambda: find(Optimizer, "adamw")())
    """How a gradient becomes a step."""
    schedule: OneOf[Schedule] = Field(default_factory=lambda: find(Schedule, "cosine")())
    """How the learning rate goes over the run."""
    batch: Batch = Batch()
    """Rows per step."""
    num_train_epochs: float = Field(3.0, gt=0)
    """How often every row is seen."""
    max_steps: int | None = Field(None, ge=1)
    """Optimizer steps in all; goes before ``num_train_epochs``."""
    max_length: int = Field(1024, ge=8)
    """Tokens of the longest row; what is longer is treated as the task's ``on_overlength`` says."""
    max_grad_norm: float | None = Field(1.0, gt=0)
    """The gradient's norm is clipped to this; null leaves it."""
    regularization: Regularization = Regularization()
    """What keeps it from learning the rows by heart."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Arithmetic of the forward and backward pass; ``auto`` asks the device. Trained weights are always fp32."""
    torch_compile: bool = False
    """Whether ``torch.compile`` makes the kernels of norms and feed-forward blocks; it needs a C++ compiler, and the
    start takes longer."""
    eval_steps: int | None = Field(None, ge=1)
    """Optimizer steps between evaluations on the validation split; by default one per epoch, at least three in all."""
    devices: int = Field(1, ge=1)
    """Processes that share the run on this machine, each on a device of its own (on a CPU, on its share of the cores).
    The result stays the same up to rounding."""
    parallel: OneOf[Parallel] = Field(default_factory=lambda: find(Parallel, "ddp")())
    """How several processes share the model: ``ddp`` (each has all of it) or ``fsdp`` (each has a part of it)."""
    checkpoints: Checkpoints = Checkpoints()
    """What is saved on the way."""
    stop: Stop | None = Stop()
    """Early stopping; null trains to the end."""

    @property
    def learning_rate(self) -> float:
        """The highest rate of the run: the optimizer's, scaled with the batch size where that is asked for.

        Example:
            >>> batch = Batch(size=64, learning_rate_scaling=RateScaling(rule="sqrt", reference=16))
            >>> TrainSection(batch=batch).learning_rate
            0.0004
        """
        rate, scaling = self.optimizer.learning_rate, self.batch.learning_rate_scaling
        if scaling is None:
            return rate
        share = self.batch.size / scaling.reference
        return float(rate * (share if scaling.rule == "linear" else share**0.5))
