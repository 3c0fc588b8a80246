"""Dropout in the whole model: at the output of attention and of the feed-forward part of every block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.functional import dropout, scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from tuneloop.errors import TrainingError
from tuneloop.models.layers import blocks

ATTENTION, FEED_FORWARD, LORA, ELSEWHERE = "attention", "feed_forward", "lora", "elsewhere"


def add_dropout(model: nn.Module, p: float) -> None:
    """Let a model drop a share of what attention and feed-forward part add to the residual stream, in training only.

    It acts through hooks: no weight, no configuration and nothing that is saved knows of it. Dropout that the family
    brings is switched off, so that ``p`` (and the adapter's own) is all there is.

    Args:
        model: A model of transformers, or a PEFT model around one.
        p: Share of the numbers set to zero; the others are multiplied by ``1 / (1 - p)``.

    Raises:
        TrainingError: A block has no attention or no feed-forward part that can be told apart.

    Source:
        Vaswani et al., Attention Is All You Need, 2017, section 5.4 (residual dropout).
    """

    def drop(module: nn.Module, _: Any, output: Any) -> Any:
        if not module.training or not p:
            return output
        if isinstance(output, tuple):
            return (dropout(output[0], p), *output[1:])
        return dropout(output, p)

    places = sublayers(model)
    _silence(model)
    for name in places:
        model.get_submodule(name).register_forward_hook(drop)


def sublayers(model: nn.Module) -> dict[str, str]:
    """Names of the modules whose outputs are added to the residual stream, and what they are.

    In each block the children with matrices inside count: those named after attention, and the others. Where the
    others are bare linear layers (as in OPT), the last of them is the one whose output is added.

    Raises:
        TrainingError: A block has none of either kind.
    """
    found: dict[str, str] = {}
    for name in blocks(model):
        children = {n: child for n, child in model.get_submodule(name).named_children() if _has_matrix(child)}
        attention = [n for n in children if "attn" in n.lower() or "attention" in n.lower()]
        rest = [n for n in children if n not in attention]
        whole = [n for n in rest if not _is_linear(children[n])] or rest[-1:]
        if not attention or not whole:
            raise TrainingError(
                f"{name} ({type(model.get_submodule(name)).__name__}) has the parts {', '.join(children) or 'none'}: "
                "attention and feed-forward part cannot be told apart",
                where="train.regularization.dropout",
                fix="leave dropout out; lora_dropout and weight_decay act on every model",
            )
        found |= {f"{name}.{n}": ATTENTION for n in attention} | {f"{name}.{n}": FEED_FORWARD for n in whole}
    return found


def dropout_found(model: nn.Module, run: Callable[[], Any]) -> dict[str, dict[str, Any]]:
    """Run a model in training mode and in evaluation mode, and see where numbers are really dropped.

    Args:
        model: The model; it is left in the mode it was in, and so are the random generators.
        run: A forward pass through it.

    Returns:
        By place (``attention``, ``feed_forward``, ``lora``, ``elsewhere``): how many ``modules`` dropped, what they are
        called in their block (``kinds``), the shares ``p`` they were to drop, the share ``zeros`` of the numbers that
        they did drop (None where a kernel hides it), and how many modules dropped in ``evaluation``.
    """
    was = {module: module.training for module in model.modules()}
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    eager = torch.compiler.set_stance("force_eager")  # what a compiled model drops cannot be seen
    with torch.no_grad(), torch.random.fork_rng(devices), eager, _watched(model) as watch:
        model.train()
        run()
        seen, watch.seen = watch.seen, []
        if seen:
            model.eval()
            run()
        still = watch.seen
    for module, training in was.items():
        module.training = training
    places = sorted({drop.place for drop in seen + still})
    return {
        place: _told([drop for drop in seen if drop.place == place], [drop for drop in still if drop.place == place])
        for place in places
    }


class _Drop(NamedTuple):
    """One call that dropped: the place and the module that made it, the share wanted and, where it shows, reached."""

    place: str
    module: str
    p: float
    zeros: float | None


def _told(seen: list[_Drop], still: list[_Drop]) -> dict[str, Any]:
    modules = {drop.module for drop in seen}
    zeros = [drop.zeros for drop in seen if drop.zeros is not None]
    return {
        "modules": len(modules),
        "kinds": sorted({name.removesuffix(".lora_dropout.default").rpartition(".")[2] for name in modules}),
        "p": sorted({drop.p for drop in seen}),
        "zeros": sum(zeros) / len(zeros) if zeros else None,
        "evaluation": len({drop.module for drop in still}),
    }


class _Watch(TorchFunctionMode):
    """Sees every call of dropout, and of attention with dropout, and the module that makes it."""

    def __init__(self, kinds: dict[str, str]) -> None:
        super().__init__()
        self.kinds = kinds
        self.inside: list[str] = []
        self.seen: list[_Drop] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is dropout and kwargs["training"] and kwargs["p"] > 0:
            there = args[0] != 0  # what is zero already cannot be dropped
            result = func(*args, **kwargs)
            self._note(kwargs["p"], float((result[there] == 0).float().mean()) if there.any() else None)
            return result
        result = func(*args, **kwargs)
        if func is scaled_dot_product_attention:
            p = kwargs.get("dropout_p", args[4] if len(args) > 4 else 0.0)
            if p > 0:
                self._note(p, None)
        return result

    def _note(self, p: float, zeros: float | None) -> None:
        name = self.inside[-1] if self.inside else ""
        place = next((kind for start, kind in self.kinds.items() if f"{name}.".startswith(f"{start}.")), ELSEWHERE)
        self.seen.append(_Drop(LORA if ".lora_dropout" in name else place, name, float(p), zeros))


@contextmanager
def _watched(model: nn.Module) -> Iterator[_Watch]:
    """Keep book of which module is running, and of what is dropped there."""
    try:
        kinds = sublayers(model)
    except TrainingError:
        kinds = {}
    watch = _Watch(kinds)
    hooks = []
    for name, module in model.named_modules():

        def enter(_: nn.Module, __: Any, name: str = name) -> None:
            watch.inside.append(name)

        def leave(_: nn.Module, __: Any, ___: Any) -> None:
            watch.inside.pop()

        hooks.append(module.register_forward_pre_hook(enter, prepend=True))
        hooks.append(module.register_forward_hook(leave))
    try:
        with watch:
            yield watch
    finally:
        for hook in hooks:
            hook.remove()


def _silence(model: nn.Module) -> None:
    """Switch off the dropout that a family brings, be it a module or a number that its code reads."""
    from peft.tuners.lora import LoraLayer

    ours = {part for layer in model.modules() if isinstance(layer, LoraLayer) for part in layer.lora_dropout.modules()}
    for module in model.modules():
        if module in ours:
            continue
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
        for name, value in list(vars(module).items()):
            if isinstance(value, float) and ("dropout" in name or name.endswith("_pdrop")):
                setattr(module, name, 0.0)


def _is_linear(module: nn.Module) -> bool:
    from peft.tuners.lora import LoraLayer
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, (nn.Linear, Conv1D, LoraLayer))


def _has_matrix(module: nn.Module) -> bool:
    return any(weight.ndim >= 2 for weight in module.parameters())
