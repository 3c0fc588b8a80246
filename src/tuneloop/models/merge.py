"""Merge an adapter into the weights it stands on."""

from __future__ import annotations

from typing import Any


def merged(model: Any) -> Any:
    """The plain model with the adapter merged in; a model without adapter is given back as it is.

    Args:
        model: A model of transformers or a PEFT model around one; its weights are changed in place.
    """
    from peft import PeftModel

    if not isinstance(model, PeftModel):
        return model
    inner: Any = model.get_base_model()
    if inner.config.get_text_config().tie_word_embeddings:
        _untie(inner)
    return model.merge_and_unload(safe_merge=True)


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
    if not isinstance(head, ModulesToSaveWrapper):
        layer: Any = head.get_base_layer() if isinstance(head, BaseTunerLayer) else head
        layer.weight = nn.Parameter(layer.weight.detach().clone(), requires_grad=False)
    inner.config.tie_word_embeddings = False
    inner.config.get_text_config().tie_word_embeddings = False
