"""The ``train`` section: what learns, how fast, how long, and what is kept."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tuneloop.models.adapters import Adapter
from tuneloop.parts import OneOf, Section, find
from tuneloop.training.optimizers import Optimizer
from tuneloop.training.schedules import Schedule


class Batch(Section):
    """How many rows make one optimizer step, and how many go through the model at once."""

    size: int = Field(16, ge=1)
    """Rows per optimizer step (the effective batch size)."""
    per_device_train_batch_size: int | None = Field(None, ge=1)
    """Rows that go through the model at once; the rest of the step is accumulated. By default ``min(size, 16)``."""

    @model_validator(mode="after")
    def _divides(self) -> Batch:
        micro = self.per_device_train_batch_size
        if micro is not None and micro > self.size:
            raise ValueError(f"per_device_train_batch_size {micro} is larger than size {self.size}")
        return self


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
    neftune_noise_alpha: float | None = Field(None, gt=0)
    """Noise on the embedded tokens in training (NEFTune), 5 to 15 for long answers; null adds none."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Arithmetic of the forward and backward pass; ``auto`` asks the device. Trained weights are always fp32."""
    eval_steps: int | None = Field(None, ge=1)
    """Optimizer steps between evaluations on the validation split; by default one per epoch, at least three in all."""
    checkpoints: Checkpoints = Checkpoints()
    """What is saved on the way."""
    stop: Stop | None = Stop()
    """Early stopping; null trains to the end."""
