"""Write a tuned model as Hugging Face and PEFT do, safetensors only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.models.layers import classifier_head

if TYPE_CHECKING:
    from tuneloop.models.load import Loaded


def save_model(loaded: Loaded, folder: Path) -> dict[str, Any]:
    """Write the adapter or the full weights, the tokenizer, its chat template and the generation settings.

    The generation settings name every token that ends an answer, so that other programs stop there too.

    Args:
        loaded: The model; if it is a PEFT model, only the adapter is written.
        folder: The folder to write in; it is made where it is not there.

    Returns:
        Facts of the model: form, architecture, base, parameters, trainable parameters, bytes written.
    """
    from peft import PeftModel

    from tuneloop.models.quantized import weights
    from tuneloop.models.quiet import quietly
    from tuneloop.models.residual import as_plain

    model: Any = loaded.model
    folder.mkdir(parents=True, exist_ok=True)
    is_adapter = isinstance(model, PeftModel)
    inner = model.get_base_model() if is_adapter else model
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if is_adapter:
        # The same training must give the same bytes: no path of this machine, and a set of names in one order.
        config, state = as_plain(model)
        config.base_model_name_or_path = loaded.base.name
        config.target_modules = sorted(config.target_modules)
        config.modules_to_save = sorted(set(config.modules_to_save or ())) or None
    with quietly():
        if is_adapter:
            own, model.peft_config["default"] = model.peft_config["default"], config
            model.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False, state_dict=state)
            model.peft_config["default"] = own
            (folder / "README.md").unlink(missing_ok=True)
        else:
            model.save_pretrained(str(folder))
        if inner.can_generate():
            _settings(inner, loaded).save_pretrained(str(folder))
        loaded.tokenizer.save(folder)
    base = loaded.base
    return {
        "form": "adapter" if is_adapter else "full",
        "architecture": type(inner).__name__,
        **labels(inner),
        "base": {
            "name": base.name,
            "folder": str(base.folder),
            "digest": base.digest,
            "artifact": base.artifact.id if base.artifact else None,
            "template": base.template,
        },
        "model": loaded.section.model_dump(mode="json"),
        "seed": loaded.seed,
        "parameters": weights(model),
        "trainable": trainable,
        "bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    }


def labels(inner: Any) -> dict[str, list[str]]:
    """The facts of a classifier: its ``labels``, in the order of its logits; none of a language model."""
    return {"labels": list(inner.config.id2label.values())} if classifier_head(inner) else {}


def _settings(inner: Any, loaded: Loaded) -> Any:
    from transformers import GenerationConfig

    settings = GenerationConfig.from_dict(inner.generation_config.to_dict())
    ends = list(loaded.tokenizer.end_ids)
    settings.eos_token_id = ends[0] if len(ends) == 1 else ends
    settings.pad_token_id = loaded.tokenizer.pad_id
    return settings
