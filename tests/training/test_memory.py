"""Memory: blocks computed again, rows at once found by trying, and backing off change nothing of what is learned."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from tests.training.conftest import Bench, Heard, chat, lasting, make_bench, seal, section_of, weights

from tuneloop.errors import StoreError, TrainingError
from tuneloop.models.recompute import keep, recompute, recomputed
from tuneloop.monitoring.progress import Silent
from tuneloop.monitoring.section import MonitorSection
from tuneloop.store import Run
from tuneloop.tasks import Batch
from tuneloop.training import loop, machine, memory, need
from tuneloop.training.loop import Learner
from tuneloop.training.machine import Machine, settle
from tuneloop.training.ready import open_to_learn, ready
from tuneloop.training.section import TrainSection
from tuneloop.training.state import Room

FULL = {"adapter": "full", "optimizer": {"adamw": {"learning_rate": 1e-3}}}


def learner_of(bench: Bench, section: TrainSection) -> Learner:
    torch.manual_seed(3)
    loaded = open_to_learn(section, bench.task, bench.model, bench.base, bench.store, 3, None)
    return ready(section, loaded, bench.task, bench.dataset, MonitorSection(), bench.store, 3, Silent())


def receipts(run: Run) -> dict[str, Any]:
    return dict(msgspec.json.decode((run.folder / "receipts.json").read_bytes()))


def learned(learner: Learner, rows: int = 6) -> tuple[float, torch.Tensor]:
    """Loss and gradients of a step, from the same random numbers every time."""
    torch.manual_seed(11)
    learner.model.train()
    loss = loop.learn(learner, list(range(rows))).loss
    return loss, torch.cat([weight.grad.flatten().clone() for weight in learner.weights if weight.grad is not None])


@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize(
    "changes", [{}, {**FULL, "regularization": {"dropout": 0.2, "neftune_noise_alpha": 5.0}}], ids=["lora", "full"]
)
def test_blocks_computed_again_give_the_same_loss_and_gradients(
    bench: Bench, packing: bool, changes: dict[str, Any]
) -> None:
    batch = {"size": 6, "per_device_train_batch_size": 4, "packing": packing}
    learner = learner_of(bench, section_of(batch=batch, **changes))
    loss, gradients = learned(learner)
    recompute(learner.model)
    again, same = learned(learner)
    assert again == pytest.approx(loss, abs=1e-6)
    torch.testing.assert_close(same, gradients, rtol=0, atol=1e-6)
    assert torch.rand(1) != 0  # the generators went on
    keep(learner.model)
    assert recomputed(learner.model) == 0


def test_frozen_embeddings_get_no_gradient_from_it(bench: Bench) -> None:
    learner = learner_of(bench, section_of())
    seen: list[bool] = []
    embeddings: Any = learner.model.get_input_embeddings()  # type: ignore[operator]
    embeddings.register_forward_hook(lambda _, __, out: seen.append(out.requires_grad))
    recompute(learner.model)
    learned(learner)
    assert seen
    assert not any(seen)


def test_gradient_checkpointing_is_proved_by_what_is_kept(bench: Bench) -> None:
    batch = {"size": 6, "per_device_train_batch_size": 4}
    run, model = bench.train(section_of(batch={**batch, "gradient_checkpointing": True}))
    proof = receipts(run)["memory"]["gradient_checkpointing"]
    assert proof["modules"] >= 2
    assert 0 < proof["kept_bytes"] < 0.7 * proof["kept_bytes_without"]
    assert model.facts


def test_gradient_checkpointing_changes_nothing_of_a_run(tmp_path: Path, tiny_model: Path) -> None:
    made = []
    for name in (True, False):
        here = make_bench(tmp_path / str(name), tiny_model)
        section = section_of(batch={"size": 6, "per_device_train_batch_size": 4, "gradient_checkpointing": name})
        made.append(here.train(section))
    (run, one), (other, two) = made
    assert weights(one) == weights(two)
    assert lasting(run) == lasting(other)
    assert one.manifest.key == two.manifest.key


def test_a_model_that_cannot_do_it_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import LlamaForCausalLM

    monkeypatch.setattr(LlamaForCausalLM, "supports_gradient_checkpointing", False)
    with pytest.raises(TrainingError, match="second time in the backward pass") as refused:
        bench.train(section_of(batch={"size": 6, "gradient_checkpointing": True}))
    assert refused.value.problems[0].where == "train.batch.gradient_checkpointing"
    bench.train(section_of(batch={"size": 6}))


def test_auto_computes_again_where_memory_would_not_suffice(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = learner_of(bench, section_of())
    usual = need.Need(learner).of(4)
    monkeypatch.setattr(machine, "free_bytes", lambda _: int(0.9 * usual / machine.SHARE))
    heard = Heard()
    settled = settle(replace(learner, progress=heard))
    assert settled.machine is not None
    assert settled.machine.recompute
    assert recomputed(settled.model) > 0
    assert settled.machine.needs is not None
    assert settled.machine.needs < usual
    assert any("gradient_checkpointing" in note for note in heard.notes)


def test_rows_at_once_are_halved_until_they_are_expected_to_fit(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    section = section_of(batch={"size": 16, "auto_find_batch_size": True})
    learner = learner_of(bench, section)
    wants = need.Need(learner)
    monkeypatch.setattr(machine, "free_bytes", lambda _: int(wants.of(4) * 1.01 / machine.SHARE))
    settled = settle(learner)
    assert settled.plan.micro == 4
    assert recomputed(settled.model) == 0


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_rows_at_once_are_halved_when_a_trial_fails(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    learner = learner_of(bench, section_of(batch={"size": 16, "auto_find_batch_size": True}))
    most = need.Need(learner).tokens(4)
    learner = replace(learner, loss=failing(learner, most, error))
    before = torch.get_rng_state()
    settled = settle(learner)
    assert settled.plan.micro == 4
    assert torch.equal(before, torch.get_rng_state())
    assert all(weight.grad is None for weight in settled.weights)


def test_what_was_found_is_kept_with_the_run_and_taken_again(bench: Bench, tmp_path: Path) -> None:
    section = section_of(batch={"size": 16, "auto_find_batch_size": True})
    first = settle(learner_of(bench, section), tmp_path)
    assert first.plan.micro == 16
    found = msgspec.json.decode((tmp_path / machine.FILE).read_bytes(), type=Machine)
    (tmp_path / machine.FILE).write_bytes(msgspec.json.encode(msgspec.structs.replace(found, rows=2, threads=1)))
    again = settle(learner_of(bench, section), tmp_path)
    assert again.plan.micro == 2
    changed = section_of(batch={"size": 16, "auto_find_batch_size": True, "per_device_train_batch_size": 8})
    assert settle(learner_of(bench, changed), tmp_path).plan.micro == 8  # the recipe asks for something else now
    (tmp_path / machine.FILE).write_bytes(b"{")
    assert settle(learner_of(bench, section), tmp_path).plan.micro == 16


def test_rows_at_once_change_nothing_of_what_is_learned(tmp_path: Path, tiny_model: Path) -> None:
    fixed: dict[str, Any] = {"adapter": {"lora": {"r": 4, "lora_dropout": 0.0}}}
    made = []
    for index, batch in enumerate(
        ({"size": 6, "auto_find_batch_size": True}, {"size": 6}, {"size": 6, "per_device_train_batch_size": 1})
    ):
        here = make_bench(tmp_path / str(index), tiny_model)
        made.append(here.train(section_of(batch=batch, **fixed)))
    for run, model in made[1:]:
        for (_, name, one), (_, _, two) in zip(lasting(made[0][0]), lasting(run), strict=True):
            assert one == pytest.approx(two, rel=1e-3), name
        assert model.manifest.key == made[0][1].manifest.key


def failing(learner: Learner, most: int, error: Exception) -> Callable[..., torch.Tensor]:
    """The learner's loss on a device that has room for so many tokens at once, and fails half way beyond."""
    usual = learner.loss

    def loss(model: Any, batch: Batch) -> torch.Tensor:
        if batch.ids.numel() > most and len(batch.ends or batch.ids) > 1:
            torch.rand(3)  # random numbers were drawn before it failed
            raise error
        return usual(model, batch)

    return loss


FAILURES = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
    MemoryError(),
]


@pytest.mark.parametrize("error", FAILURES, ids=["cuda", "cpu", "python"])
@pytest.mark.parametrize("packing", [True, False])
def test_running_out_of_memory_gives_the_same_gradient_in_smaller_parts(
    bench: Bench, packing: bool, error: Exception
) -> None:
    batch = {"size": 6, "per_device_train_batch_size": 6, "packing": packing}
    section = section_of(batch=batch, adapter={"lora": {"r": 4, "lora_dropout": 0.0}})
    learner = learner_of(bench, section)
    loss, gradients = learned(learner)
    heard = Heard()
    short = replace(learner, progress=heard, loss=failing(learner, 60, error), room=Room())
    again, same = learned(short)
    assert again == pytest.approx(loss, rel=1e-5)
    torch.testing.assert_close(same, gradients, rtol=1e-4, atol=1e-6)
    assert short.room.ran_out > 0
    assert len(heard.notes) == 1
    assert "result stays the same" in heard.notes[0]
    times = short.room.ran_out
    learned(short)
    assert short.room.ran_out == times  # it remembers


def test_random_numbers_begin_again_with_the_step(bench: Bench) -> None:
    batch = {"size": 6, "per_device_train_batch_size": 6, "packing": False}
    learner = learner_of(bench, section_of(batch=batch))  # with dropout
    short = replace(learner, loss=failing(learner, 60, MemoryError()), room=Room())
    _, gradients = learned(short)
    _, same = learned(short)  # it knows now, and does not fail
    assert torch.equal(gradients, same)


def test_the_evaluation_backs_off_too(bench: Bench) -> None:
    learner = learner_of(bench, section_of(batch={"size": 12, "per_device_train_batch_size": 12}))
    usual = loop.held_out(learner)
    short = replace(learner, loss=failing(learner, 60, MemoryError()), room=Room())
    assert loop.held_out(short)["validation/loss"] == pytest.approx(usual["validation/loss"], rel=1e-5)
    assert short.room.ran_out > 0


def test_another_error_is_not_taken_for_it(bench: Bench) -> None:
    learner = learner_of(bench, section_of())
    broken = replace(learner, loss=failing(learner, 0, RuntimeError("shapes do not fit")))
    with pytest.raises(RuntimeError, match="shapes"):
        learned(broken)


def test_one_row_that_does_not_fit_is_named(tmp_path: Path, tiny_model: Path) -> None:
    bench = make_bench(tmp_path, tiny_model)
    long = chat(40, "very " * 30 + "long")
    bench = replace(bench, dataset=seal(bench.store, [*map(chat, range(11)), long]))
    learner = learner_of(bench, section_of(batch={"size": 12}, max_length=256))
    tokens = int(learner.train.lengths.max())
    usual = learner.loss

    def loss(model: Any, batch: Batch) -> torch.Tensor:
        if batch.ids.numel() >= tokens:
            raise MemoryError
        return usual(model, batch)

    heard = Heard()
    with pytest.raises(TrainingError, match=f"one row of {tokens} tokens does not fit") as refused:
        learned(replace(learner, loss=loss, progress=heard), 12)
    problem = refused.value.problems[0]
    assert problem.where == "chats.jsonl:41"
    assert "max_length" in problem.fix
    assert recomputed(learner.model)  # auto tried this first
    assert any("computed again" in note for note in heard.notes)


def test_a_run_that_backed_off_goes_on_as_it_was(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted after it ran out of memory, a run ends with the same bits as one that was not interrupted."""
    from tuneloop.training import train as stage
    from tuneloop.training.interrupt import Stopped

    usual, plain = stage.ready, loop.advance
    fails = True

    def short(*args: Any, **told: Any) -> Learner:
        learner = usual(*args, **told)
        inner = failing(learner, 60, MemoryError())
        return replace(learner, loss=lambda model, batch: (inner if fails else learner.loss)(model, batch))

    monkeypatch.setattr(stage, "ready", short)
    section = section_of(batch={"size": 6, "per_device_train_batch_size": 6}, checkpoints={"save_steps": 2})
    whole = make_bench(tmp_path / "whole", tiny_model).train(section)

    def stopping(learner: Learner, state: Any) -> dict[str, float]:
        if state.step == 4:
            raise Stopped(4, learner.plan.steps, 15)
        return plain(learner, state)

    bench = make_bench(tmp_path / "stopped", tiny_model)
    monkeypatch.setattr(loop, "advance", stopping)
    with pytest.raises(Stopped):
        bench.train(section)
    monkeypatch.setattr(loop, "advance", plain)
    fails = False  # there is memory now: it still goes on as it was
    run, model = bench.train(section)
    assert weights(model) == weights(whole[1])
    told = receipts(run)["memory"]
    assert told["ran_out"] > 0
    assert told["tokens_at_once"] <= 60
    assert "train/out_of_memory" in {signal.name for signal in run.signals()}


def test_a_disk_without_room_for_the_checkpoints_is_refused_before_the_first_step(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shutil import _ntuple_diskusage

    heard = Heard()
    monkeypatch.setattr("shutil.disk_usage", lambda _: _ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(StoreError, match="need 0 MB of disk") as refused:
        bench.train(section_of(), heard)
    assert "save_total_limit (now 3)" in refused.value.problems[0].fix
    assert "training" not in heard.works


def test_what_a_pass_keeps_does_not_count_weights_or_what_is_freed(bench: Bench) -> None:
    learner = learner_of(bench, section_of())
    learner.model.train()
    (batch,) = learner.batches(learner.train, [0])
    state = torch.get_rng_state()
    few = memory.kept(learner, batch)
    assert few == memory.kept(learner, batch)
    assert torch.equal(state, torch.get_rng_state())
    assert few < memory.at_most_kept(learner.model, batch.tokens)


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    gc.collect()


def test_an_expectation_grows_with_the_rows(bench: Bench) -> None:
    wants = need.Need(learner_of(bench, section_of(batch={"size": 32, "packing": False})))
    assert wants.fixed < wants.of(1) < wants.of(2) < wants.of(8)
