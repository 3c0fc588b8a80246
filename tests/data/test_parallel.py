"""Work shared by processes: the same result for any number of them, and failures told whole."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.data.toys import Failing, Looking, Louder, Stuck

from tuneloop.data.parallel import AHEAD, Crew
from tuneloop.errors import DataError
from tuneloop.store import Dataset

Make = Callable[..., Dataset]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Start processes with the first row, and make chunks small."""
    monkeypatch.setattr("tuneloop.data.parallel.ALONE", 0)
    monkeypatch.setattr("tuneloop.data.reading.ROWS", 7)
    monkeypatch.setattr("tuneloop.data.stretch.ROWS", 11)
    monkeypatch.setattr("tuneloop.data.decoding.BLOCK", 512)
    return monkeypatch


def sources(folder: Path) -> list[str]:
    """Files of several kinds, some rows of them broken or in an old encoding."""
    rows = [{"instruction": f"what is {i} plus {i % 9}?", "output": f"it is {i + i % 9} ", "n": i} for i in range(90)]
    lines = [json.dumps(row).encode() for row in rows]
    lines[3], lines[40], lines[41], lines[77] = (
        b"{oops",
        b"",
        "\ufeffnothing".encode(),
        '{"text": "é"}'.encode("cp1252"),
    )
    lines[50] = lines[49]
    (folder / "a.jsonl").write_bytes(b"\n".join(lines))
    (folder / "b.json").write_text(json.dumps(rows[20:50], indent=1).replace('"what is 33', "what is 33"))
    (folder / "c.csv").write_text("question,answer\n" + "".join(f"c{i},d{i}\n" for i in range(30)) + 'x,"y\n')
    (folder / "d.jsonl.gz").write_bytes(gzip.compress("\n".join(json.dumps(r) for r in rows[:5]).encode("utf-16")))
    return ["a.jsonl", "b.json", "c.csv", "d.jsonl.gz"]


def whole(dataset: Dataset) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in dataset.folder.iterdir() if path.name != "manifest.json"}


STEPS = ["normalize", Louder(), "duplicates", "length", Louder()]


def test_any_number_of_processes_gives_the_same_bytes(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    files = sources(tmp_path)
    alone = make(sources=files, transforms=STEPS, processes=1, split={"validation": 0.2, "test": 0})
    found = whole(alone)
    assert alone.report["rows"]["read"] == 89 + 30 + 31 + 5
    assert alone.report["steps"][1]["tally"] == {"heard": alone.report["steps"][1]["kept"]}
    assert alone.report["sources"][3]["files"][0]["repaired"] == {"UTF-16 read": 5}
    request.getfixturevalue("at_once")
    for processes in (1, 2, 3):
        alone.folder.rename(tmp_path / f"gone-{processes}")
        again = make(sources=files, transforms=STEPS, processes=processes, split={"validation": 0.2, "test": 0})
        assert again.id == alone.id
        assert whole(again) == found


def test_the_number_of_processes_is_no_part_of_the_key(make: Make) -> None:
    rows = [{"text": "a"}]
    assert make(rows, processes=1).id == make(rows, processes=2).id
    assert len({make(rows, processes=n).manifest.created for n in (1, 2, None)}) == 1


def test_small_work_starts_no_process(make: Make) -> None:
    tally = make([{"text": str(i)} for i in range(50)], transforms=[Looking()], processes=3).report["steps"][0]["tally"]
    assert tally[f"process {os.getpid()}"] == 50


def test_several_processes_work_and_load_nothing_heavy(make: Make, at_once: Any) -> None:
    tally = make([{"text": str(i)} for i in range(500)], transforms=[Looking()], processes=2).report["steps"][0][
        "tally"
    ]
    workers = [name for name in tally if name.startswith("process")]
    assert len(workers) == 2
    assert f"process {os.getpid()}" not in workers
    assert not {"torch", "transformers", "pyarrow"} & tally.keys()


def test_no_process_outlives_the_work(make: Make, at_once: Any) -> None:
    make([{"text": str(i)} for i in range(100)], transforms=[Louder()], processes=2)
    with pytest.raises(DataError):
        make([{"text": f"fail {i}"} for i in range(100)], transforms=[Failing(how="own")], processes=2)
    assert psutil.Process().children() == []


def test_a_failure_in_a_process_arrives_whole(make: Make, at_once: Any) -> None:
    rows = [{"text": str(i)} for i in range(99)] + [{"text": "fail"}]
    with pytest.raises(DataError) as caught:
        make(rows, transforms=[Failing(how="own")], processes=2)
    problem = caught.value.problems[0]
    assert (problem.what, problem.where, problem.fix) == ("a bad row: fail", "rows.jsonl:100", "mend it")
    with pytest.raises(ZeroDivisionError, match="by nothing") as failed:
        make(rows, transforms=[Failing(how="zero")], processes=2)
    assert "toys.py" in failed.value.__notes__[0]
    with pytest.raises(RuntimeError, match="Odd: odd: 3"):
        make(rows, transforms=[Failing(how="odd")], processes=2)


def test_a_killed_process_is_said_with_the_way_out(make: Make, at_once: Any) -> None:
    with pytest.raises(DataError, match="killed by SIGKILL") as caught:
        make([{"text": "fail"}] * 100, transforms=[Failing(how="kill")], processes=2)
    assert "data.processes: 1" in caught.value.problems[0].fix


def test_what_cannot_travel_stays_here(make: Make, at_once: Any) -> None:
    steps = make([{"text": str(i)} for i in range(60)], transforms=[Stuck()], processes=2).report["steps"]
    assert steps[0]["tally"] == {f"process {os.getpid()}": 60}


class Slow:
    """Takes longer for some chunks than for others."""

    def __call__(self, chunk: range) -> int:
        time.sleep(0.002 * (chunk.start % 3))
        return chunk.start


def test_results_come_in_order_and_chunks_are_taken_as_needed(at_once: Any) -> None:
    taken = []

    def chunks() -> Any:
        for start in range(60):
            taken.append(start)
            yield range(start, start + 5)

    with Crew(2) as crew:
        for i, result in enumerate(crew.map(Slow(), (range(r, r + 1) for r in crew.map(Slow(), chunks())))):
            assert result == i
            assert len(taken) <= i + 2 * (AHEAD * 2 + 1)
    assert len(taken) == 60
