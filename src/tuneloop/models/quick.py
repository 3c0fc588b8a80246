"""Quick: a model's slow operations are replaced by kernels that compute the same, each proved on the model itself.

What a family does that a kernel does not is found by trying: a module whose kernel gives another result keeps its
own code. So nothing here depends on a list of families.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from tuneloop.models.kernels.gate import swiglu
from tuneloop.models.kernels.linear import lora_linear
from tuneloop.models.kernels.norm import rms_norm


@dataclass(frozen=True)
class Kernels:
    """How many modules were given a kernel.

    Attributes:
        lora: Linear layers with an adapter.
        norms: Root mean square norms.
        gates: Gated feed-forward blocks.
        graphs: Graphs that ``torch.compile`` made of norms and blocks; 0 where it was not asked.
    """

    lora: int
    norms: int
    gates: int
    graphs: int = 0


def quicken(model: nn.Module, *, compiled: bool = False) -> Kernels:
    """Give a model's modules their kernels, in place; weights, names and results stay as they are.

    Args:
        model: A model of transformers, with or without adapters of PEFT.
        compiled: Let ``torch.compile`` make the kernels of norms and feed-forward blocks.

    Returns:
        What was replaced.

    Raises:
        torch._dynamo.exc.TorchDynamoException: There is no working compiler.
    """
    tries: tuple[Callable[[Any, bool], Callable[..., Tensor] | None], ...] = (_lora, _norm, _gate)
    counts, before = [0, 0, 0], _graphs() if compiled else 0
    for module in list(model.modules()):
        for index, kernel_of in enumerate(tries):
            kernel = kernel_of(module, compiled)
            if kernel is not None:
                module.forward = kernel
                counts[index] += 1
    lora, norms, gates = counts
    return Kernels(lora, norms, gates, _graphs() - before if compiled else 0)


def _graphs() -> int:
    """Graphs that the compiler has made in this process; imported here, since it takes half a second."""
    from torch._dynamo.utils import counters

    return int(counters["stats"]["unique_graphs"])


@functools.cache
def _compiled(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """One compiled function for all modules of a class, whatever the length of what they read."""
    made: Callable[..., Tensor] = torch.compile(forward, dynamic=True)
    return made


def _lora(module: Any, compiled: bool) -> Callable[..., Tensor] | None:  # noqa: ARG001
    """A plain LoRA layer on a plain linear layer; variants (DoRA), merged and quantised layers keep their code."""
    from peft.tuners.lora import Linear

    if type(module) is not Linear or type(module.base_layer) is not nn.Linear or module.lora_variant:
        return None
    if list(module.lora_A) != ["default"] or module.lora_bias["default"] or module.base_layer.weight.requires_grad:
        return None
    return partial(_lora_forward, module, type(module).forward)


def _lora_forward(module: Any, usual: Callable[..., Tensor], x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    if args or kwargs or module.disable_adapters or module.merged or module.active_adapters != ["default"]:
        return usual(module, x, *args, **kwargs)
    base = module.base_layer
    dropped = module.lora_dropout["default"](x) if module.training else x
    a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
    return lora_linear(x, dropped, base.weight, base.bias, a, b, module.scaling["default"])


def _norm(module: Any, compiled: bool) -> Callable[..., Tensor] | None:
    if not type(module).__name__.endswith("RMSNorm"):
        return None
    epsilon = getattr(module, "variance_epsilon", getattr(module, "eps", None))
    weight = getattr(module, "weight", None)
    if epsilon is None or weight is None or weight.ndim != 1:
        return None
    own = partial(_norm_forward, module, epsilon)
    kernel = partial(_compiled(type(module).forward), module) if compiled else own
    x = torch.linspace(-3, 3, 2 * weight.numel(), device=weight.device).view(2, -1)
    return kernel if _same(module, kernel, x) else None


def _norm_forward(module: Any, epsilon: float, hidden_states: Tensor) -> Tensor:
    return rms_norm(hidden_states, module.weight, epsilon)


def _gate(module: Any, compiled: bool) -> Callable[..., Tensor] | None:
    if not all(isinstance(getattr(module, name, None), nn.Module) for name in ("gate_proj", "up_proj", "down_proj")):
        return None
    act = getattr(module, "act_fn", None)
    if not isinstance(act, nn.Module) or not _is_silu(act):
        return None
    weight = next(module.gate_proj.parameters())
    if weight.ndim != 2 or not weight.is_floating_point():
        return None
    own = partial(_gate_forward, module)
    kernel = partial(_compiled(type(module).forward), module) if compiled else own
    x = torch.linspace(-1, 1, 2 * weight.shape[1], device=weight.device, dtype=weight.dtype).view(1, 2, -1)
    return kernel if _same(module, kernel, x) else None


def _gate_forward(module: Any, x: Tensor) -> Tensor:
    out: Tensor = module.down_proj(swiglu(module.gate_proj(x), module.up_proj(x)))
    return out


def _is_silu(act: nn.Module) -> bool:
    x = torch.linspace(-4, 4, 9)
    return torch.equal(act(x), nn.functional.silu(x))


def _same(module: Any, kernel: Callable[..., Tensor], x: Tensor) -> bool:
    """Whether a kernel gives what the module itself gives."""
    if x.is_meta:  # only shapes are looked at, and those are equal
        return True
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            theirs, ours = module(x), kernel(x)
    except (TypeError, RuntimeError, ValueError) as error:  # it takes something else than one tensor
        if type(error).__module__.startswith("torch._"):  # the compiler does not work
            raise
        return False
    finally:
        module.train(training)
    if not isinstance(theirs, Tensor) or theirs.shape != ours.shape or not theirs.isfinite().all():
        return False
    close = 1e-5 if x.dtype == torch.float32 else 2e-2
    return bool(torch.allclose(theirs.float(), ours.float(), rtol=close, atol=close * float(theirs.abs().max())))
