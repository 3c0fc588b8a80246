"""Forgetting: who holds a person or a row, versions without it, and nothing of it anywhere afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuneloop.data.forgetting.act import Done, forget
from tuneloop.data.forgetting.holding import find
from tuneloop.data.forgetting.wanted import pseudonyms, wanted
from tuneloop.data.prepare import from_records, prepare
from tuneloop.data.section import DataSection
from tuneloop.errors import DataError, StoreError
from tuneloop.rows import Exchange, Feedback
from tuneloop.store import Dataset, Model, Release, Store
from tuneloop.store.exchanges import Exchanges
from tuneloop.store.forgotten import REASON
from tuneloop.store.lineage import fit

WHO = "Marianne Testperson"
NEEDLES = (b"marianne", b"testperson")


class World:
    """A recipe's rows on disk, 40 of them, three of which name a person; a store; a model that learned from them."""

    def __init__(self, root: Path) -> None:
        self.folder = root
        self.lines = [self.line(f"What does order {i} cost today, please?", f"It costs {i} coins.") for i in range(40)]
        self.lines[3] = self.line("Who takes calls on Monday morning here?", f"Ask {WHO}, 555-0134.")
        self.lines[5] = self.line("Please greet MARIANNE\n TESTPERSON from me today.", "I shall do so.")
        self.lines[7] = self.line(f"A letter by {WHO} has come this morning.", "")
        self.write()
        self.store = Store(root / "store")
        self.section: dict[str, Any] = {"sources": ["rows.jsonl"]}

    def line(self, question: str, answer: str) -> str:
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        return json.dumps({"messages": turns})

    def write(self) -> None:
        (self.folder / "rows.jsonl").write_text("\n".join(self.lines) + "\n")

    def prepare(self) -> Dataset:
        made = prepare(DataSection.model_validate(self.section), self.store, seed=1, folder=self.folder)
        self.store.refs.move("faq/dataset", made.id, why="prepare")
        return made

    def seal(self, kind: Any, parents: dict[str, str], ref: str = "") -> str:
        with self.store.draft() as draft:
            (draft / "x.json").write_text(json.dumps(parents))
            made = self.store.seal(kind, draft, parents=parents, key="k", facts={})
        if ref:
            self.store.refs.move(ref, made.id, why="test")
        return str(made.id)

    def forget(
        self, subject: str = WHO, *, purge: bool = False, also: tuple[str, ...] = (), kind: Any = "auto"
    ) -> Done:
        meant = wanted(self.store, subject, also, kind=kind)
        return forget(self.store, meant, find(self.store, meant), why="request 17", purge=purge)

    def texts(self, dataset: Dataset) -> str:
        return str([record for split in dataset.splits for record in dataset.records(split)])

    def grep(self) -> list[str]:
        """The files of the store that hold the person's name in any case, their Parquet files decoded."""
        found = []
        for path in sorted(self.store.root.rglob("*")):
            if path.is_file():
                data = path.read_bytes()
                if path.suffix == ".parquet":
                    import pyarrow.parquet as pq

                    data = str(pq.read_table(path).to_pylist()).encode() + data
                found += [str(path)] if any(needle in data.lower() for needle in NEEDLES) else []
        return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_person_is_found_in_rows_ledger_and_everything_made_from_them(world: World) -> None:
    dataset = world.prepare()
    model = world.seal(Model, {"dataset": dataset.id}, "faq/model")
    release = world.seal(Release, {"model": model}, "faq/champion")
    clean = from_records(
        {"train": [r for r in dataset.records("train") if "order" in str(r)]},
        world.store,
        parents={"dataset": dataset.id},
        key="clean",
        report={},
    )
    sparse = world.seal(Model, {"dataset": clean.id})
    found = find(world.store, wanted(world.store, WHO))
    assert [holder.id for holder in found.holders] == [dataset.id, model, release]
    assert sparse not in [holder.id for holder in found.holders]
    counts = found.holders[0].rows
    assert sum(counts.get(split, 0) for split in ("train", "validation", "test")) == 2
    assert counts["set aside"] == 1
    assert found.holders[2].refs == ("faq/champion",)
    assert found.origins == ["rows.jsonl:4", "rows.jsonl:6", "rows.jsonl:8"]
    assert not find(world.store, wanted(world.store, "Nobody Whosoever"))


def test_a_version_without_the_person_takes_the_old_one_s_place_with_a_true_ledger(world: World) -> None:
    old = world.prepare()
    before = {record.origin: (split, record) for split in old.splits for record in old.records(split)}
    done = world.forget()
    new = world.store.get(Dataset, "faq/dataset")
    assert done.act.replaced == {old.id: new.id}
    assert done.act.rows == 2
    after = {record.origin: (split, record) for split in new.splits for record in new.records(split)}
    assert after == {o: each for o, each in before.items() if o not in ("rows.jsonl:4", "rows.jsonl:6")}
    rows = new.report["rows"]
    assert (rows["read"], rows["kept"], rows["dropped"]) == (40, 37, 3)
    assert [(drop.reason, drop.step) for drop in new.dropped()][:2] == [(REASON, "forget")] * 2
    told = (new.folder / "dropped.jsonl").read_bytes() + (new.folder / "report.json").read_bytes()
    told += (new.folder / "card.md").read_bytes()
    assert not any(needle in told.lower() for needle in NEEDLES)
    assert list(world.store.refs.log("faq/dataset"))[-1].why == f"{done.act.id}: request 17"
    assert world.prepare().id == new.id
    world.store.verify(new.id)


def test_the_row_does_not_come_back_from_other_lines_files_or_steps(world: World) -> None:
    world.prepare()
    world.forget()
    world.lines.insert(0, world.line("A new first question that moves all lines?", "Yes."))
    world.lines.append(world.line("Is marianne testperson in today?", "No."))
    world.write()
    world.section["transforms"] = []
    made = world.prepare()
    assert not any(needle in world.texts(made).lower().encode() for needle in NEEDLES)
    assert made.report["rows"]["dropped"] == 4
    assert {drop.reason for drop in made.dropped()} == {REASON}
    assert all(made.id not in path for path in world.grep())  # only the first version, which nobody purged


def test_a_dataset_that_never_held_the_person_keeps_its_id(world: World) -> None:
    (world.folder / "other.jsonl").write_text("\n".join(world.lines[10:30]))
    section = DataSection.model_validate({"sources": ["other.jsonl"]})
    fresh = prepare(section, Store(world.folder / "fresh"), seed=1, folder=world.folder)
    world.prepare()
    world.forget()
    assert prepare(section, world.store, seed=1, folder=world.folder).id == fresh.id


@pytest.mark.parametrize("by", ["id", "origin"])
def test_one_row_is_forgotten_by_its_id_or_origin_and_stays_away(world: World, by: str) -> None:
    old = world.prepare()
    record = next(record for record in old.records("train") if record.origin == "rows.jsonl:12")
    meant = record.id if by == "id" else record.origin
    done = world.forget(meant, purge=True)
    assert done.act.rows == 1
    assert done.act.purged == (old.id,)
    assert not done.left
    new = world.store.get(Dataset, "faq/dataset")
    assert record.origin not in [each.origin for split in new.splits for each in new.records(split)]
    assert "order 11 cost" not in world.texts(new) + (new.folder / "report.json").read_text()
    world.lines = [world.lines[20].replace("20", "99"), *world.lines]  # other file, other place, same row
    world.write()
    again = world.prepare()
    assert "order 11 cost" not in world.texts(again) + (again.folder / "report.json").read_text()
    assert "order 12 cost" in world.texts(again)
    assert world.forget(meant).act.id == done.act.id


def test_an_unknown_row_is_told_and_a_text_that_looks_like_one_is_still_a_text(world: World) -> None:
    world.prepare()
    with pytest.raises(DataError, match="no dataset holds a row"):
        wanted(world.store, "0" * 32)
    with pytest.raises(DataError, match="no dataset holds a row"):
        wanted(world.store, "rows.jsonl:999", kind="row")
    assert not find(world.store, wanted(world.store, "Testperson:77 nobody:12"))


def test_answers_comments_caches_and_unfinished_work_go_too(world: World) -> None:
    dataset = world.prepare()
    with Exchanges(world.store.root / "exchanges.db") as exchanges:
        for number, (asked, answer) in enumerate([("hi", "hello"), (f"who is {WHO}?", "?"), ("hi", "ok"), ("a", WHO)]):
            request = {"messages": [{"role": "user", "content": asked}]}
            exchanges.add(Exchange(f"chatcmpl-{number}", 1.0, "release-1", "champion", "", request, answer, 0.1, 1, 1))
        exchanges.judge(Feedback("f-1", "chatcmpl-2", "comment", f"{WHO} says so", "ann", 1.0))
        exchanges.judge(Feedback("f-2", "chatcmpl-0", "comment", "good", "ann", 1.0))
    (world.store.root / "cache" / "encoded-1").mkdir()
    work = world.store.root / "work" / "0123456789"
    work.mkdir()
    (work / "asked.json").write_text(json.dumps({"key": "0123456789", "asked": {"dataset": dataset.id}}))
    done = world.forget(purge=True)
    assert done.act.exchanges == 3
    with Exchanges(world.store.root / "exchanges.db") as exchanges:
        assert [exchange.id for exchange in exchanges.all()] == ["chatcmpl-0"]
        assert len(exchanges.feedback("chatcmpl-0")) == 1
    assert not list((world.store.root / "cache").iterdir())
    assert not work.exists()
    assert not done.left
    assert world.grep() == []


def test_purge_keeps_what_a_ref_needs_and_says_so_and_goes_on_once_it_moved(world: World) -> None:
    dataset = world.prepare()
    model = world.seal(Model, {"dataset": dataset.id})
    release = world.seal(Release, {"model": model}, "faq/champion")
    done = world.forget(purge=True)
    assert done.act.purged == (dataset.id,)
    assert done.kept == {model: ["faq/champion"], release: ["faq/champion"]}
    assert {holder.id for holder in done.left.holders} == {model, release}
    assert "tuneloop promote faq" in done.commands
    with pytest.raises(StoreError, match=f"{REASON}: {release} was made from {model}"):
        fit(world.store, release, "promote")
    with pytest.raises(StoreError, match="was deleted on") as caught:
        world.store.open(dataset.id)
    assert done.act.replaced[dataset.id] in caught.value.problems[0].fix
    new = world.seal(Model, {"dataset": world.store.refs.all()["faq/dataset"]}, "faq/champion")
    fit(world.store, new, "promote")
    done = world.forget(purge=True)
    assert set(done.act.purged) == {dataset.id, model, release}
    assert not done.left
    assert not done.kept
    assert world.grep() == []


def test_versions_made_from_each_other_are_replaced_together(world: World) -> None:
    first = world.prepare()
    rows = {split: list(first.records(split)) for split in first.splits}
    second = from_records(rows, world.store, parents={"dataset": first.id}, key="second", report={"new": 1})
    world.store.refs.move("faq/dataset", second.id, why="collect")
    world.store.refs.move("faq/tags/audited", first.id, why="tag")
    done = world.forget()
    new = world.store.get(Dataset, "faq/dataset")
    assert new.parents == {"dataset": world.store.refs.all()["faq/tags/audited"]}
    assert set(done.act.replaced) == {first.id, second.id}
    assert done.moved.keys() == {"faq/dataset", "faq/tags/audited"}


def test_only_lines_that_hold_the_person_now_are_named(world: World) -> None:
    world.prepare()
    del world.lines[5]  # a row of the person was deleted already, and all below it moved up
    world.lines.insert(0, world.line("A new first question that moves all lines?", "Yes."))
    world.write()
    found = find(world.store, wanted(world.store, WHO))
    assert found.origins == ["rows.jsonl:5", "rows.jsonl:8"]
    assert "no longer hold them" in found.unsure["rows.jsonl"]
    world.lines = [line for line in world.lines if "estperson" not in line and "TESTPERSON" not in line]
    world.write()
    found = find(world.store, wanted(world.store, WHO))
    assert found.origins == []
    assert "no line holds them now" in found.unsure["rows.jsonl"]
    (world.folder / "rows.jsonl").unlink()
    assert "not here" in find(world.store, wanted(world.store, WHO)).unsure["rows.jsonl"]


def test_a_row_by_its_id_is_found_where_it_is_now(world: World) -> None:
    record = next(iter(world.prepare().records("train")))
    line = int(record.origin.rpartition(":")[2])
    world.lines.insert(0, world.line("A new first question that moves all lines?", "Yes."))
    world.write()
    assert find(world.store, wanted(world.store, record.id)).origins == [f"rows.jsonl:{line + 1}"]


def test_caches_of_other_datasets_are_left_alone(world: World) -> None:
    dataset = world.prepare()
    cache = world.store.root / "cache"
    digits = dataset.id.partition("-")[2]
    for name in (f"encoded-{digits}-{'0' * 32}", f"encoded-{'f' * 20}-{'0' * 32}", f"reference-{'0' * 32}"):
        (cache / name).write_bytes(b"figures")
    (cache / "fetched-1").mkdir()
    (cache / "fetched-1" / "page.jsonl").write_text('{"text": "of nobody in particular"}')
    found = find(world.store, wanted(world.store, WHO))
    assert list(found.caches) == [f"encoded-{digits}-{'0' * 32}", f"reference-{'0' * 32}"]
    assert "do not say of which" in found.caches[f"reference-{'0' * 32}"]
    world.forget()
    assert sorted(path.name for path in cache.iterdir()) == [f"encoded-{'f' * 20}-{'0' * 32}", "fetched-1"]


def test_other_names_of_the_person_are_found_with_it(world: World) -> None:
    world.lines[20] = world.line("Who has the number 555 0134 on the list?", "PERSON_7f3a9c has it.")
    world.write()
    world.prepare()
    assert world.forget(also=("5550134", "PERSON_7f3a9c")).act.rows == 3


def test_a_person_whose_data_became_pseudonyms_is_found_with_the_recipe_s_key(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNELOOP_REDACT_KEY", "k" * 40)
    world.lines[20] = world.line("Who has the address ann.testperson@example.com now?", "Somebody else has it.")
    world.write()
    world.section["transforms"] = [{"redact": {"how": "pseudonym", "kinds": ["email"]}}]
    made = world.prepare()
    assert "ann.testperson" not in world.texts(made)
    section = DataSection.model_validate(world.section)
    also = pseudonyms(section, world.folder, ["ann.testperson@example.com"])
    assert len(also) == 1
    assert also[0] in world.texts(made)
    assert world.forget("ann.testperson@example.com").act.rows == 0
    assert world.forget("ann.testperson@example.com", also=tuple(also)).act.rows == 1
    assert pseudonyms(section, world.folder, ["nobody"]) == []


def test_the_log_names_nobody_and_a_reason_that_does_is_refused(world: World) -> None:
    world.prepare()
    meant = wanted(world.store, WHO)
    with pytest.raises(DataError, match="names whom it is about"):
        forget(world.store, meant, find(world.store, meant), why="asked by marianne testperson")
    assert not world.store.forgotten.path.exists()
    world.forget()
    kept = world.store.forgotten.path.read_bytes().lower()
    assert not any(needle in kept for needle in NEEDLES)
