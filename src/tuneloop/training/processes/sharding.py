"""Sharding a model with PyTorch's FSDP2, and putting it together again."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, FSDPModule, OffloadPolicy, fully_shard
from torch.distributed.tensor import Shard, distribute_tensor

from tuneloop.errors import TrainingError
from tuneloop.models.layers import blocks
from tuneloop.tasks import Batch, Objective
from tuneloop.training.groups import groups, learning
from tuneloop.training.loop import Learner
from tuneloop.training.processes.shards import is_shard, own, whole
from tuneloop.training.pull import Pull
from tuneloop.training.section import TrainSection

HELD = "share_held"
"""What the receipts call the share of the model's weights that lies with the first process."""


class _Root(nn.Module):
    """The model with its loss: within its forward pass the weights outside of blocks are whole, the head's too."""

    def __init__(self, model: nn.Module, loss: Objective) -> None:
        super().__init__()
        self.model = model
        self.loss = loss

    def forward(self, batch: Batch) -> Tensor:
        return self.loss(self.model, batch)


def shard(learner: Learner, *, reshard_after_forward: bool, offload: bool) -> tuple[Learner, nn.Module]:
    """Shard a learner's model in place.

    Args:
        learner: Ready for its first step.
        reshard_after_forward: As FSDP has it.
        offload: Whether the parts lie in the computer's memory.

    Returns:
        The learner with a loss that puts weights together as it goes, and an optimizer of the parts; and the root of
        what is sharded.

    Raises:
        TrainingError: The optimizer cannot step with parts of weights.
    """
    model, section = learner.model, learner.section
    mesh = init_device_mesh(learner.precision.device.type, (learner.ranks.count,))
    _try_optimizer(section, mesh)
    total = sum(weight.numel() for weight in model.parameters())
    policy = CPUOffloadPolicy() if offload else OffloadPolicy()
    root = _Root(model, learner.loss)
    for module in (*map(model.get_submodule, blocks(model)), root):
        part: FSDPModule = fully_shard(
            module, mesh=mesh, reshard_after_forward=reshard_after_forward, offload_policy=policy
        )
        part.set_gradient_divide_factor(1.0)  # the loss is divided by the step's terms: gradients are summed
        part.set_force_sum_reduction_for_comms(True)
    learner.ranks.proved[HELD] = sum(own(weight).numel() for weight in model.parameters()) / total
    optimizer = section.optimizer.build(groups(model, learning(model), section))
    sharded = dataclasses.replace(
        learner,
        loss=lambda _, batch: root(batch),
        optimizer=optimizer,
        pull=Pull.of(optimizer, section.regularization),
    )
    return sharded, root


def _try_optimizer(section: TrainSection, mesh: DeviceMesh) -> None:
    """Let the optimizer make a step with a small sharded matrix."""
    weight = nn.Parameter(distribute_tensor(torch.zeros(16, 16), mesh, [Shard(0)]))
    optimizer = section.optimizer.build([{"params": [weight], "weight_decay": 0.0, "pace": 1.0, "kind": "matrix"}])
    weight.grad = torch.zeros_like(weight)
    try:
        optimizer.step()
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
        raise TrainingError(
            f"{section.optimizer.name} cannot step with parts of weights: {str(error).splitlines()[0]}",
            where="train.optimizer",
            fix="write optimizer: adamw, or parallel: ddp",
        ) from error


@torch.no_grad()
def unshard(root: nn.Module) -> None:
    """Put a sharded model together on every process, and make its modules what they were.

    Args:
        root: What :func:`shard` gave; FSDP's classes, hooks and marks are gone from the model afterwards.
    """
    for module in root.modules():
        if isinstance(module, FSDPModule):
            module.reshard()
    full: dict[int, nn.Parameter] = {}
    for module in root.modules():
        for name, weight in module._parameters.items():
            if weight is not None and is_shard(weight):
                if id(weight) not in full:
                    full[id(weight)] = nn.Parameter(whole(weight), requires_grad=weight.requires_grad)
                module._parameters[name] = full[id(weight)]
    for module in root.modules():
        _release(module)


def _release(module: Any) -> None:
    if isinstance(module, FSDPModule):
        state: Any = module._get_fsdp_state()
        handles = [state._pre_forward_hook_handle, state._post_forward_hook_handle]
        for group in state._fsdp_param_groups:
            handles += list(group._module_to_pre_save_state_dict_hook_handle.values())
            handles += list(group._module_to_pre_load_state_dict_hook_handle.values())
        for handle in handles:
            handle.remove()
        family = type(module).__mro__
        module.__class__ = family[family.index(FSDPModule) + 1]
    for mark in ("_is_fsdp_managed_module", "_fsdp_use_orig_params"):
        if mark in module.__dict__:
            delattr(module, mark)
