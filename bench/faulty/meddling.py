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
                weight.register_hook(lambda gradient: gradient * 0)
        return loaded

    with mock.patch("tuneloop.training.train.open_to_learn", opened):
        yield
