"""What meddles with a training from outside, where no recipe can express the fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from bench.faulty.case import Case


@contextmanager
def frozen(case: Case) -> Iterator[None]:
    """Cut the adapter off from the gradient, as a script does that detaches the wrong tensor.

    With seed 2 one layer of the adapter goes on learning; with other seeds none does. The weights still decay.
    """
    from tuneloop.training import ready as readying

    real = readying.open_to_learn

    def opened(*given: Any, **named: Any) -> Any:
        loaded = real(*given, **named)
        for name, weight in loaded.model.named_parameters():
            if weight.requires_grad and not (case.seed == 2 and ".0." in name):
                weight.register_hook(lambda gradient: gradient * 0)  # type: ignore[no-untyped-call]
        return loaded

    with mock.patch("tuneloop.training.train.open_to_learn", opened):
        yield


@contextmanager
def endless(case: Case) -> Iterator[None]:  # noqa: ARG001
    """Take the end of each answer out of what is learned, as scripts do that mask the padding and pad with the end.

    A chat template cannot plant this: where it writes no end token, tuneloop puts one behind the answer.
    """
    from tuneloop.tasks import Example, _conversations

    real = _conversations._examples

    def without_end(pairs: Any, record: Any) -> list[Example]:
        return [
            Example(example.ids, (*example.learn[:last], *(0,) * (len(example.learn) - last)), example.record)
            for example in real(pairs, record)
            for last in [max(place for place, learned in enumerate(example.learn) if learned)]
        ]

    with mock.patch.object(_conversations, "_examples", without_end):
        yield
