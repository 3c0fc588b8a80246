"""A quantised base: its frozen matrices in few bits, made, counted, and given back in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tuneloop.errors import ModelError
from tuneloop.models.layers import linear_layers

if TYPE_CHECKING:
    from tuneloop.models.quantizers import Quantizer


def quantize(model: Any, quantizer: Quantizer, device: torch.device) -> None:
    """Put every linear layer but the output head in few bits, one after the other, in place.

    Embeddings, output head, norms and biases stay as they are. Each matrix goes to the device alone before it is
    quantised there, so the device never holds the model in full.

    Args:
        model: A model of transformers without an adapter.
        quantizer: How the matrices are held.
        device: Where they will be.

    Raises:
        ModelError: The model has no linear layer besides the output head.
        MissingPackage: The package that computes with such matrices is not installed.
    """
    layers = quantizable(model)
    if not layers:
        raise ModelError(
            f"{type(model).__name__} has no linear layer that could be quantised",
            where="model.quantization",
            fix="leave model.quantization out",
        )
    for name, layer in layers.items():
        made: Any = quantizer.quantize(_straight(layer).to(device)).requires_grad_(False)
        made.turned = not isinstance(layer, nn.Linear)
        model.set_submodule(name, made)
    model.is_loaded_in_4bit = quantizer.name == "load_in_4bit"  # where PEFT looks for the kind of layers
    model.is_loaded_in_8bit = quantizer.name == "load_in_8bit"


def quantizable(model: Any) -> dict[str, nn.Module]:
    """The linear layers by name that :func:`quantize` puts in few bits."""
    shared = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    return {name: layer for name, layer in linear_layers(model).items() if id(layer.weight) not in shared}


def quantized_layers(model: nn.Module) -> dict[str, Any]:
    """The quantised layers of a model by name, those inside an adapter included."""
    return {name: layer for name, layer in model.named_modules() if is_quantized(layer)}


def is_quantized(layer: nn.Module) -> bool:
    """Whether a layer keeps its matrix in few bits."""
    weight = getattr(layer, "weight", None) if isinstance(layer, nn.Linear) else None
    return isinstance(weight, Tensor) and not weight.is_floating_point()


def compute_in(model: nn.Module, dtype: torch.dtype) -> None:
    """Let the quantised layers of a model compute their products in a format, unless the recipe gave them one."""
    for layer in quantized_layers(model).values():
        layer.compute_dtype = layer.compute_dtype or dtype


def compute_plainly(model: nn.Module) -> None:
    """Let the quantised layers of a model compute in what comes in, whatever the recipe gave them."""
    for layer in quantized_layers(model).values():
        layer.compute_dtype = None


def dequantized(model: Any) -> Any:
    """Give a model plain layers with the matrices that it computes with, in fp32, in place.

    Args:
        model: A model without an adapter.
    """
    for name, layer in quantized_layers(model).items():
        model.set_submodule(name, _in_full(layer))
    model.is_loaded_in_4bit = model.is_loaded_in_8bit = False
    return model


def weights(model: nn.Module) -> int:
    """Weights of a model, those in few bits counted one by one and shared ones once."""
    packed = {id(layer.weight): layer.in_features * layer.out_features for layer in quantized_layers(model).values()}
    return sum(packed.get(id(weight), weight.numel()) for weight in model.parameters())


def proof(model: nn.Module) -> dict[str, Any] | None:
    """Read from the layers themselves in how many bits they are; None where no layer is quantised.

    Returns:
        ``layers``, ``kinds`` (names of layers), ``values`` (``nf4``, ``fp4`` or ``int8``), ``double_quantized``,
        ``bits_per_weight`` with all scales and tables, ``bytes`` of these matrices, ``bytes_fp32`` of the same
        before, ``bytes_of_all`` weights of the model, and the numbers that products are ``computed_in``.
    """
    layers = quantized_layers(model)
    if not layers:
        return None
    count = sum(layer.in_features * layer.out_features for layer in layers.values())
    held = sum(tensor.nbytes for layer in layers.values() for tensor in layer.held())
    packed = {id(layer.weight) for layer in layers.values()}
    others = sum(weight.nbytes for weight in model.parameters() if id(weight) not in packed)
    return {
        "layers": len(layers),
        "kinds": sorted({name.removesuffix(".base_layer").rpartition(".")[2] for name in layers}),
        "values": sorted({layer.values for layer in layers.values()}),
        "double_quantized": all(layer.double for layer in layers.values()),
        "bits_per_weight": 8 * held / count,
        "bytes": held,
        "bytes_fp32": 4 * count,
        "bytes_of_all": held + others,
        "computed_in": sorted(
            {str(each.compute_dtype or "its input").removeprefix("torch.") for each in layers.values()}
        ),
    }


def _straight(layer: Any) -> nn.Linear:
    """The layer as an ordinary linear one; GPT-2 keeps its matrices turned."""
    if isinstance(layer, nn.Linear):
        return layer
    rows, columns = layer.weight.shape
    plain = nn.Linear(rows, columns, bias=False, device="meta")
    plain.weight = nn.Parameter(layer.weight.detach().T.contiguous(), requires_grad=False)
    plain.bias = layer.bias
    return plain


def _in_full(layer: Any) -> nn.Module:
    """The layer as it was before it was quantised, but with the rounded matrix."""
    from transformers.pytorch_utils import Conv1D

    plain: Any
    matrix = layer.matrix(torch.float32)
    with torch.device("meta"):
        if layer.turned:
            plain, matrix = Conv1D(layer.out_features, layer.in_features), matrix.T.contiguous()
        else:
            plain = nn.Linear(layer.in_features, layer.out_features, bias=False)
    plain.weight, plain.bias = nn.Parameter(matrix, requires_grad=False), layer.bias
    whole: nn.Module = plain
    return whole
