"""Fully sharded: every process holds a part of each weight, of its gradient and of what the optimizer keeps for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, final

from tuneloop.errors import TrainingError
from tuneloop.training.parallel import Parallel

if TYPE_CHECKING:
    from tuneloop.training.loop import Learner


@final
class Fsdp(Parallel):
    """PyTorch's FSDP2, block by block: a block's weights are together only while it computes.

    It saves memory, most of all where all weights learn. The model is opened whole on every device and shared out
    before the first step, and put together again after the last one to be saved.

    Source:
        Zhao et al., PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel, 2023; ``fully_shard`` of PyTorch.
    """

    in_step: ClassVar[bool] = True

    reshard_after_forward: bool = True
    """Take a block's weights apart after its forward pass, and put them together again for its backward pass; False
    keeps them, which is faster and takes more memory."""
    cpu_offload: bool = False
    """Keep the parts of weights, gradients and optimizer state in the computer's memory (CUDA only)."""

    @contextmanager
    def spread(self, learner: Learner) -> Iterator[Learner]:
        """Shard the model and build the optimizer for the parts; put the model together at the end."""
        from tuneloop.training.processes import sharding

        self._can_act(learner)
        options = {"reshard_after_forward": self.reshard_after_forward, "offload": self.cpu_offload}
        sharded, root = sharding.shard(learner, **options)
        yield sharded
        sharding.unshard(root)

    def _can_act(self, learner: Learner) -> None:
        precision = learner.precision
        if not learner.ranks.backend:
            raise TrainingError(
                "fsdp shares a model among processes, and this run has one",
                where="train.parallel",
                fix="write devices: 2 (or more), or parallel: ddp",
            )
        if precision.scaler:
            raise TrainingError(
                "fsdp does not work with the loss scaling of fp16", where="train.precision", fix="write precision: bf16"
            )
        if self.cpu_offload and precision.device.type != "cuda":
            raise TrainingError(
                f"cpu_offload moves weights off a GPU, and this run is on {precision.device.type}",
                where="train.parallel.fsdp.cpu_offload",
                fix="leave cpu_offload out",
            )
        if learner.task.gauge() is not None:
            raise TrainingError(
                f"fsdp cannot measure what the task {learner.task.name} needs to know before its loss",
                where="train.parallel",
                fix="write parallel: ddp",
            )
        whole = [name for name, weight in learner.model.named_parameters() if not weight.is_floating_point()]
        if whole:
            raise TrainingError(
                f"fsdp cannot share quantised weights such as {whole[0]}",
                where="train.parallel",
                fix="write parallel: ddp, or leave the quantisation out",
            )
