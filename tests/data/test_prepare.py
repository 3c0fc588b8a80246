"""Preparation: one sealed dataset whose sums add up, the same on any machine, whole or not there at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tuneloop.data.glance import glance, look
from tuneloop.data.prepare import from_records, prepare
from tuneloop.data.section import DataSection, Source
from tuneloop.errors import DataError, StoreError
from tuneloop.rows import Chat, Message, Record, Text
from tuneloop.store import Dataset, Store

Make = Callable[..., Dataset]


def question(i: int) -> dict[str, str]:
    return {"question": f"what is {i} plus {i}?", "answer": f"it is {2 * i}"}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_same_rows_give_the_same_dataset_anywhere(tmp_path: Path) -> None:
    ids = set()
    for place in ("here", "there/deep/below"):
        write(tmp_path / place / "data" / "rows.jsonl", [question(i) for i in range(50)])
        section = DataSection(sources=["data/rows.jsonl"])  # type: ignore[list-item]
        dataset = prepare(section, Store(tmp_path / place / "store"), seed=7, folder=tmp_path / place)
        ids.add(dataset.id)
        assert not any(str(tmp_path).encode() in path.read_bytes() for path in dataset.folder.glob("*.[jm]*"))
    assert len(ids) == 1


def test_what_is_done_already_is_given_at_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make([question(1)])
    monkeypatch.setattr("tuneloop.data.prepare._write", None)
    assert make([question(1)]).id == first.id


@pytest.mark.parametrize(
    "change", [{"seed": 2}, {"transforms": []}, {"split": {"validation": 0.3, "test": 0}}, {"rows": [question(2)]}]
)
def test_whatever_decides_the_content_gives_another_key(make: Make, change: dict[str, Any]) -> None:
    given: dict[str, Any] = {"rows": [question(i) for i in (1, 1, 3)], "split": {"validation": 0, "test": 0}, "seed": 1}
    assert make(**given).manifest.key != make(**(given | change)).manifest.key


def test_pandas_and_datasets_open_the_result(make: Make, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    pandas = pytest.importorskip("pandas")
    dataset = make([question(i) for i in range(100)], split={"validation": 0.2, "test": 0.2})
    files = {split: str(dataset.folder / f"{split}.parquet") for split in dataset.splits}
    opened = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
    assert {split: len(opened[split]) for split in opened} == dataset.facts["rows"]
    assert opened["train"][0]["messages"][0] == {
        "role": "user",
        "content": next(dataset.records("train")).content.messages[0].content,
    }  # type: ignore[union-attr]
    assert set(pandas.read_parquet(files["test"])["id"]) == {record.id for record in dataset.records("test")}


def test_folders_and_globs_are_read_in_order_and_what_is_no_data_is_named(make: Make, tmp_path: Path) -> None:
    write(tmp_path / "rows" / "b.jsonl", [question(2)])
    write(tmp_path / "rows" / "a" / "z.jsonl", [question(1)])
    write(tmp_path / "rows" / ".hidden" / "x.jsonl", [question(9)])
    (tmp_path / "rows" / "dataset_info.json").write_text("{}")
    (tmp_path / "rows" / "README.txt").write_text("about")
    (tmp_path / "rows" / "train.yaml").write_text("a: 1")
    (tmp_path / "rows" / "table.csv").write_text("movieId,genre\n1,Drama\n")
    (tmp_path / "rows" / "empty.jsonl").write_text("")
    dataset = make(sources=["rows"])
    assert [record.origin for record in dataset.records("train")] == ["rows/a/z.jsonl:1", "rows/b.jsonl:1"]
    passed = dataset.report["sources"][0]["passed_over"]
    assert list(passed) == [
        "rows/README.txt",
        "rows/dataset_info.json",
        "rows/train.yaml",
        "rows/empty.jsonl",
        "rows/table.csv",
    ]
    assert "no known format" in passed["rows/table.csv"]
    assert [record.origin for record in make(sources=["rows/**/[bz].jsonl"]).records("train")] == [
        "rows/a/z.jsonl:1",
        "rows/b.jsonl:1",
    ]


def test_a_limit_takes_the_first_rows_of_a_source(make: Make, tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path / "rows" / f"{name}.jsonl", [question(10 * ord(name) + i) for i in range(5)])
    dataset = make(sources=[{"path": "rows", "limit": 7}])
    assert dataset.report["rows"]["read"] == 7
    assert [record.origin for record in dataset.records("train")][-1] == "rows/b.jsonl:2"


def test_rows_on_one_line_have_origins_of_their_own(make: Make, tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(json.dumps([question(1), question(2), question(2)]))
    dataset = make(sources=["rows.json"])
    assert [record.origin for record in dataset.records("train")] == ["rows.json:1", "rows.json:1#2"]
    assert [drop.origin for drop in dataset.dropped()] == ["rows.json:1#3"]


def test_everything_wrong_with_the_sources_is_said_at_once(make: Make, tmp_path: Path) -> None:
    (tmp_path / "faq.jsonl").write_text("")
    with pytest.raises(DataError) as caught:
        make(sources=["faq.json", "nothing/at/all", "faq.jsonl", "no*match.csv"])
    problems = caught.value.problems
    assert [problem.what for problem in problems] == [
        "there is no 'faq.json'",
        "there is no 'nothing/at/all'",
        "no file with rows in 'no*match.csv'",
    ]
    assert problems[0].fix == "did you mean 'faq.jsonl'?"


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([], "the file has no rows"),
        (["{", "["], "none of its first 2 rows can be read"),
        ([{"text": " "}], "all 1 were set aside"),
    ],
)
def test_a_source_without_a_usable_row_is_refused(make: Make, rows: list[Any], what: str, store: Store) -> None:
    with pytest.raises(DataError, match=what) as caught:
        make(rows)
    assert "rows.jsonl" in caught.value.problems[0].where
    assert store.artifacts() == []


def test_the_same_file_twice_is_refused(make: Make) -> None:
    with pytest.raises(DataError, match="twice"):
        make([question(1)], sources=["rows.jsonl", "./rows.jsonl"])


def test_a_file_that_may_not_be_read_is_named(make: Make, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        (tmp_path / "rows.jsonl").symlink_to(tmp_path / "rows.jsonl")
    else:
        write(tmp_path / "rows.jsonl", [question(1)]).chmod(0)
    with pytest.raises(DataError) as caught:
        make(sources=["rows.jsonl"])
    assert "rows.jsonl" in caught.value.problems[0].where


def test_the_card_tells_sources_counts_reasons_and_samples(make: Make) -> None:
    rows = [question(i) for i in range(20)] + [{"question": "q", "answer": ""}, "{oops"]
    card = (make(rows, sources=[{"path": "rows.jsonl", "licence": "cc-by-4.0"}]).folder / "card.md").read_text()
    assert "22 rows read = 20 kept (20 chat) + 2 set aside." in card
    assert "| rows.jsonl | 22 | 21 | prompt_completion (21) | cc-by-4.0 |" in card
    assert "| the answer is empty | length | 1 | rows.jsonl:21 |" in card
    assert "user: what is " in card


def test_a_glance_gives_counts_and_first_rows(make: Make) -> None:
    seen = glance(make([question(1), question(1), question(2)]), rows=1)
    assert seen["splits"] == {"train": 2, "validation": 0, "test": 0}
    assert seen["dropped"] == {"the same content as an earlier row": 1}
    assert [record.origin for record in seen["samples"]["train"]] == ["rows.jsonl:1"]


def test_a_look_at_a_source_gives_the_verdict_and_rows(tmp_path: Path, store: Store) -> None:
    write(tmp_path / "rows.jsonl", [question(i) for i in range(5)])
    ((counts, kinds),) = look(Source(path="rows.jsonl"), tmp_path)
    assert kinds == {"chat": 5}
    assert str(counts.verdict) == "prompt_completion (5 of 5 rows looked at fit)"
    assert "what is 0 plus 0?" in counts.samples[0]
    assert store.artifacts() == []


def test_progress_tells_rows_read(make: Make, notes: Any) -> None:
    make([question(i) for i in range(1203)])
    assert notes.done == 1203


def test_records_that_are_there_already_become_a_dataset(store: Store) -> None:
    chat = Chat((Message("user", "q"), Message("assistant", "a")))
    row = Record.of(chat, origin="exchange:42", meta={"who": "ann"})
    given = {"train": [row], "test": [Record.of(Text("t"), origin="b:1")]}
    old = from_records({"train": [row]}, store, parents={}, key="old", report={})
    dataset = from_records(given, store, parents={"dataset": old.id}, key="k", report={"corrections": 1})
    assert list(dataset.records("train")) == [row]
    assert dataset.splits == ["train", "test"]
    assert dataset.parents == {"dataset": old.id}
    assert dataset.report["made"] == {"corrections": 1}
    assert from_records({}, store, parents={}, key="k", report={}).id == dataset.id
    with pytest.raises(DataError, match="there are no rows to train on"):
        from_records({}, store, parents={}, key="other", report={})
    with pytest.raises(DataError, match="no split 'dev'"):
        from_records({"dev": []}, store, parents={}, key="another", report={})


def test_hugging_face_datasets_are_read_from_their_cache(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    table = pa.table({"question": ["a", "b"], "answer": ["1", "2"]})
    with pa.OSFile(str(tmp_path / "cached.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    asked: list[Any] = []

    def load_dataset(name: str, config: str | None, split: str, revision: str | None) -> Any:
        asked.append((name, config, split, revision))
        return datasets.Dataset.from_file(str(tmp_path / "cached.arrow"))

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    dataset = make(sources=["hf://owner/name:main@test"])
    assert asked == [("owner/name", "main", "test", None)]
    assert [record.origin for record in dataset.records("train")] == [
        "hf://owner/name:main@test#1",
        "hf://owner/name:main@test#2",
    ]


def test_a_hugging_face_dataset_that_cannot_be_had_is_refused_with_the_way(make: Make) -> None:
    pytest.importorskip("datasets")
    with pytest.raises(DataError, match="'owner/nothing' cannot be fetched") as caught:
        make(sources=["hf://owner/nothing"])
    assert "hf://owner/name[:config][@split]" in caught.value.problems[0].fix


def test_a_parquet_file_written_by_others_is_read(make: Make, tmp_path: Path) -> None:
    turns = [[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]]
    pq.write_table(pa.table({"messages": turns, "date": pa.array([0], pa.date32())}), tmp_path / "rows.parquet")
    (record,) = make(sources=["rows.parquet"]).records("train")
    assert record.origin == "rows.parquet#1"
    assert record.meta == {"other": {"date": "1970-01-01"}}


# --- crashes and limits --------------------------------------------------------------------------

PREPARE = """
import sys
from pathlib import Path
from tuneloop.data.prepare import prepare
from tuneloop.data.section import DataSection
from tuneloop.store import Store
folder = Path(sys.argv[1])
print("go", flush=True)
print(prepare(DataSection(sources=["rows.jsonl"]), Store(folder / "store"), seed=1, folder=folder).id)
"""


def test_a_kill_leaves_nothing_half_done(tmp_path: Path) -> None:
    write(tmp_path / "rows.jsonl", [question(i) for i in range(4000)])
    for wait in (0.0, 0.05, 0.2, 0.4):
        child = subprocess.Popen([sys.executable, "-c", PREPARE, str(tmp_path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(wait)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        store = Store(tmp_path / "store")
        for manifest in store.artifacts():
            store.verify(manifest.id)
    section = DataSection(sources=["rows.jsonl"])  # type: ignore[list-item]
    again = prepare(section, Store(tmp_path / "store"), seed=1, folder=tmp_path)
    fresh = prepare(section, Store(tmp_path / "fresh"), seed=1, folder=tmp_path)
    assert again.id == fresh.id
    assert len(Store(tmp_path / "store").artifacts()) == 1


FULL = PREPARE.replace(
    "import sys", "import sys, resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)"
).replace('print("go", flush=True)', "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))")


def test_a_full_disk_is_said_with_the_way_out(tmp_path: Path) -> None:
    write(tmp_path / "rows.jsonl", [question(i) for i in range(4000)])
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "tuneloop.errors.StoreError: cannot write" in done.stderr
    assert "free some space" in done.stderr
    assert Store(tmp_path / "store").artifacts() == []


def test_a_store_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file stands in the way")
    with pytest.raises(StoreError):
        Store(tmp_path / "store")


# The peak of this very program: ru_maxrss would count the process that started it too.
MEMORY = (
    PREPARE
    + """
import pathlib, re
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1]) // 1024)
"""
)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's account of memory")
def test_a_hundred_thousand_rows_need_little_memory(tmp_path: Path) -> None:
    """150 MB of rows, held as text and as records, would not fit under the limit; digests and buffers do."""
    filler = "word " * 300
    with (tmp_path / "rows.jsonl").open("w") as file:
        for i in range(100_000):
            file.write(json.dumps({"question": f"what is {i}?", "answer": f"{i} {filler}"}) + "\n")
    done = subprocess.run([sys.executable, "-c", MEMORY, str(tmp_path)], capture_output=True, text=True, check=True)
    megabytes = int(done.stdout.split()[-1])
    assert megabytes < 350, f"{megabytes} MB"
