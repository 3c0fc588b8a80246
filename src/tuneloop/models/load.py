"""Open models: a base for training, a tuned model for use, or a tuned model to be trained further."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from tuneloop.errors import ModelError, TrainingError
from tuneloop.models.adapters import Adapter
from tuneloop.models.device import pick_device
from tuneloop.models.find import Base, base_of, of_model
from tuneloop.models.layers import know_padding, vocabulary_size
from tuneloop.models.merge import merged
from tuneloop.models.quantized import quantize
from tuneloop.models.quiet import quietly
from tuneloop.models.section import ModelSection
from tuneloop.models.tokenizer import Tokenizer
from tuneloop.models.vocabulary import add_rows
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
    """Open a base model, ready for an adapter to be attached: in fp32, its matrices quantised where that is asked for.

    Torch's generators are seeded with ``seed`` first, so what an adapter draws afterwards follows from it too.

    Args:
        base: The base that :func:`tuneloop.models.find.find_base` found.
        section: The recipe's ``model`` section.
        task: The recipe's task; it knows the model class.
        device: Where to put it; by default the best there is.
        seed: Seed of random weights.

    Raises:
        ModelError: The weights or the tokenizer do not fit the configuration, or a new token is not new.
        MissingPackage: The base is to be quantised, and the package for it is not installed.
    """
    model = _weights(base, section, task, seed)
    tokenizer = base_tokenizer(base, section)
    model = _as_asked(model, section, tokenizer, device or pick_device())
    _vocabulary_fits(model, tokenizer, base.folder)
    return Loaded(model, tokenizer, base, section, seed)


def base_tokenizer(base: Base, section: ModelSection) -> Tokenizer:
    """Open the tokenizer of a base, with the chat template and the new tokens that the recipe gives.

    Args:
        base: The base that :func:`tuneloop.models.find.find_base` found.
        section: The recipe's ``model`` section.

    Raises:
        ModelError: It cannot be read, or has one of the new tokens already.
    """
    return Tokenizer.load(
        base.folder,
        chat_template=base.template,
        trust_remote_code=section.trust_remote_code,
        new_tokens=section.new_tokens,
        new_special_tokens=section.new_special_tokens,
    )


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
        MissingPackage: It was tuned on a quantised base, and the package for it is not installed.
    """
    section = ModelSection(**model.facts["model"])
    base = base_of(model, store)
    seed = int(model.facts["seed"])
    loads = _ByName(model.facts["architecture"], tuple(model.facts.get("labels", ())))
    tokenizer = Tokenizer.load(model.weights, trust_remote_code=section.trust_remote_code)
    device = device or pick_device()
    if model.is_adapter or not adapter:
        network = _as_asked(_weights(base, section, loads, seed), section, tokenizer, device)
        if adapter:
            network = _with_adapter(network, model.weights, trainable=trainable)
    else:
        network = _open(model.weights, _ByName(loads.architecture), section, init="pretrained")
        network.requires_grad_(trainable)
    if not trainable:
        network.requires_grad_(False)
    network.to(device).train(trainable)
    return Loaded(network, tokenizer, base, section, seed)


def open_start(
    model: Model,
    adapter: Adapter,
    store: Store,
    *,
    section: ModelSection | None = None,
    device: torch.device | None = None,
    seed: int = 0,
) -> Loaded:
    """Open a tuned model to be trained further, with what the recipe says should learn.

    An adapter goes on being trained if the recipe asks for the same adapter. Full training of an adapted model
    merges the adapter first. An adapter on a fully trained model makes that model the base.

    Args:
        model: Where training starts.
        adapter: What the recipe says should learn.
        store: The store that the model is in.
        section: The recipe's ``model`` section; what it asks of the base must be so in the model.
        device: Where to put it; by default the best there is.
        seed: Seed of the weights of a new adapter.

    Raises:
        ModelError: The model or its base cannot be opened.
        TrainingError: The adapter in the store has other options than the recipe's, or the model was quantised
            otherwise or lacks a new token.
    """
    from peft import PeftModel

    loaded = open_model(model, store, device=device, trainable=True)
    if section is not None:
        _starts_as_asked(model, loaded, section)
    torch.manual_seed(seed)
    loaded.model = adapter.attach(loaded.model)
    if not model.is_adapter and isinstance(loaded.model, PeftModel):
        loaded.base = of_model(model, store)
        loaded.section = loaded.section.as_it_is
    return loaded


def _starts_as_asked(model: Model, loaded: Loaded, section: ModelSection) -> None:
    asked, there = section.quantization, loaded.section.quantization
    if asked != there:
        said = [each.spelled() if each is not None else None for each in (there, asked)]
        raise TrainingError(
            f"{model.id} was tuned with quantization {said[0]}, but the recipe has {said[1]}",
            where="model.quantization",
            fix=f"write quantization: {said[0] or 'null'}; or make it the base: model.base: {model.id}",
        )
    missing = sorted(set(section.added) - set(loaded.tokenizer.hf.get_vocab()))
    if missing:
        raise TrainingError(
            f"{model.id} has no token {missing[0]!r}",
            where="model.new_tokens" if missing[0] in section.new_tokens else "model.new_special_tokens",
            fix=f"train from the base alone; or make it the base: model.base: {model.id}",
        )


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
    model, missing = weights_and_gaps(kind, config, folder, **options)
    if missing:
        raise ModelError(
            f"the weights lack {len(missing)} tensors that the configuration asks for: {', '.join(missing[:5])}",
            where=folder or "",
            fix="copy the model's folder again; configuration and weights must belong together",
        )
    return model


def weights_and_gaps(kind: Any, config: Any, folder: str | None, **options: Any) -> tuple[nn.Module, list[str]]:
    """Open one transformers model class as :func:`open_weights` does, and name what its weights lack.

    Returns:
        The model in fp32, and the names of the tensors that its folder has not, or has in another shape where the
        options allow that; transformers drew these at random.

    Raises:
        ModelError: Weights are damaged.
    """
    from safetensors import SafetensorError

    if folder is None:
        make = kind.from_config if hasattr(kind, "from_config") else kind._from_config
        return make(config, dtype=torch.float32), []
    try:
        with quietly():
            model, said = kind.from_pretrained(
                folder,
                config=config,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
                **{"dtype": torch.float32, **options},
            )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise ModelError(
            f"the weights cannot be opened: {_first_line(error)}",
            where=folder,
            fix="copy the model's folder again; configuration and weights must belong together",
        ) from error
    return model, sorted({*said["missing_keys"], *(entry[0] for entry in said["mismatched_keys"])})


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
    """Opens a model by the name of its class, as a tuned model's facts keep it; a base with a head for labels."""

    architecture: str
    labels: tuple[str, ...] = ()

    def load(self, config: Any, folder: str | None, **options: Any) -> nn.Module:
        import transformers

        kind = getattr(transformers, self.architecture, None) or transformers.AutoModelForCausalLM
        if self.labels:
            from tuneloop.models.classifier import open_classifier

            return open_classifier(config, folder, self.labels, kind=kind, **options)
        return open_weights(kind, config, folder, **options)


def _weights(base: Base, section: ModelSection, task: Loads, seed: int) -> nn.Module:
    """A base in fp32; a tuned adapter of the store is merged into the base below it, as that was when it was tuned."""
    if base.under is None or base.artifact is None:
        torch.manual_seed(seed)
        return _open(base.folder, task, section, init=section.init)
    tuned, facts = base.artifact, base.artifact.facts
    own = ModelSection(**facts["model"])
    tokenizer = Tokenizer.load(tuned.weights, trust_remote_code=own.trust_remote_code)
    below = _as_asked(_weights(base.under, own, task, int(facts["seed"])), own, tokenizer, torch.device("cpu"))
    plain: nn.Module = merged(_with_adapter(below, tuned.weights, trainable=False))
    torch.manual_seed(seed)
    return plain


def _as_asked(model: Any, section: ModelSection, tokenizer: Tokenizer, device: torch.device) -> nn.Module:
    """A base as its section asks for it: with rows for new tokens, quantised, on a device."""
    know_padding(model, tokenizer.pad_id)
    if section.quantization is not None:
        quantize(model, section.quantization, device)
        model.float()  # what stays in full
    add_rows(model, [tokenizer.hf.convert_tokens_to_ids(token) for token in section.added])
    placed: nn.Module = model.to(device)
    return placed


def _open(folder: Path, task: Loads, section: ModelSection, *, init: str) -> nn.Module:
    config = read_config(folder, trust_remote_code=section.trust_remote_code)
    options: dict[str, Any] = {"trust_remote_code": True} if section.trust_remote_code else {}
    if section.quantization is not None:
        options["dtype"] = "auto"  # as they are on disk: what is to become small should not first become large
    return task.load(config, None if init == "random" else str(folder), **options)


def _with_adapter(model: nn.Module, folder: Path, *, trainable: bool) -> Any:
    from peft import PeftConfig, PeftModel
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
            config = PeftConfig.from_pretrained(str(folder))
            if config.task_type == "CAUSAL_LM" and not model.can_generate():  # type: ignore[operator]
                config.task_type = None  # a language model's adapter below a classifier
            return PeftModel.from_pretrained(model, str(folder), is_trainable=trainable, config=config)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(
            f"the adapter does not fit its base: {_first_line(error)}",
            where=str(folder),
            fix="restore the model's folder and its base from a copy, or train again",
        ) from error


def _vocabulary_fits(model: nn.Module, tokenizer: Tokenizer, folder: Path) -> None:
    rows = vocabulary_size(model)
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
