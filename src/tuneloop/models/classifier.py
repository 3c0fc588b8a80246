"""Classifiers: a pretrained network with a new head that gives a logit for each label.

Decoders of transformers take the last token that is no padding, and they know padding by its id alone; so the
configuration must name the very id that rows are filled up with (:func:`tuneloop.models.layers.know_padding`), and no
row may end with that id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tuneloop.errors import ModelError
from tuneloop.models.layers import classifier_head
from tuneloop.models.load import weights_and_gaps

Init = Literal["normal", "xavier", "he"]
"""How new layers begin."""


def open_classifier(
    config: Any, folder: str | None, labels: Sequence[str], *, kind: Any = None, init: Init = "normal", **options: Any
) -> nn.Module:
    """Open a base with a head for some labels: the base's own head where it has one for these labels, else a new one.

    Args:
        config: The base's configuration; it is told the labels.
        folder: Folder with the weights; None makes random ones.
        labels: Names of the labels, in the order of their logits.
        kind: A model class of transformers; by default the one that fits the configuration.
        init: How new layers begin.
        options: Further options of ``from_pretrained``.

    Returns:
        The model in fp32; its attribute ``new_modules`` names the modules that were drawn.

    Raises:
        ModelError: The weights cannot be opened, the family has no classifier, or ``init`` finds no new layer.
    """
    from transformers import AutoModelForSequenceClassification

    kind = kind or AutoModelForSequenceClassification
    if kind is AutoModelForSequenceClassification and type(config) not in kind._model_mapping:
        raise ModelError(
            f"transformers has no classifier of the family {config.model_type}",
            where="model.base",
            fix="take a base of another family, or learn the labels as answers with the task sft",
        )
    known = [config.id2label[index] for index in range(config.num_labels)] == list(labels)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    model: Any
    model, gaps = weights_and_gaps(kind, config, folder, ignore_mismatched_sizes=True, **options)
    head = tuple(f"{name}." for name in classifier_head(model))
    if lost := [name for name in gaps if not name.startswith(head)]:
        raise ModelError(
            f"the weights lack {len(lost)} tensors that the configuration asks for: {', '.join(lost[:5])}",
            where=folder or "",
            fix="copy the model's folder again; configuration and weights must belong together",
        )
    model.new_modules = [
        name
        for name in classifier_head(model)
        if folder is None
        or any(gap.startswith(f"{name}.") for gap in gaps)
        or (not known and _chooses(model.get_submodule(name), len(labels)))
    ]
    for name in model.new_modules:
        begin(model.get_submodule(name), init, model.config.get_text_config())
    if init != "normal" and not model.new_modules:
        raise ModelError(
            f"init_new_weights: {init} cannot act, since the base has a head for these labels",
            where="task.text_classification.init_new_weights",
            fix="take it out: training goes on from that head",
        )
    return model  # type: ignore[no-any-return]


def _chooses(module: nn.Module, labels: int) -> bool:
    """Whether a module of the head gives the logits, so that it means nothing for labels of other names."""
    return any(isinstance(layer, nn.Linear) and layer.out_features == labels for layer in module.modules())


def begin(module: nn.Module, init: Init, config: Any) -> None:
    """Draw the linear layers of a new module.

    Args:
        module: The module.
        init: ``normal`` draws with the deviation that the configuration says, as transformers does; ``xavier`` evenly
            within ``sqrt(6 / (inputs + outputs))``, ``he`` evenly within ``sqrt(6 / inputs)``.
        config: The model's configuration.

    Source:
        Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010,
        equation 16; He et al., Delving Deep into Rectifiers, 2015, equation 10.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            if init == "normal":
                nn.init.normal_(layer.weight, std=getattr(config, "initializer_range", None) or 0.02)
            elif init == "xavier":
                nn.init.xavier_uniform_(layer.weight)
            else:
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def label_logits(model: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
    """A logit for each label, ``(rows, labels)``, fp32.

    Args:
        model: A classifier.
        ids: Token ids padded on the right, ``(rows, sequence)``, int64; no row ends with the id of padding.
        mask: 1 for tokens, 0 for padding, of the same shape.
    """
    logits: Tensor = model(input_ids=ids, attention_mask=mask).logits
    return logits.float()


@torch.inference_mode()
def classify(model: nn.Module, rows: Sequence[Sequence[int]], pad: int) -> list[int]:
    """The likeliest label of each row, by number.

    Args:
        model: A classifier; it is left in the mode it was in.
        rows: Token ids.
        pad: Id that fills short rows.
    """
    return [int(logits.argmax()) for logits in _row_logits(model, rows, pad)]


@torch.inference_mode()
def chances(model: nn.Module, rows: Sequence[Sequence[int]], pad: int) -> list[list[float]]:
    """The probability of each label for each row, ``(rows, labels)``; the arguments are those of :func:`classify`."""
    return [logits.softmax(-1).tolist() for logits in _row_logits(model, rows, pad)]


def _row_logits(model: nn.Module, rows: Sequence[Sequence[int]], pad: int) -> list[Tensor]:
    """The logits of each row's labels, ``(labels,)``, on the CPU."""
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    found: list[Tensor] = [torch.empty(0)] * len(rows)
    for start in range(0, len(order), 32):
        part = order[start : start + 32]
        longest = max(len(rows[row]) for row in part)
        ids = torch.tensor([[*rows[row], *[pad] * (longest - len(rows[row]))] for row in part], device=device)
        mask = torch.tensor([[1] * len(rows[row]) + [0] * (longest - len(rows[row])) for row in part], device=device)
        for row, logits in zip(part, label_logits(model, ids, mask).cpu(), strict=True):
            found[row] = logits
    model.train(training)
    return found
