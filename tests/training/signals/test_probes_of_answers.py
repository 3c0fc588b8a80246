"""Shuffled questions, the model's own texts and the facts of the rows: each shows what it is meant to show."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.training.conftest import Bench, chat, make_bench, seal, section_of

from tuneloop.errors import TrainingError
from tuneloop.monitoring.history import History
from tuneloop.monitoring.section import MonitorSection
from tuneloop.parts import find
from tuneloop.rows import Chat, Message, Record, Text
from tuneloop.store import Run
from tuneloop.tasks import Task
from tuneloop.training.encoded import Encoded
from tuneloop.training.signals.shuffled import LEAST, Shuffled

LEARNS = {
    "adapter": "full",
    "optimizer": {"adamw": {"learning_rate": 1e-2}},
    "num_train_epochs": 4,
    "eval_steps": 1000,
}


def told(run: Run) -> History:
    return History.of_run(run.folder)


def split_of(halves: list[tuple[list[int], list[int]]]) -> Encoded:
    ids = [id for question, answer in halves for id in (*question, *answer)]
    learn = [mark for question, answer in halves for mark in ([0] * len(question) + [1] * len(answer))]
    ends = np.cumsum([len(question) + len(answer) for question, answer in halves], dtype=np.int64)
    names = [str(row) for row in range(len(halves))]
    return Encoded(np.array(ids, np.int32), np.array(learn, np.uint8), ends, names, names, [], len(names))


HALVES = st.tuples(
    st.lists(st.integers(0, 9), min_size=2, max_size=6), st.lists(st.integers(10, 19), min_size=1, max_size=4)
)


@given(st.lists(HALVES, min_size=LEAST, max_size=20))
def test_answers_stay_whole_behind_other_questions(halves: list[tuple[list[int], list[int]]]) -> None:
    rows = split_of(halves)
    found = Shuffled.of(rows)
    if found is None:
        assert len({tuple(question) for question, _ in halves}) == 1
        return
    for made, row in zip(found.rows, found.own, strict=True):
        question, answer = halves[row]
        begin = len(made.ids) - len(answer)
        assert list(made.ids[begin:]) == answer
        assert list(made.learn) == [0] * begin + [1] * len(answer)
        assert len(made.ids) <= rows.lengths.max()
        assert list(made.ids[:begin]) != question or len(made.ids) == rows.lengths.max()


def test_texts_without_questions_are_not_shuffled() -> None:
    assert Shuffled.of(split_of([([1], [2, 3, 4])] * 20)) is None


def sign(index: int, answer: str) -> Record:
    turns = (Message("user", f"say {'yes' if index % 2 else 'no'} {index}"), Message("assistant", answer))
    return Record.of(Chat(turns), origin=f"signs:{index}")


def test_answers_that_follow_from_their_questions_suffer_from_others(real: Path, tmp_path: Path) -> None:
    bench = make_bench(tmp_path / "store", real / "models" / "stories260K")
    rows = [sign(index, "yes yes" if index % 2 else "no no") for index in range(100)]
    dataset = seal(bench.store, rows[:60], rows[60:])
    history = told(bench.train(section_of(**LEARNS), dataset=dataset)[0])
    (first, before), (last, after) = history.series("validation/shuffled_loss")
    assert first == 0 and last == history.series("train/loss")[-1][0]
    assert before == pytest.approx(history.series("validation/loss")[0][1], rel=0.02)
    losses, errors = history.latest("validation/loss"), history.latest("validation/shuffled_loss/error")
    assert losses is not None and errors is not None
    assert after - losses > 3 * errors


def test_answers_that_do_not_follow_are_the_same_behind_any_question(bench: Bench) -> None:
    rows = [sign(index, "yes yes" if index % 3 else "no no") for index in range(100)]
    dataset = seal(bench.store, rows[:60], rows[60:])
    history = told(bench.train(section_of(**LEARNS), dataset=dataset)[0])
    losses, errors = history.latest("validation/loss"), history.latest("validation/shuffled_loss/error")
    after = history.latest("validation/shuffled_loss")
    assert losses is not None and errors is not None and after is not None
    assert abs(after - losses) < 3 * errors + 0.02


def test_texts_of_its_own_show_what_a_model_forgets(bench: Bench) -> None:
    section = section_of(**{**LEARNS, "num_train_epochs": 3, "eval_steps": 10})
    run, _ = bench.train(section, monitor=MonitorSection(samples=0))
    losses = told(run).values("general/loss")
    errors = told(run).values("general/loss/error")
    assert losses[-1] - losses[0] > 3 * errors[-1] > 0 == errors[0]
    kept = json.loads((run.folder / "general.json").read_text())
    assert len(kept["before"]) == len(kept["ids"])
    weighed = np.average(kept["before"], weights=[len(ids) - 1 for ids in kept["ids"]])
    assert weighed == pytest.approx(losses[0], rel=1e-6)


def test_a_file_of_texts_takes_their_place(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("the quick brown fox jumps over the lazy dog. " * 40)
    run, _ = bench.train(monitor=MonitorSection(samples=0, general_texts="book.txt").beside(tmp_path))
    assert told(run).values("general/loss")


@pytest.mark.parametrize("text", [None, "too short"])
def test_a_file_that_is_no_use_is_told(bench: Bench, tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "book.txt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(TrainingError, match="general texts") as error:
        bench.train(monitor=MonitorSection(samples=0, general_texts=str(path)))
    assert "general_texts: own" in error.value.problems[0].fix


def test_held_out_questions_are_asked_and_answered_at_every_evaluation(bench: Bench) -> None:
    run, _ = bench.train(monitor=MonitorSection(samples=2, general_texts=None))
    samples = [json.loads(line) for line in (run.folder / "samples.jsonl").read_text().splitlines()]
    evaluated = [step for step, _ in told(run).series("validation/loss")]
    assert [row["step"] for row in samples] == [step for step in evaluated for _ in range(2)]
    assert {(row["prompt"], row["reference"]) for row in samples} == {
        ("what is 40 plus 41", "it is 81"),
        ("what is 41 plus 42", "it is 83 and more"),
    }
    shares = dict(told(run).series("samples/stopped"))
    for step in evaluated:
        stopped = [row["stopped"] for row in samples if row["step"] == step]
        assert shares[step] == sum(stopped) / 2


def test_facts_of_the_rows_are_counted(bench: Bench) -> None:
    twice = [chat(row % 30) for row in range(40)]
    dataset = seal(bench.store, twice, [*map(chat, range(5)), *map(chat, range(40, 45))])
    history = told(bench.train(dataset=dataset, section=section_of(num_train_epochs=1))[0])
    found = {name: history.fact(f"data/{name}") for name in ("train/repeated", "validation/seen", "train/rows")}
    assert found == {"train/repeated": 0.25, "validation/seen": 0.5, "train/rows": 40}
    assert history.fact("data/train/ended") == 1
    assert history.fact("data/train/cut") == 0
    assert history.fact("model/layers") == 2
    assert history.fact("template/own") == 1


def test_rows_that_were_cut_are_counted(bench: Bench) -> None:
    words = "what is the quick brown fox " * 12
    texts = [
        Record.of(Text(words + str(row) if row % 4 == 0 else f"fox {row}"), origin=f"t:{row}") for row in range(20)
    ]
    task = find(Task, "pretrain")(on_overlength="truncate")
    run, _ = bench.train(section_of(max_length=24), task=task, dataset=seal(bench.store, texts, texts[:4]))
    history = told(run)
    assert history.fact("data/train/cut") == 0.25
    assert history.fact("data/train/ended") == 0.75
    assert not history.series("train/loss/first"), "a text answers nothing"
    assert history.series("train/loss/end")
