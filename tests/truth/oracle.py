"""The loss written out: every document by itself through transformers' own eager model, in double precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tuneloop.tasks import Batch, Example

PRECISE = 1e-6
"""How far a figure may lie from the exact one, as a share of it; fp32 rounds at 6e-8."""

Gradients = dict[str, Tensor]


def documents(lengths: Sequence[int], *, vocabulary: int = 97, seed: int = 0) -> list[Example]:
    """Random documents: of odd length all learned, of even length the second half; the one of nine tokens, nothing."""
    random = torch.Generator().manual_seed(seed)
    found = []
    for place, length in enumerate(lengths):
        ids = torch.randint(3, vocabulary, (length,), generator=random).tolist()
        learn = [1] * length if length % 2 else [0] * (length // 2) + [1] * (length - length // 2)
        found.append(Example(tuple(ids), tuple([0] * 9 if length == 9 else learn), str(place)))
    return found


def kin() -> list[Example]:
    """Documents that begin alike: with the same twenty tokens or half of them, twice the very same; and a stranger."""
    long, short, end, other = (documents([length], seed=length)[0].ids for length in (20, 6, 11, 7))
    every = [
        (long + short, 20),
        (long + end, 23),
        (long, 12),
        (long + short, 3),
        (long[:10] + end, 9),
        (other, 1),
        (long[:10] + other, 12),
        (long + short, 20),
    ]
    rows = enumerate(every)
    return [Example(ids, (0,) * read + (1,) * (len(ids) - read), str(place)) for place, (ids, read) in rows]


def losses(model: Any, example: Example) -> Tensor:
    """Negative log-likelihoods of a document's learned tokens, ``(learned,)``, nobody else being there."""
    ids = torch.tensor([example.ids])
    chances = model(input_ids=ids, use_cache=False).logits[0].double().log_softmax(-1)
    places = [place for place, mark in enumerate(example.learn) if mark and place > 0]
    return (
        torch.stack([-chances[place - 1, example.ids[place]] for place in places])
        if places
        else chances.sum()[None] * 0
    )


def gradients(model: Any) -> Gradients:
    """Gradients of all weights that have one, in double precision; they are taken out of the model."""
    found = {name: weight.grad.double() for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad(set_to_none=True)
    return found


def exact(model: Any, examples: Sequence[Example]) -> tuple[float, Gradients]:
    """Sum of the losses of some documents and its gradients."""
    total = torch.stack([losses(model, example).sum() for example in examples]).sum()
    model.zero_grad(set_to_none=True)
    total.backward()
    return float(total), gradients(model)


def padded(model: Any, batch: Batch) -> tuple[float, Gradients]:
    """What transformers itself makes of a padded batch: its mask, its labels, its loss."""
    out = model(input_ids=batch.ids, attention_mask=batch.mask, labels=batch.labels, use_cache=False)
    model.zero_grad(set_to_none=True)
    (out.loss * batch.supervised).backward()
    return float(out.loss) * batch.supervised, gradients(model)


def together(found: Gradients) -> Tensor:
    """All gradients as one vector."""
    return torch.cat([found[name].flatten() for name in sorted(found)])


def assert_equal(ours: Gradients, right: Gradients, usual: Gradients) -> None:
    """All gradients together lie within 1e-6 of the right ones, and so does each by itself.

    Where transformers' own fp32 lies off (a sum that nearly cancels), ours may lie four times as far off.

    Args:
        ours: Gradients under test.
        right: The exact ones.
        usual: Those of transformers in fp32.
    """
    assert ours.keys() == right.keys(), sorted(ours.keys() ^ right.keys())
    least = max(gradient.norm() for gradient in right.values()) * 1e-3  # the bias of keys has no gradient but rounding
    rows = [("all", together(ours), together({name: usual[name] for name in right}), together(right))]
    rows += [(name, ours[name], usual[name], right[name]) for name in right]
    for name, found, rounded, wanted in rows:
        size = wanted.norm().clamp_min(least)
        off, theirs = float((found - wanted).norm() / size), float((rounded - wanted).norm() / size)
        assert off <= max(PRECISE, 4 * theirs), f"{name}: {off:.2e} off, transformers {theirs:.2e}"
