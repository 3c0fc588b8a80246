"""Probes: the same prompts for a model and for its export, and the two outputs compared."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tuneloop.rows import Message

if TYPE_CHECKING:
    import torch

    from tuneloop.models import Loaded, Tokenizer

CHATS = (
    (Message("user", "Hello! Who are you?"),),
    (Message("user", "Please remind Anna to call 555-0142 on March 3rd at half past seven in the evening."),),
    (Message("user", "你好，请在三月三号晚上七点半提醒我买两公斤大米。"),),
    (
        Message("user", "What is 12 + 30?"),
        Message("assistant", "42"),
        Message("user", "And twice that?"),
    ),
    (Message("user", '{"a": [1, 2.5, null], "b": "ünïcödé 🙂"}\n\ndef f(x):\n    return x ** 2'),),
)
RANDOM_PROMPTS = 5
RANDOM_TOKENS = 24
NEW_TOKENS = 24


def prompts(tokenizer: Tokenizer, vocabulary: int, context: int | None) -> list[tuple[int, ...]]:
    """Token ids of all probes: a few conversations as the server renders them, and ids drawn at random.

    Random ids reach tokens, added and special ones among them, that no conversation here contains.

    Args:
        tokenizer: The model's tokenizer.
        vocabulary: Rows of the model's embeddings.
        context: Tokens that the model can hold; longer probes are cut.
    """
    draw = random.Random(0)
    found = [tokenizer.chat_ids(chat, generation=True) for chat in CHATS]
    found += [[draw.randrange(vocabulary) for _ in range(RANDOM_TOKENS)] for _ in range(RANDOM_PROMPTS)]
    room = max(1, (context or 1 << 20) - NEW_TOKENS)
    return [tuple(ids[-room:]) for ids in found]


def logits(model: Any, probes: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    """Logits at every position of each probe, in fp32 on the processor, each ``(sequence, vocabulary)``.

    Those of a classifier are ``(labels,)``.
    """
    import torch

    device = next(model.parameters()).device
    with torch.inference_mode():
        return [
            model(input_ids=torch.tensor([list(ids)], device=device), use_cache=False).logits[0].float().cpu()
            for ids in probes
        ]


def farthest(one: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> float:
    """The largest difference of two logits at the same place; infinite where one is not a number."""
    import torch

    worst = 0.0
    for a, b in zip(one, other, strict=True):
        difference = (a - b).abs().max().item()
        if not torch.isfinite(a).all() or not torch.isfinite(b).all() or difference != difference:
            return float("inf")
        worst = max(worst, difference)
    return worst


def answers(loaded: Loaded, probes: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Greedy answers as the server gives them, without the token that ends them; a classifier's are its labels."""
    from tuneloop.models.classifier import classify
    from tuneloop.models.generate import Request, generate

    if not loaded.model.can_generate():  # type: ignore[operator]
        return [(label,) for label in classify(loaded.model, probes, loaded.tokenizer.pad_id)]

    found = generate(loaded, [Request(ids, max_new_tokens=NEW_TOKENS) for ids in probes])
    return [_without_end(answer.ids, loaded.tokenizer.end_ids) for answer in found]


def plain_answers(model: Any, probes: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Greedy answers of ``model.generate`` of transformers, which stops where its own settings say.

    A classifier reads all probes in one batch, filled up with the id that its configuration names.
    """
    import torch

    from tuneloop.models.classifier import classify

    if not model.can_generate():
        return [(label,) for label in classify(model, probes, model.config.get_text_config().pad_token_id)]

    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    device = next(model.parameters()).device
    found = []
    for ids in probes:
        prompt = torch.tensor([list(ids)], device=device)
        with torch.inference_mode():
            out = model.generate(
                input_ids=prompt,
                attention_mask=torch.ones_like(prompt),
                max_new_tokens=NEW_TOKENS,
                do_sample=False,
            )
        found.append(_without_end(tuple(out[0, len(ids) :].tolist()), ends))
    return found


def margin(model: Any, prompt: Sequence[int], one: Sequence[int], other: Sequence[int], ends: Sequence[int]) -> float:
    """How far below the best logit the tokens lie at which two greedy answers part; of the two, the farther.

    Args:
        model: The model that gave one of them.
        prompt: What it was asked.
        one: An answer without the token that ends it; of a classifier, its label.
        other: Another answer.
        ends: Tokens that end an answer.
    """
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    found = logits(model, [(*prompt, *one[:at])])[0]
    last = found[-1] if found.dim() > 1 else found
    taken = [max(last[token].item() for token in ([each[at]] if at < len(each) else ends)) for each in (one, other)]
    return float(last.max().item() - min(taken))


def _without_end(ids: tuple[int, ...], ends: Sequence[int]) -> tuple[int, ...]:
    return ids[:-1] if ids and ids[-1] in ends else ids
