"""Open models: a base for training, a tuned model for use, or a tuned model to be trained further."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from tuneloop.errors import ModelError
from tuneloop.models.adapters import Adapter
from tuneloop.models.device import pick_device
from tuneloop.models.find import Base, base_of, of_model
from tuneloop.models.merge import merged
from tuneloop.models.quiet import quietly
from tuneloop.models.section import ModelSection
from tuneloop.models.tokenizer import Tokenizer
from tuneloop.store import Model, Store


class Loads(Protocol):
    """What a task knows about models: which class it trains."""

    def load(self, config: Any, folder: str | None, **options: Any) -> nn.Module:
        """Open (``folder``) or make anew (``None``) the model class that the task trains."""


@dataclass(slots=True)
class Loaded:
    """A model in memory.

    Attributes:
        model: The network.
        tokenizer: Its tokenizer with the chat template.
        base: The base it stands on.
        section: How the base was opened.
        seed: The seed that made the weights of a base with ``init: random``.
    """

    model: nn.Module
    tokenizer: Tokenizer
    base: Base
    section: ModelSection
    seed: int = 0

    @property
    def device(self) -> torch.device:
        """Where the model's weights are."""
        return next(self.model.parameters()).device


def load_base(
    base: Base, section: ModelSection, task: Loads, *, device: torch.device | None = None, seed: int = 0
) -> Loaded:
    """Open a base model in fp32, ready for an adapter to be attached.

    Torch's generators are seeded with ``seed`` first, so what an adapter draws afterwards follows from it too.

    Args:
        base: The base that :func:`tuneloop.models.find.find_base` found.
        section: The recipe's ``model`` section.
        task: The recipe's task; it knows the model class.
        device: Where to put it; by default the best there is.
        seed: Seed of random weights.

    Raises:
        ModelError: The weights or the tokenizer do not fit the configuration.
    """
    torch.manual_seed(seed)
    model = _weights(base, section, task).to(device or pick_device())
    tokenizer = Tokenizer.load(base.folder, chat_template=base.template, trust_remote_code=section.trust_remote_code)
    _vocabulary_fits(model, tokenizer, base.folder)
    return Loaded(model, tokenizer, base, section, seed)


def open_model(
    model: Model, store: Store, *, device: torch.device | None = None, adapter: bool = True, trainable: bool = False
) -> Loaded:
    """Open a tuned model of the store.

    Args:
        model: The model.
        store: The store it is in, for a base that is in the store too.
        device: Where to put it; by default the best there is.
        adapter: False gives the base as it was before tuning, with the tuned model's tokenizer and template.
        trainable: Open it to be trained further, in training mode; otherwise in evaluation mode without gradients.

    Raises:
        ModelError: Files are missing, or the base is gone or has changed.
    """
    section = ModelSection(**model.facts["model"])
    base = base_of(model, store)
    seed = int(model.facts["seed"])
    loads = _ByName(model.facts["architecture"])
    tokenizer = Tokenizer.load(model.weights, trust_remote_code=section.trust_remote_code)
    if model.is_adapter or not adapter:
        torch.manual_seed(seed)
        network = _weights(base, section, loads)
        if adapter:
            network = _with_adapter(network, model.weights, trainable=trainable)
    else:
        network = _open(model.weights, loads, section, init="pretrained")
        network.requires_grad_(trainable)
    if not trainable:
        network.requires_grad_(False)
    network.to(device or pick_device()).train(trainable)
    return Loaded(network, tokenizer, base, section, seed)


def open_start(
    model: Model, adapter: Adapter, store: Store, *, device: torch.device | None = None, seed: int = 0
) -> Loaded:
    """Open a tuned model to be trained further, with what the recipe says should learn.

    An adapter goes on being trained if the recipe asks for the same adapter. Full training of an adapted model
    merges the adapter first. An adapter on a fully trained model makes that model the base.

    Args:
        model: Where training starts.
        adapter: What the recipe says should learn.
        store: The store that the model is in.
        device: Where to put it; by default the best there is.
        seed: Seed of the weights of a new adapter.

    Raises:
        ModelError: The model or its base cannot be opened.
        TrainingError: The adapter in the store has other options than the recipe's.
    """
    from peft import PeftModel

    loaded = open_model(model, store, device=device, trainable=True)
    torch.manual_seed(seed)
    loaded.model = adapter.attach(loaded.model)
    if not model.is_adapter and isinstance(loaded.model, PeftModel):
        loaded.base = of_model(model, store)
        loaded.section = loaded.section.model_copy(update={"init": "pretrained"})
    return loaded


def open_weights(kind: Any, config: Any, folder: str | None, **options: Any) -> nn.Module:
    """Open one transformers model class from safetensors, or make it with random weights.

    Args:
        kind: A model class or auto class of transformers.
        config: The model's configuration.
        folder: Folder with the weights; None makes random ones.
        options: Further options of ``from_pretrained``.

    Returns:
        The model in fp32.

    Raises:
        ModelError: Weights are missing, damaged, or of another shape than the configuration says.
    """
    from safetensors import SafetensorError

    if folder is None:
        make = kind.from_config if hasattr(kind, "from_config") else kind._from_config
        made: nn.Module = make(config, dtype=torch.float32)
        return made
    try:
        with quietly():
            model, said = kind.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
                **options,
            )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise ModelError(
            f"the weights cannot be opened: {_first_line(error)}",
            where=folder,
            fix="copy the model's folder again; configuration and weights must belong together",
        ) from error
    if said["missing_keys"]:
        missing = sorted(said["missing_keys"])
        raise ModelError(
            f"the weights lack {len(missing)} tensors that the configuration asks for: {', '.join(missing[:5])}",
            where=folder,
            fix="copy the model's folder again; configuration and weights must belong together",
        )
    opened: nn.Module = model
    return opened


def read_config(folder: Path, *, trust_remote_code: bool = False) -> Any:
    """Read a model's configuration.

    Raises:
        ModelError: It is missing a key, has a wrong one, or is of a family that transformers does not know.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, StrictDataclassError) as error:
        raise ModelError(
            f"the configuration cannot be used: {_first_line(error)}",
            where=str(folder / "config.json"),
            fix="copy config.json again; for a family that is newer: pip install -U transformers",
        ) from error


@dataclass(frozen=True, slots=True)
class _ByName:
    """Opens a model by the name of its class, as a tuned model's facts keep it."""

    architecture: str

    def load(self, config: Any, folder: str | None, **options: Any) -> nn.Module:
        import transformers

        kind = getattr(transformers, self.architecture, None) or transformers.AutoModelForCausalLM
        return open_weights(kind, config, folder, **options)


def _weights(base: Base, section: ModelSection, task: Loads) -> nn.Module:
    if base.under is not None:
        below = _weights(base.under, section, task)
        plain: nn.Module = merged(_with_adapter(below, base.folder, trainable=False))
        return plain
    return _open(base.folder, task, section, init=section.init)


def _open(folder: Path, task: Loads, section: ModelSection, *, init: str) -> nn.Module:
    config = read_config(folder, trust_remote_code=section.trust_remote_code)
    options = {"trust_remote_code": True} if section.trust_remote_code else {}
    return task.load(config, None if init == "random" else str(folder), **options)


def _with_adapter(model: nn.Module, folder: Path, *, trainable: bool) -> Any:
    from peft import PeftModel
    from safetensors import SafetensorError

    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (folder / name).is_file():
            raise ModelError(
                f"a file of the adapter is missing: {name}",
                where=str(folder),
                fix="restore the model's folder from a copy, or train again",
            )
    try:
        with quietly():
            return PeftModel.from_pretrained(model, str(folder), is_trainable=trainable)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(
            f"the adapter does not fit its base: {_first_line(error)}",
            where=str(folder),
            fix="restore the model's folder and its base from a copy, or train again",
        ) from error


def _vocabulary_fits(model: nn.Module, tokenizer: Tokenizer, folder: Path) -> None:
    rows = model.get_input_embeddings().num_embeddings  # type: ignore[operator]
    highest = max(tokenizer.hf.get_vocab().values())
    if highest >= rows:
        raise ModelError(
            f"the tokenizer has ids up to {highest}, but the model has only {rows} rows of embeddings",
            where=str(folder),
            fix="copy tokenizer and weights of one and the same model into the folder",
        )


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__
