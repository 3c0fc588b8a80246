"""Merge an adapter into the weights it stands on."""

from __future__ import annotations

import copy
from typing import Any

from tuneloop.models.quantized import dequantized, quantized_layers
from tuneloop.models.quiet import quietly


def merged(model: Any) -> Any:
    """The plain model with the adapter merged in; a model without adapter is given back as it is.

    An adapter on a quantised base was trained beside the rounded matrices, so it is these, in fp32, that it is merged
    into: the result computes what training and serving computed. Merged into the matrices before rounding it would
    not.

    Args:
        model: A model of transformers or a PEFT model around one; its weights are changed in place.
    """
    from peft import PeftModel

    if not isinstance(model, PeftModel):
        return model
    if quantized_layers(model):
        model = on_plain(model)
    inner: Any = model.get_base_model()
    if inner.config.get_text_config().tie_word_embeddings:
        _untie(inner)
    return model.merge_and_unload(safe_merge=True)


def on_plain(model: Any) -> Any:
    """The same adapter on the matrices that a quantised base stands for, in fp32.

    Args:
        model: A PEFT model on a quantised base; it is of no use afterwards.
    """
    from peft import get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict

    config = copy.deepcopy(model.peft_config["default"])
    config.init_lora_weights, config.base_model_name_or_path = True, None
    config.fan_in_fan_out = any(layer.turned for layer in quantized_layers(model).values())
    learned = get_peft_model_state_dict(model, save_embedding_layers=False)
    training = model.training
    with quietly():
        plain = get_peft_model(dequantized(model.unload()), config)
        set_peft_model_state_dict(plain, learned)
    return plain.train(training)


def _untie(inner: Any) -> None:
    """Give input and output embeddings weights of their own where tuning has made them differ.

    That is so where an adapter, or a copy of its own (``modules_to_save``), sits on one of them: merging into the
    shared weights would change the other too, and saving them as tied would keep only one.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils import ModulesToSaveWrapper
    from torch import nn

    head = inner.get_output_embeddings()
    if not any(isinstance(end, BaseTunerLayer | ModulesToSaveWrapper) for end in (inner.get_input_embeddings(), head)):
        return
    if head is not None and not isinstance(head, ModulesToSaveWrapper):
        layer: Any = head.get_base_layer() if isinstance(head, BaseTunerLayer) else head
        layer.weight = nn.Parameter(layer.weight.detach().clone(), requires_grad=False)
    inner.config.tie_word_embeddings = False
    inner.config.get_text_config().tie_word_embeddings = False
