"""However a step is cut into micro-batches, its gradient is that of the mean loss over its supervised tokens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.training.conftest import Bench, chat, make_bench, seal, section_of
from tests.truth.oracle import PRECISE, Gradients, assert_equal, exact, gradients

from tuneloop.rows import Chat, Message, Record
from tuneloop.tasks import Example
from tuneloop.training import batches, loop
from tuneloop.training.batches import order
from tuneloop.training.loop import Learner

SIZE, SEED = 6, 3
FULL: dict[str, Any] = {
    "adapter": "full",
    "optimizer": {"sgd": {"learning_rate": 0.05, "momentum": 0.0, "weight_decay": 0.0}},
    "max_grad_norm": None,
    "stop": None,
    "eval_steps": 99,
}


class Caught(Exception):
    """Carries the learner out of a run."""


def mute(index: int) -> Record:
    """A row with nothing to learn."""
    turns = (Message("user", f"what is {index}"), Message("assistant", "never mind", learn=False))
    return Record.of(Chat(turns), origin=f"mute.jsonl:{index}")


def plain(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return model.double().eval()


def of_step(learner: Learner, step: int) -> list[Example]:
    """The rows of a step, by the documented order."""
    count = len(learner.train)
    steps = -(-count // SIZE)
    epoch, place = divmod(step, steps)
    chosen = order(count, seed=SEED, epoch=epoch)[place * SIZE : (place + 1) * SIZE]
    return [learner.train[int(index)] for index in chosen]


@pytest.mark.parametrize("packing", [True, False], ids=["packed", "padded"])
@pytest.mark.parametrize("micro", [1, 2, 4, 5, 6])
def test_every_step_of_a_run_follows_the_exact_gradient(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, micro: int, packing: bool
) -> None:
    """Nine steps over 40 rows by six: the seventh is a window of four, and rows that teach nothing are among them."""
    bench = make_bench(tmp_path / "store", tiny_model)
    rows = [row for index in range(40) for row in ([chat(index), mute(index)] if index % 9 == 0 else [chat(index)])]
    oracle, update = plain(bench.base.folder), loop.update
    windows: list[int] = []

    def compare(learner: Learner) -> None:
        examples = of_step(learner, len(windows))
        supervised = sum(sum(example.learn[1:]) for example in examples)
        oracle.load_state_dict({name: value.double() for name, value in learner.model.state_dict().items()})
        _, wanted = exact(oracle, examples)
        found = {name: weight.grad.double() for name, weight in learner.model.named_parameters()}
        right = {name: gradient / supervised for name, gradient in wanted.items()}
        assert_equal(found, right, right)
        windows.append(len(examples))
        update(learner)

    monkeypatch.setattr(loop, "update", compare)
    shape = {"size": SIZE, "per_device_train_batch_size": micro, "packing": packing}
    bench.train(section_of(**FULL, batch=shape, max_steps=9), dataset=seal(bench.store, rows), seed=SEED)
    assert windows == [6, 6, 6, 6, 6, 6, 4, 6, 6]


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Learner:
    """What a run is about to train, taken out of it before its first step."""
    bench = make_bench(tmp_path_factory.mktemp("learner"), tiny_model)
    return learner_of(bench, **FULL)


def learner_of(bench: Bench, **options: Any) -> Learner:
    with pytest.MonkeyPatch.context() as patch:

        def catch(learner: Learner) -> None:
            raise Caught(learner)

        patch.setattr(loop, "update", catch)
        with pytest.raises(Caught) as caught:
            bench.train(section_of(**options), seed=SEED)
    found: Learner = caught.value.args[0]
    return found


def cut_as(learner: Learner, micro: int, packing: bool) -> Learner:
    return replace(learner, plan=replace(learner.plan, micro=micro), quick=replace(learner.quick, packing=packing))


def taken(learner: Learner, indices: list[int]) -> tuple[float, Gradients]:
    loss = loop.learn(learner, indices)[0]
    return loss, gradients(learner.model)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    indices=st.permutations(range(40)).flatmap(lambda rows: st.integers(1, 12).map(lambda count: rows[:count])),
    micro=st.integers(1, 12),
    packing=st.booleans(),
    stream=st.integers(1, 300),
    launch=st.integers(0, 300),
)
def test_order_and_cut_change_neither_loss_nor_gradient(
    learner: Learner, indices: list[int], micro: int, packing: bool, stream: int, launch: int
) -> None:
    loss, wanted = taken(cut_as(learner, 40, packing=False), sorted(indices))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(batches.STREAM, "cpu", stream)
        patch.setitem(batches.LAUNCH, "cpu", launch)
        cut = cut_as(learner, micro, packing)
        parts = list(cut.batches(cut.train, indices))
        found = taken(cut, indices)
    assert sum(batch.supervised for batch in parts) == sum(sum(learner.train[index].learn[1:]) for index in indices)
    assert sum(batch.tokens for batch in parts) == sum(len(learner.train[index].ids) for index in indices)
    assert found[0] == pytest.approx(loss, rel=PRECISE)
    whole = torch.cat([gradient.flatten() for gradient in wanted.values()])
    off = torch.cat([(found[1][name] - gradient).flatten() for name, gradient in wanted.items()])
    assert off.norm() <= PRECISE * whole.norm()


def test_a_micro_batch_without_a_supervised_token_adds_nothing(learner: Learner) -> None:
    class WithMute:
        """The rows, and one more in front that teaches nothing."""

        def __init__(self, rows: Any) -> None:
            self.rows = rows
            first = rows[0]
            self.mute = Example(first.ids, (0,) * len(first.ids), "mute")

        def __getitem__(self, index: int) -> Example:
            return self.rows[index - 1] if index else self.mute

        def __len__(self) -> int:
            return len(self.rows) + 1

        def __getattr__(self, name: str) -> Any:
            return getattr(self.rows, name)

    for micro, packing in ((1, False), (1, True), (3, False), (3, True)):
        cut = cut_as(learner, micro, packing)
        loss, wanted = taken(cut, [4, 7, 9])
        more, found = taken(replace(cut, train=WithMute(learner.train), details=None), [5, 0, 8, 10])
        assert more == pytest.approx(loss, rel=PRECISE)
        assert_equal(found, wanted, wanted)


def test_the_loss_of_a_step_is_the_mean_over_its_tokens_not_over_its_batches(learner: Learner) -> None:
    """The classic fault: the mean of means lets a token of a short batch weigh more."""
    indices = [0, 4]  # four words, and twelve
    one, other = (learner.train[index] for index in indices)
    assert sum(one.learn) < sum(other.learn)
    apart = [taken(cut_as(learner, 1, packing=False), [index])[0] for index in indices]
    weights = [sum(example.learn[1:]) for example in (one, other)]
    mean = sum(loss * weight for loss, weight in zip(apart, weights, strict=True)) / sum(weights)
    for packing in (False, True):
        for micro in (1, 2):
            assert taken(cut_as(learner, micro, packing), indices)[0] == pytest.approx(mean, rel=PRECISE)
    assert mean != pytest.approx(sum(apart) / 2, rel=1e-4)


@settings(max_examples=200, deadline=None)
@given(lengths=st.lists(st.integers(2, 400), max_size=30), most=st.integers(1, 10), tokens=st.integers(1, 600))
def test_streams_hold_every_row_once_and_no_more_than_they_may(lengths: list[int], most: int, tokens: int) -> None:
    """Also rows longer than a stream, and a process that has no row of a step's last window."""
    for parts in (batches.streams(lengths, most=most, tokens=tokens), batches.cut(lengths, most=most, launch=tokens)):
        assert sorted(row for part in parts for row in part) == list(range(len(lengths)))
        assert all(1 <= len(part) <= most for part in parts)
    for part in batches.streams(lengths, most=most, tokens=tokens):
        assert len(part) == 1 or sum(lengths[row] for row in part) <= tokens
