"""New tokens: a network that gets rows for them, and how these learn."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn

from tuneloop.errors import TrainingError
from tuneloop.models.layers import vocabulary_size, with_ends


def add_rows(model: Any, ids: list[int]) -> None:
    """Give a network rows for new tokens, in the embeddings and in the output head, and remember which they are.

    Each begins as the mean of the rows before it, so that a new token is at first as likely as an average one. (That
    is how transformers begins them too, but for the little noise that it adds.) Rows that a base keeps in reserve
    are used before the network grows.

    Args:
        model: A model of transformers without an adapter.
        ids: Ids of the new tokens; the ids below the lowest are the tokens that the base knows.

    Source:
        Hewitt, Initializing New Word Embeddings for Pretrained Language Models, 2021.
    """
    model.new_token_ids = list(ids)
    if not ids:
        return
    if max(ids) >= vocabulary_size(model):
        model.resize_token_embeddings(max(ids) + 1, mean_resizing=False)
    known = min(ids)
    with torch.no_grad():
        for end in ends(model).values():
            held: list[Any] = [end.weight, getattr(end, "bias", None)]
            for rows in held:
                if rows is not None:
                    rows[ids] = rows[:known].mean(dim=0)


def new_token_ids(model: Any) -> list[int]:
    """Ids of the tokens that the network was given rows for; empty where it was given none.

    Args:
        model: A model of transformers, or a PEFT model around one.
    """
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    found: list[int] = getattr(inner, "new_token_ids", [])
    return found


def ends(model: Any) -> dict[str, Any]:
    """Embeddings and output head by name; the embeddings alone where the two share their weights.

    Args:
        model: A model of transformers without an adapter.
    """
    first, last = model.get_input_embeddings(), model.get_output_embeddings()
    wanted = [first] if last is None or last.weight is first.weight else [first, last]
    return dict(zip(_names(model, wanted), wanted, strict=True))


def rows_to_learn(model: nn.Module, whole: list[str], *, where: str) -> dict[str, list[int]]:
    """Ids of the new tokens by the module that holds their rows, for an adapter that trains these rows alone.

    Args:
        model: A model of transformers without an adapter.
        whole: Ends of the names of modules that learn whole beside the adapter.
        where: The option that names them.

    Returns:
        Nothing where there are no new tokens, or where both ends of the network learn whole anyway.

    Raises:
        TrainingError: Only one end learns whole, or the output head has a bias, which PEFT leaves out of its rows.
    """
    ids, inner = new_token_ids(model), cast(Any, model)
    if not ids:
        return {}
    pair = (inner.get_input_embeddings(), inner.get_output_embeddings())
    both = _names(inner, [end for end in pair if end is not None])  # a classifier has embeddings alone
    taken = with_ends(model, whole, where=where)
    if taken.issuperset(both):
        return {}
    one = [name for name in both if name in taken]
    if one:
        raise TrainingError(
            f"{one[0]} is to learn whole, but not its counterpart, so new tokens would learn at one end only",
            where=where,
            fix=f"name both ends or none: {_lasts(both)}",
        )
    if any(getattr(end, "bias", None) is not None for end in ends(model).values()):
        raise TrainingError(
            f"the output head of {type(model).__name__} has a bias, so its rows cannot learn alone",
            where="model.new_tokens",
            fix=f"train both ends whole: train.adapter.lora.modules_to_save: {_lasts(both)}",
        )
    return dict.fromkeys(ends(model), ids)


def all_learn(model: nn.Module, *, where: str) -> None:
    """Make sure that the rows of new tokens learn, at both ends of the network.

    Args:
        model: A model of transformers with the weights that learn set free.
        where: The option that sets modules free.

    Raises:
        TrainingError: They would stay as they began.
    """
    still = [name for name, end in ends(model).items() if not end.weight.requires_grad]
    if new_token_ids(model) and still:
        raise TrainingError(
            f"the new tokens would learn nothing: {', '.join(still)} is frozen",
            where=where,
            fix=f"name it there too: {_lasts(still)}",
        )


def _names(model: nn.Module, modules: list[nn.Module]) -> list[str]:
    names = {id(module): name for name, module in model.named_modules()}
    return [names[id(module)] for module in modules]


def _lasts(names: list[str]) -> str:
    return f"[{', '.join(name.rpartition('.')[2] for name in names)}]"
