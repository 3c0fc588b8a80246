"""torch.compile: it acts, changes nothing but time, and says what it lacks."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from tests.training.conftest import Bench, lasting, section_of

from tuneloop.errors import TrainingError

needs_compiler = pytest.mark.skipif(
    shutil.which("g++") is None and shutil.which("clang++") is None, reason="no C++ compiler on this machine"
)


@needs_compiler
@pytest.mark.slow
def test_compiled_modules_give_the_same_losses(bench: Bench) -> None:
    still = {"adapter": {"lora": {"r": 4, "lora_dropout": 0.0}}, "max_steps": 4}
    plain, _ = bench.train(section_of(**still))
    run, _ = bench.train(section_of(**still, torch_compile=True))
    proof = json.loads((run.folder / "receipts.json").read_text())["quick"]["kernels"]
    assert proof["norms"] + proof["gates"] > 0
    assert proof["graphs"] > 0
    for one, other in zip(lasting(run), lasting(plain), strict=True):
        assert one[:2] == other[:2]
        assert one[2] == pytest.approx(other[2], rel=1e-5)


def test_without_a_compiler_it_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._dynamo.exc import TorchDynamoException

    def broken(*_: object, **__: object) -> torch.Tensor:
        raise TorchDynamoException("no working C++ compiler found")

    monkeypatch.setattr("tuneloop.models.quick._compiled", lambda forward: broken)
    with pytest.raises(TrainingError, match="no working C\\+\\+ compiler") as error:
        bench.train(section_of(torch_compile=True))
    assert error.value.problems[0].where == "train.torch_compile"
