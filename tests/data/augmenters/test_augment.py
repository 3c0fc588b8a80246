"""Augmentation in a dataset: train only, input side only, told in the ledger, the same whatever is added."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any, final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tuneloop.data.augmenters import Augmenter
from tuneloop.data.certificate import certify
from tuneloop.data.forgetting.act import forget
from tuneloop.data.forgetting.holding import find as find_holders
from tuneloop.data.forgetting.wanted import wanted
from tuneloop.data.kinship import question
from tuneloop.data.prepare import prepare
from tuneloop.data.section import Augment, DataSection
from tuneloop.data.transforms import Place
from tuneloop.data.varying.growing import Augmentation
from tuneloop.data.varying.inputs import besides, changed_inputs
from tuneloop.errors import DataError, RecordError
from tuneloop.rows import Chat, Fields, Labeled, Message, Preference, Record, Text
from tuneloop.store import Dataset, Store

Make = Callable[..., Dataset]
WORDS = "red blue shirt return order late refund parcel broken box card lost when how where my the a please".split()  # noqa: SIM905
CONTENTS = [
    Labeled("where is my parcel with the red box", "late"),
    Chat(
        (
            Message("system", "answer the customer in a kind way"),
            Message("user", "where is my parcel with the red box"),
            Message("assistant", "it is on its way to your house", thinking="the parcel was sent"),
            Message("user", "and when will it come to my house"),
            Message("assistant", "it will come to your house soon"),
        ),
        tools=({"name": "parcel_of", "description": "where a parcel is and when it will come"},),
        parameters={"temperature": 0.1},
    ),
    Preference(
        (Message("system", "be kind and be brief"), Message("user", "where is my parcel with the red box")),
        chosen=(Message("assistant", "it is on its way to your house"),),
        rejected=(Message("assistant", "how would i know where it is"),),
    ),
]


def varied(contents: Iterable[Any], by: list[Any], seed: int = 0, **options: Any) -> list[Record]:
    section = Augment.model_validate({"by": by, **options})
    rows = [Record.of(content, origin=f"r:{number}") for number, content in enumerate(contents)]
    return list(Augmentation(section, Place()).run(rows, seed))


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: type(content).__name__)
def test_only_what_people_ask_is_varied(content: Any) -> None:
    row, *variants = varied([content], [{"delete": {"share": 0.3}}, {"swap": {"share": 0.3}}], copies=5)
    assert row.content == content and variants
    for variant in variants:
        assert variant.content != content
        assert besides(variant.content) == besides(content)
        assert variant.meta["parent"] == "r:0" and variant.meta["augmented_by"] == ["delete", "swap"]


@pytest.mark.parametrize("content", [Text("running text to learn from"), Fields({"name": "red shirt", "size": 3}, 1)])
def test_running_text_and_cells_of_tables_are_left_alone(content: Any) -> None:
    assert len(varied([content], ["swap"])) == 1


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), min_size=2, max_size=8).map(" ".join), min_size=1, unique=True),
    st.randoms(),
)
def test_rows_that_are_added_never_change_how_a_row_varies(texts: list[str], random: Any) -> None:
    """What is made may still not be added, where it now equals another row."""
    more = [*texts, "something else entirely was asked here", "and one more of another kind"]
    random.shuffle(more)
    alone = {row.meta["parent_text"]: row for row in _told(texts)}
    among = {row.meta["parent_text"]: row for row in _told(more)}
    for text, row in alone.items():
        if text in among:
            assert among[text].id == row.id


def _told(texts: list[str]) -> list[Record]:
    rows = varied(
        (Labeled(text, "x") for text in texts), [{"swap": {"probability": 0.8}}, {"delete": {"probability": 0.5}}]
    )
    return [
        Record(
            row.id, row.content, row.origin, {**row.meta, "parent_text": texts[int(row.meta["parent"].split(":")[1])]}
        )
        for row in rows
        if "parent" in row.meta
    ]


def test_another_seed_varies_otherwise_and_the_same_one_alike() -> None:
    one, same, other = (varied(CONTENTS, ["swap"], seed) for seed in (1, 1, 2))
    assert [row.id for row in one] == [row.id for row in same]
    assert [row.id for row in one] != [row.id for row in other]


def test_a_variant_that_says_what_its_parent_or_another_row_says_is_not_added() -> None:
    rows = varied([Labeled("red shirt", "a"), Labeled("shirt red", "b")], ["swap"], copies=3)
    assert [row.origin for row in rows] == ["r:0", "r:1"]


def test_a_dataset_says_which_rows_are_varied_and_held_out_rows_are_as_they_were(make: Make) -> None:
    rows = [
        {"text": f"{WORDS[i % 13]} {WORDS[i % 7]} {WORDS[i % 17]} number{i} please", "label": "ab"[i % 2]}
        for i in range(80)
    ]
    plain = make(rows, split={"near": None})
    dataset = make(rows, split={"near": None}, augment=["swap", {"delete": {"probability": 0.5}}])
    for side in ("validation", "test"):
        assert [r.id for r in dataset.records(side)] == [r.id for r in plain.records(side)]
        assert not any("parent" in record.meta for record in dataset.records(side))
    train = {record.origin: record for record in dataset.records("train")}
    made = [record for record in train.values() if "parent" in record.meta]
    assert {r.id for r in plain.records("train")} == {r.id for r in train.values() if "parent" not in r.meta}
    assert made and all(record.content.label == train[record.meta["parent"]].content.label for record in made)  # type: ignore[union-attr]
    assert all(record.meta["made_by"] == "augment" and record.meta["augmented_by"] for record in made)
    counts, (growth,) = dataset.report["rows"], dataset.report["growth"]
    assert counts["read"] + counts["made"] == counts["kept"] + counts["dropped"]
    assert growth["in"] + growth["made"] == len(train) + sum(1 for d in dataset.dropped() if d.step == "split")
    assert growth["in"] == growth["made"] + sum(growth["not_made"].values())
    assert growth["changed_by"]["swap"] == sum("swap" in record.meta["augmented_by"] for record in made) > 20
    card = (dataset.folder / "card.md").read_text()
    assert "## Made of training rows" in card and "swap changed" in card


@settings(max_examples=6, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), min_size=3, max_size=9).map(" ".join), min_size=8, max_size=40),
    st.integers(0, 9),
)
def test_variants_that_come_near_a_held_out_row_are_set_aside(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("near")
    (folder / "rows.jsonl").write_text(
        "".join(json.dumps({"text": t, "label": "a"}) + "\n" for t in [*texts, "one more"])
    )
    section = DataSection.model_validate(
        {
            "sources": ["rows.jsonl"],
            "transforms": ["normalize"],
            "split": {"validation": 0.2, "test": 0.2, "near": 0.6, "after": None},
            "augment": {"by": [{"swap": {"share": 0.5}}, {"delete": {"share": 0.3}}], "copies": 2},
            "processes": 1,
        }
    )
    try:
        dataset = prepare(section, Store(folder / "store"), seed=seed, folder=folder)
    except DataError as error:
        assert "no row is left to train on" in str(error)
        return
    assert certify(dataset)["clean"]
    rows = dataset.report["rows"]
    assert rows["read"] + rows["made"] == rows["kept"] + rows["dropped"]
    held = {question(r.content) for side in ("validation", "test") for r in dataset.records(side)}
    assert not held & {question(r.content) for r in dataset.records("train")}


def test_copies_that_balance_the_labels_are_varied_in_place(make: Make) -> None:
    rows = [
        {"text": f"{' '.join(WORDS[i % 9 : i % 9 + 9])} at gate {i}", "label": "rare" if i % 5 == 0 else "often"}
        for i in range(100)
    ]
    balanced = make(rows, split={"near": None}, balance="oversample")
    dataset = make(rows, split={"near": None}, balance="oversample", augment={"by": ["swap"], "only_copies": True})
    train = list(dataset.records("train"))
    assert len(train) == len(list(balanced.records("train")))
    copies = [record for record in train if record.meta.get("made_by") == "oversample"]
    assert copies and sum(record.meta.get("augmented_by") == ["swap"] for record in copies) > 0.9 * len(copies)
    assert len({record.id for record in copies}) > 0.9 * len(copies)
    assert all(record.content.label == "rare" for record in copies)  # type: ignore[union-attr]
    assert not any("augmented_by" in record.meta for record in train if record not in copies)


def test_varying_only_copies_needs_a_balance() -> None:
    with pytest.raises(ValidationError, match="give balance: oversample"):
        DataSection.model_validate({"sources": ["x"], "augment": {"by": ["swap"], "only_copies": True}})


def test_samples_show_nothing_that_is_redacted(make: Make) -> None:
    rows = [{"text": f"my address is ann{i}@example.com and the parcel is late again", "label": "a"} for i in range(9)]
    dataset = make(rows, transforms=["redact"], split={"validation": 0, "test": 0}, augment=["swap"])
    assert dataset.report["growth"][0]["before_after"]
    for file in ("report.json", "card.md"):
        assert "@example.com" not in (dataset.folder / file).read_text()
    assert all("[EMAIL]" in record.content.text for record in dataset.records("train"))  # type: ignore[union-attr]


@final
class Failing(Augmenter):
    """Fails on some rows, and on demand changes what it must not."""

    answers: bool = False

    @property
    def name(self) -> str:
        return "failing"

    def vary(self, record: Record, random: Random) -> Record:
        if self.answers:
            return record.having(Labeled("x", "another label"))
        if "late" in next(iter([record.content.text])):  # type: ignore[union-attr]
            raise RecordError("it is late", where=record.origin, fix="wait")
        return record.having(changed_inputs(record.content, str.upper))


def test_a_failing_augmenter_leaves_the_row_to_the_next_one_and_is_counted() -> None:
    contents = [Labeled("the parcel is late", "a"), Labeled("the parcel is lost", "b")]
    section = Augment(by=[Failing(), Failing()])
    augmentation = Augmentation(section, Place())
    rows = [Record.of(content, origin=f"r:{at}") for at, content in enumerate(contents)]
    out = list(augmentation.run(rows, 0))
    assert [row.origin for row in out] == ["r:0", "r:1"]  # capitals alone ask the same
    found = augmentation.found()
    assert found["failed"] == [{"augmenter": "failing", "reason": "it is late", "rows": 2}]
    assert found["not_made"] == {"its augmenters failed": 1, "another row asks the same": 1}


def test_an_augmenter_that_changes_an_answer_is_a_fault() -> None:
    section = Augment(by=[Failing(answers=True)])
    with pytest.raises(RuntimeError, match="more of r:1 than what is asked"):
        list(Augmentation(section, Place()).run([Record.of(Labeled("a", "b"), origin="r:1")], 0))


def test_another_wordnet_is_another_dataset(make: Make, tmp_path: Path) -> None:
    rows = [{"text": f"the teacher of {word}", "label": word} for word in WORDS]
    usual = [{"pos": "n", "members": [f"{word} {end}"]} for word in ("teacher", "tutor", "master") for end in "abc"]
    ids = set()
    for other in ("tutor", "master"):
        synsets = [{"pos": "n", "members": ["teacher", other]}, *usual]
        (tmp_path / "w.jsonl").write_text("".join(json.dumps(synset) + "\n" for synset in synsets))
        ids.add(make(rows, augment=[{"synonyms": {"wordnet": str(tmp_path / "w.jsonl")}}]).id)
    assert len(ids) == 2


def test_real_rows_in_both_languages_are_varied_without_a_leak(real: Path, make: Make) -> None:
    wordnet = str(real / "wordnet_en" / "synsets_with_synonyms.jsonl.gz")
    with (real / "classify/banking77/train.csv").open() as file:
        rows = [{"text": row["text"], "label": row["category"]} for row in list(csv.DictReader(file))[::25]]
    with (real / "classify/waimai_10k/waimai_10k.csv").open(encoding="utf-8-sig") as file:
        rows += [{"text": row["review"], "label": row["label"]} for row in list(csv.DictReader(file))[::40]]
    by = [
        {"synonyms": {"wordnet": wordnet, "probability": 0.8}},
        {"swap": {"probability": 0.3}},
        {"delete": {"probability": 0.3}},
    ]
    dataset = make(rows, augment=by)
    growth = dataset.report["growth"][0]
    assert dataset.report["certificate"]["clean"]
    assert growth["made"] > 0.4 * growth["in"]
    assert set(growth["changed_by"]) == {"synonyms", "swap", "delete"}


def test_who_asks_to_forget_a_row_is_rid_of_what_was_made_of_it(make: Make, store: Store) -> None:
    rows = [{"text": f"{' '.join(WORDS[i : i + 9])} at gate {i}", "label": "ab"[i % 2]} for i in range(12)]
    dataset = make(rows, augment={"by": ["swap"], "copies": 3})
    store.refs.move("faq/dataset", dataset.id, why="prepare")
    subject = wanted(store, "rows.jsonl:5")
    done = forget(store, subject, find_holders(store, subject), why="asked for")
    (new,) = done.act.replaced.values()
    left = [record.origin for record in store.get(Dataset, new).records("train")]
    assert len(left) == len(list(dataset.records("train"))) - 4
    assert not any(origin.startswith("rows.jsonl:5") for origin in left)
