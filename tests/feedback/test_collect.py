"""Corrections into rows: where they go, what they replace, what is counted, and what is learned again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tuneloop.errors import DataError
from tuneloop.feedback.collect import Collected, collect
from tuneloop.feedback.replay import replay
from tuneloop.feedback.section import FeedbackSection
from tuneloop.rows import Chat, Exchange, Feedback, Message, Record, Text
from tuneloop.store import Dataset, Model, Store
from tuneloop.store.exchanges import Exchanges
from tuneloop.store.parquet import write_records


def row(question: str, answer: str, origin: str = "rows.jsonl:1") -> Record:
    return Record.of(Chat((Message("user", question), Message("assistant", answer))), origin=origin)


def sealed(store: Store, splits: dict[str, list[Record]], key: str = "rows") -> Dataset:
    with store.draft() as folder:
        for split, records in splits.items():
            write_records(folder / f"{split}.parquet", records)
        return store.seal(Dataset, folder, parents={}, key=key, facts={})


class World:
    """A store with a dataset of 12 rows, and people who judge answers."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root)
        self.exchanges = Exchanges(self.store.root / "exchanges.db")
        self.dataset = sealed(
            self.store,
            {
                "train": [row(f"train {i}", f"old {i}") for i in range(8)],
                "validation": [row("held out", "old"), row("held out", "older")],
                "test": [row(f"test {i}", f"old {i}") for i in range(2)],
            },
        )
        self.count = 0

    def answer(self, question: Any, release: str = "release-1") -> str:
        self.count += 1
        messages = [{"role": "user", "content": question}] if isinstance(question, str) else question
        id = f"chatcmpl-{self.count}"
        request = {"messages": messages, "tools": [], "parameters": {}}
        self.exchanges.add(Exchange(id, self.count, release, "champion", "", request, "wrong", 0.1, 5, 2))
        return id

    def say(self, exchange: str, value: Any, kind: Any = "correction") -> None:
        self.count += 1
        assert self.exchanges.judge(Feedback(f"feedback-{self.count}", exchange, kind, value, "ann", self.count))

    def collect(self, section: FeedbackSection | None = None, dataset: Dataset | None = None) -> Collected:
        return collect(
            section or FeedbackSection(),
            dataset=dataset or self.dataset,
            store=self.store,
            sides=lambda records: ["train"] * len(records),
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "store")
    yield world
    world.exchanges.close()


def texts(records: list[Record]) -> list[str]:
    return [record.content.messages[-1].content for record in records]  # type: ignore[union-attr]


def test_a_new_question_goes_where_the_split_rule_says_and_names_its_exchange(world: World) -> None:
    id = world.answer("new question")
    world.say(id, "right")
    found = collect(
        FeedbackSection(), dataset=world.dataset, store=world.store, sides=lambda records: ["validation"] * len(records)
    )
    added = found.splits["validation"][-1]
    assert added.origin == f"exchange:{id}"
    assert added.meta == {"who": "ann", "time": 2.0, "release": "release-1"}
    assert added.content == Chat((Message("user", "new question"), Message("assistant", "right")))
    assert found.report["placed"] == {"validation": 1}
    assert found.report["rows"] == {"train": 8, "validation": 3, "test": 2}


def test_a_known_question_takes_the_place_of_the_old_rows_in_their_split(world: World) -> None:
    world.say(world.answer("train 3"), "better")
    world.say(world.answer(" held out "), "best")
    found = world.collect()
    assert texts(found.splits["train"]) == ["old 0", "old 1", "old 2", "better", "old 4", "old 5", "old 6", "old 7"]
    assert texts(found.splits["validation"]) == ["best"]
    assert texts(found.splits["test"]) == ["old 0", "old 1"]
    assert found.report["superseded"] == 3
    assert found.report["new"] == 2
    assert found.report["placed"] == {"train": 1, "validation": 1}


def test_the_newest_of_several_corrections_counts_and_the_others_are_listed(world: World) -> None:
    first, second = world.answer("q"), world.answer("q")
    world.say(first, "one")
    world.say(second, "two")
    world.say(first, "three")
    same = world.answer("r")
    world.say(same, "one")
    world.say(same, "one")
    found = world.collect()
    assert texts(found.splits["train"])[-2:] == ["three", "one"]
    assert found.report["corrections"] == 2
    assert found.report["conflicts"] == [{"taken": first, "passed_over": [first, second]}]


def test_ratings_and_comments_are_counted_but_make_no_rows(world: World) -> None:
    id = world.answer("q")
    world.say(id, 1, "rating")
    world.say(id, -1, "rating")
    world.say(id, "hm", "comment")
    with pytest.raises(DataError, match="2 ratings and 1 comments") as caught:
        world.collect()
    assert "POST /feedback" in caught.value.problems[0].fix
    world.say(id, "right")
    report = world.collect().report
    assert (report["ratings"], report["comments"], report["new"]) == ({"up": 1, "down": 1}, 1, 1)


def test_nothing_at_all_is_said_clearly(tmp_path: Path) -> None:
    store = Store(tmp_path / "empty")
    dataset = sealed(store, {"train": [row("a", "b")]})
    with pytest.raises(DataError, match="nobody has corrected"):
        collect(FeedbackSection(), dataset=dataset, store=store, sides=lambda records: ["train"] * len(records))


def test_fewer_than_asked_for_are_refused(world: World) -> None:
    world.say(world.answer("q"), "right")
    with pytest.raises(DataError, match="1 new corrections, 2 are asked for"):
        world.collect(FeedbackSection(min_corrections=2))


def test_collecting_again_finds_nothing_new(world: World) -> None:
    world.say(world.answer("q"), "right")
    world.say(world.answer("train 3"), "better")
    once = world.collect()
    next_ = sealed(world.store, once.splits, "next")
    again = world.collect(dataset=next_)
    assert again.report["new"] == 0
    assert again.report["corrections"] == 2
    assert again.splits == once.splits
    world.say("chatcmpl-1", "righter")
    third = world.collect(dataset=next_)
    assert (third.report["new"], third.report["superseded"]) == (1, 1)
    assert texts(third.splits["train"])[-1] == "righter"


def test_earlier_answers_of_the_model_are_not_learned(world: World) -> None:
    turns = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "unchecked"},
        {"role": "user", "content": "b"},
    ]
    world.say(world.answer(turns), "right")
    content = world.collect().splits["train"][-1].content
    assert isinstance(content, Chat)
    assert [message.learn for message in content.messages] == [None, False, None, None]


def test_a_corrected_completion_becomes_text(world: World) -> None:
    world.exchanges.add(Exchange("cmpl-1", 1, "release-1", "c", "", {"prompt": "to be"}, "?", 0.1, 1, 1))
    world.say("cmpl-1", " or not to be")
    assert world.collect().splits["train"][-1].content == Text("to be or not to be")


def test_answers_of_other_recipes_are_left_alone(world: World) -> None:
    with world.store.draft() as folder:
        (folder / "model.json").write_text("{}")
        ours = world.store.seal(Model, folder, parents={"dataset": world.dataset.id}, key="m", facts={})
    world.store.refs.move("faq/dataset", world.dataset.id, why="test")
    world.store.refs.move("faq/model", ours.id, why="test")
    world.say(world.answer("from another", release="release-other"), "no")
    world.say(world.answer("from ours", release=ours.id), "yes")
    assert texts(world.collect().splits["train"])[8:] == ["yes"]


def test_replay_keeps_what_was_collected_and_a_share_of_the_rest(world: World) -> None:
    world.say(world.answer("q"), "right")
    dataset = sealed(world.store, world.collect().splits, "next")
    lesson = replay(FeedbackSection(replay=0.5), dataset=dataset, seed=1)
    assert lesson.report == {
        "collected": 1,
        "replayed": 4,
        "left_out": 4,
        "rows": {"train": 5, "validation": 2, "test": 2},
    }
    assert texts(lesson.splits["train"])[-1] == "right"
    assert lesson.splits["test"] == list(dataset.records("test"))
    assert replay(FeedbackSection(replay=0.5), dataset=dataset, seed=1) == lesson
    assert replay(FeedbackSection(replay=0.5), dataset=dataset, seed=2).splits != lesson.splits
    assert texts(replay(FeedbackSection(replay=0), dataset=dataset, seed=1).splits["train"]) == ["right"]
    assert len(replay(FeedbackSection(replay=1), dataset=dataset, seed=1).splits["train"]) == 9


def test_a_lesson_without_a_corrected_row_is_refused(world: World) -> None:
    with pytest.raises(DataError, match="no corrected row"):
        replay(FeedbackSection(), dataset=world.dataset, seed=1)
