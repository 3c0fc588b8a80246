"""Quickened: the model's kernels and streams, put in place where they are proved to change nothing."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from tuneloop.errors import TrainingError
from tuneloop.models.quick import Kernels, quicken
from tuneloop.models.stream import NotPackable, is_still, leave_streams, streams_are_exact, take_streams
from tuneloop.tasks import Task
from tuneloop.training.precision import Precision
from tuneloop.training.section import TrainSection


@dataclass(frozen=True)
class Quick:
    """What makes the steps of a run fast.

    Attributes:
        kernels: How many modules compute with a kernel.
        packing: Whether rows are packed into streams.
        unpacked: Why they are not; empty if they are.
        sharing: Whether what the rows of a stream begin with is read once while the model learns; where dropout or
            noise is drawn for each token, it is only in evaluations.
    """

    kernels: Kernels
    packing: bool
    unpacked: str
    sharing: bool


def quick(section: TrainSection, model: nn.Module, task: Task, precision: Precision) -> Quick:
    """Put kernels and streams in place.

    Args:
        section: The ``train`` section.
        model: The model that learns, its weights in their formats.
        task: What is learned.
        precision: In what it computes.

    Raises:
        TrainingError: The recipe asks for packing and the model cannot keep packed rows apart, or for compiled modules
            and there are none, or no compiler.
    """
    kernels = _compiled(model) if section.torch_compile else quicken(model)
    wish = section.batch.packing
    why = "the recipe says so" if wish is False else _why_not(model, task, precision)
    if why and wish is True:
        raise TrainingError(
            f"rows cannot be packed: {why}",
            where="train.batch.packing",
            fix="write packing: auto, which fills short rows up instead",
        )
    if why:
        return Quick(kernels, packing=False, unpacked=why, sharing=False)
    with precision.forward():
        still = is_still(model)
    take_streams(model, still=still)
    return Quick(kernels, packing=True, unpacked="", sharing=still)


def _compiled(model: nn.Module) -> Kernels:
    from torch._dynamo.exc import TorchDynamoException

    where = "train.torch_compile"
    try:
        kernels = quicken(model, compiled=True)
    except TorchDynamoException as error:
        raise TrainingError(
            f"torch.compile does not work here: {str(error).strip().splitlines()[0]}",
            where=where,
            fix="install a C++ compiler (g++ or clang++), or leave torch_compile out",
        ) from error
    if not kernels.graphs and not kernels.norms + kernels.gates:
        raise TrainingError(
            "the model has no norm and no feed-forward block that torch.compile could take over",
            where=where,
            fix="leave torch_compile out",
        )
    return kernels


def _why_not(model: nn.Module, task: Task, precision: Precision) -> str:
    """Why rows cannot be packed; empty if they can, and then the model's attention takes streams."""
    if not task.packs:
        return f"{task.name} reads rows"
    try:
        take_streams(model)
    except NotPackable as reason:
        return str(reason)
    with precision.forward():
        why = streams_are_exact(model)
    if why:
        leave_streams(model)
    return why
