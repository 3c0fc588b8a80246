"""The card says what the report says, in two harmless files that are the same anywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from click.testing import CliRunner

from tuneloop import life
from tuneloop.cli.data import command
from tuneloop.data.card import licences, pictures
from tuneloop.data.card.asked import asked, overdue
from tuneloop.data.card.compliance import Point, compliance, due, verdict
from tuneloop.data.card.flow import Flow, Stage, flow
from tuneloop.data.card.markdown import _code, markdown
from tuneloop.data.card.page import render
from tuneloop.data.card.survey import DRAWN, Survey
from tuneloop.data.forgetting.rebuild import without
from tuneloop.data.forgetting.wanted import wanted
from tuneloop.data.hiding import Hider
from tuneloop.data.prepare import from_records, prepare
from tuneloop.data.section import DataSection
from tuneloop.monitoring.progress import Silent
from tuneloop.rows import Chat, Labeled, Message, Record, Text
from tuneloop.store import Dataset, Store

MAIL, KEY = "ann.lee@example.com", "sk-proj-Zk3vQ8LmT5xWc7RnB1yD9pHf2sJgA4eU6iOoKqVtXwNzM0bCrF"
VOID = {"meta", "br", "wbr"}


class Reader(HTMLParser):
    """Keeps tags and text, and complains of a tag that closes another."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def rows() -> list[dict[str, Any]]:
    said = [
        {"instruction": f"What is {i} and {i * i}?", "output": f"It is <b>{i}</b>.", "topic": "sums"} for i in range(60)
    ]
    said += [{"instruction": f"请问{i}是什么？", "output": f"这是第{i}个答案。", "topic": "words"} for i in range(40)]
    said += [{"instruction": f"Write to {MAIL}, {i} times", "output": f"With {KEY} in {i}"} for i in range(3)]
    return [*said, said[0], said[1], {"instruction": "Empty?", "output": ""}, {"instruction": 5}]


@pytest.fixture
def rich(tmp_path: Path) -> Dataset:
    return made(tmp_path)


def made(folder: Path, **changes: Any) -> Dataset:
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows())
    (folder / "rows.jsonl").write_text(text, encoding="utf-8")
    (folder / "bench.jsonl").write_text('{"question": "What is 7 and 49?", "answer": "It is <b>7</b>."}\n')
    section = {
        "sources": [{"path": "rows.jsonl", "licence": "cc-by-nc-4.0"}],
        "transforms": [
            "normalize",
            {"length": {"tokenizer": "embedded"}},
            "language",
            "redact",
            "secrets",
            "duplicates",
            {"decontaminate": {"against": ["bench.jsonl"]}},
        ],
        "split": {"near": None},
        "governance": {"retention": "2027-01-31", "access": "the search team"},
    }
    store = Store(folder / "store")
    return prepare(DataSection.model_validate(section | changes), store, seed=2, folder=folder)


def told(dataset: Dataset) -> tuple[str, str]:
    return (dataset.folder / "card.md").read_text("utf-8"), (dataset.folder / "card.html").read_text("utf-8")


def test_the_numbers_of_both_forms_are_those_of_the_report(rich: Dataset) -> None:
    report, (text, html) = rich.report, told(rich)
    page = Reader(html).text
    counts = report["rows"]
    assert f"{counts['read']} rows read = {counts['kept']} kept" in text
    assert f"{counts['read']} read = {counts['kept']} kept + {counts['dropped']} set aside" in page
    for split, count in report["splits"].items():
        assert f"| {split} | {count} |" in text
    for entry in report["dropped"]:
        assert f"| {entry['step']} | {entry['rows']} |" in text
        assert entry["reason"] in page
    assert sum(each["rows"] for each in report["survey"]["tokens"]["train"]) == report["splits"]["train"]


def test_rows_flow_from_station_to_station_without_a_loss(rich: Dataset) -> None:
    way = flow(rich.report)
    assert way.stages[0].taken == sum(count for _, count in way.sources) == rich.report["rows"]["read"]
    assert [stage.left for stage in way.stages[:-1]] == [stage.taken for stage in way.stages[1:]]
    assert sum(stage.gone for stage in way.stages) == rich.report["rows"]["dropped"]
    assert way.stages[-1].left == sum(way.splits.values()) == rich.report["rows"]["kept"]


def test_rows_made_by_a_balancer_are_in_the_flow(tmp_path: Path) -> None:
    labeled = [{"text": f"text {i} of some length", "label": "a" if i % 5 else "b"} for i in range(60)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in labeled))
    section = {"sources": ["rows.jsonl"], "transforms": [], "balance": "oversample", "split": {"near": None}}
    dataset = prepare(DataSection.model_validate(section), Store(tmp_path / "s"), seed=2, folder=tmp_path)
    way = flow(dataset.report)
    assert (way.stages[-1].name, way.stages[-1].made) == ("oversample", dataset.report["rows"]["made"])
    assert f"+ {way.stages[-1].made} made" in told(dataset)[1]
    labels = dataset.report["survey"]["labels"]["train"]
    assert labels["a"] == labels["b"] and sum(labels.values()) == dataset.report["splits"]["train"]


def test_a_report_whose_sums_do_not_add_up_has_no_card(rich: Dataset) -> None:
    report = rich.report
    report["steps"][0]["in"] += 1
    with pytest.raises(RuntimeError, match=r"left .* rows, but"):
        flow(report)


def test_the_same_rows_give_the_same_bytes_in_another_place(tmp_path: Path) -> None:
    here, there = made(tmp_path / "a"), made(tmp_path / "b" / "c")
    assert (here.id, told(here)) == (there.id, told(there))
    assert told(here) == (markdown(here.report), render(here.report))
    assert str(tmp_path) not in "".join(told(here))


def test_nothing_that_was_taken_out_of_rows_is_in_either_form(rich: Dataset) -> None:
    for text in told(rich):
        assert MAIL not in text and "ann.lee" not in text and KEY not in text and KEY[8:30] not in text
        assert "[EMAIL]" in text


def test_the_page_is_whole_and_runs_and_fetches_nothing(rich: Dataset) -> None:
    html = told(rich)[1]
    page = Reader(html)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "b>"}
    assert not [
        name for _, attributes in page.tags for name in attributes if name in ("src", "href") or name[:2] == "on"
    ]
    assert not re.search(r"https?:|url\(|@import", html)
    assert "<b>7</b>" not in html.split("</style>")[1]
    assert "It is &lt;b&gt;" in html


def test_every_picture_is_sound_and_says_what_it_shows_in_words(rich: Dataset) -> None:
    pictures = re.findall(r"<svg.*?</svg>", told(rich)[1], re.S)
    assert len(pictures) > 3
    for picture in pictures:
        tree = ElementTree.fromstring(picture)
        assert tree.get("role") == "img"
        assert tree.get("aria-label") or tree.find("desc") is not None


def test_the_header_is_what_dataset_hubs_read(rich: Dataset) -> None:
    head = yaml.safe_load(told(rich)[0].split("---\n")[1])
    assert head["license"] == "cc-by-nc-4.0"
    assert head["size_categories"] == ["n<1K"]
    assert head["task_categories"] == ["text-generation"]
    assert {"en", "zh"} <= set(head["language"])
    assert {"split": "train", "path": "train.parquet"} in head["configs"][0]["data_files"]


def test_what_should_be_known_before_training(rich: Dataset) -> None:
    points = {point.check: point for point in compliance(rich.report)}
    assert points["personal data"].severity == "good" and "none left" in points["personal data"].evidence
    assert points["licences"].severity == "warning" and "no commercial use" in points["licences"].evidence
    assert points["retention"].evidence == "to be kept until 2027-01-31"
    assert points["who may use the rows"].evidence == "the search team"
    assert points["leaks between splits"].severity == "good"
    assert points["benchmarks"].evidence.startswith("1 rows")


def test_rows_that_were_not_redacted_are_looked_at(tmp_path: Path) -> None:
    report = made(tmp_path, transforms=["normalize", "length"]).report
    assert report["survey"]["found"]["personal"]["email"] == 3
    points = {point.check: point for point in compliance(report)}
    assert points["personal data"].severity == points["secrets"].severity == "warning"
    assert "3 email" in points["personal data"].evidence
    assert points["benchmarks"].severity == "note"


def test_data_past_its_day_is_an_error_on_that_day_and_not_before(rich: Dataset) -> None:
    assert due(rich.report, date(2027, 1, 31)) is None
    late = due(rich.report, date(2027, 2, 2))
    assert late is not None and (late.severity, "2 days ago" in late.evidence) == ("error", True)
    assert overdue(rich, date(2027, 2, 2)) == late
    assert asked(rich, today=date(2027, 2, 2)).severity == "error"


def test_a_page_of_today_says_what_is_over(rich: Dataset, tmp_path: Path) -> None:
    card = asked(rich, tmp_path / "now.html", base_licence="", today=date(2028, 1, 1))
    assert card.page == str(tmp_path / "now.html")
    page = Reader((tmp_path / "now.html").read_text("utf-8")).text
    assert "were to be kept until 2027-01-31 only" in page
    assert "the base model states none" in page


@pytest.mark.parametrize(
    ("licence", "severity"),
    [
        ("apache-2.0", "good"),
        ("Apache License", "good"),
        ("llama3", "warning"),
        ("mine", "warning"),
        ("cc-by-nc-4.0", "warning"),
    ],
)
def test_the_licence_of_the_base_model_is_a_point(rich: Dataset, licence: str, severity: str) -> None:
    assert compliance(rich.report, base_licence=licence)[-1].severity == severity


@pytest.mark.parametrize(
    ("licence", "commercial", "alike"),
    [
        ("CC0-1.0", True, False),
        ("cc-by-sa-3.0", True, True),
        ("cc-by-nc-sa-4.0", False, True),
        ("GPL-3.0-or-later", True, True),
        ("MIT", True, False),
        ("odbl", True, True),
        ("bsd-3-clause", True, False),
    ],
)
def test_common_licences_are_known(licence: str, commercial: bool, alike: bool) -> None:
    asks = licences.terms(licence)
    assert asks is not None and (asks.commercial, asks.share_alike) == (commercial, alike)
    assert licences.terms("see our website") is None


def test_the_verdict_names_the_worst_first() -> None:
    points = [Point("a", "warning", ""), Point("b", "error", ""), Point("c", "good", "")]
    assert verdict(points) == ("error", "2 points to look at before training: a, b")


def test_a_dataset_of_records_and_one_split_has_a_card(tmp_path: Path) -> None:
    record = Record.of(Chat((Message("user", "hi"), Message("assistant", "``` ho"))), origin="a:1")
    dataset = from_records({"train": [record]}, Store(tmp_path), parents={}, key="k", report={})
    text, html = told(dataset)
    assert "There is only one split" in text and "There is only one split" in html
    assert "\n````\na:1" in text
    assert Reader(html).text.count("test: none") == 1


def test_the_draw_depends_on_neither_order_nor_number() -> None:
    records = [Record.of(Text(f"row {i}"), origin=f"a:{i}") for i in range(3 * DRAWN)]
    ids = []
    for order in (records, records[::-1]):
        survey = Survey()
        for record in order:
            survey.add("train", record, 5)
        ids.append([record.id for record in survey.drawn("train")])
    assert ids[0] == ids[1] == sorted(record.id for record in records)[:DRAWN]


def test_of_long_rows_fewer_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuneloop.data.card.survey.BYTES", 100)
    survey = Survey()
    for i in range(50):
        survey.add("train", Record.of(Text(f"row {i}"), origin=f"a:{i}"), 30)
    assert len(survey.drawn("train")) == 3


def test_very_many_labels_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuneloop.data.card.survey.LABELS", 2)
    survey = Survey()
    for i in range(5):
        survey.add("train", Record.of(Labeled("text", float(i)), origin=f"a:{i}"), 4)
    report = survey.report(Hider())
    assert (report["labels"]["train"], report["uncounted_labels"]) == ({"0.0": 1, "1.0": 1}, 3)


@pytest.mark.parametrize("sources", [1, 2, 5, 9])
def test_a_flow_of_any_shape_stays_inside_its_frame(sources: int) -> None:
    given = [(f"a rather long name of file {i}.jsonl", 1000 if i == 0 else 3) for i in range(sources)]
    read = sum(count for _, count in given)
    stages = [
        Stage("read", read, aside={"the <row> is broken" * 3: 2}),
        Stage("all", read - 2, made=90, aside={"x": 1, "y": 1}),
    ]
    svg = pictures.river(Flow(given, stages, {"train": stages[-1].left - 1, "validation": 0, "test": 1}))
    tree = ElementTree.fromstring(svg)
    assert not re.search(r"nan|inf", svg)
    places = [float(value) for each in tree.iter() for key in ("x", "x1", "x2") if (value := each.get(key))]
    ends = [float(x) for d in re.findall(r' d="([^"]+)"', svg) for x in re.findall(r"[HM](-?[\d.]+)", d)]
    assert min(places + ends) >= 0 and max(places + ends) <= pictures.WIDTH


def test_the_command_tells_where_the_card_is_and_fails_where_a_point_is_an_error(rich: Dataset, tmp_path: Path) -> None:
    store = ["--store", str(rich.folder.parent.parent)]
    said = CliRunner().invoke(command, ["card", rich.id, *store])
    assert said.exit_code == 0, said.output
    assert "no commercial use" in said.output and str(rich.folder / "card.html") in said.output.replace("\n", "")
    page = tmp_path / "page.html"
    as_json = CliRunner().invoke(command, ["card", rich.id, "--json", "--html", str(page), *store])
    assert json.loads(as_json.output)["severity"] == "warning" and page.exists()
    late = made(tmp_path / "late", governance={"retention": "2001-02-03"})
    over = CliRunner().invoke(command, ["card", late.id, "--store", str(late.folder.parent.parent)])
    assert (over.exit_code, "until 2001-02-03 only" in over.output) == (1, True)


def test_training_says_that_the_data_should_have_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = made(tmp_path, governance={"retention": "2001-02-03"})
    notes: list[str] = []
    monkeypatch.setattr(Silent, "note", lambda self, text: notes.append(text))
    monkeypatch.setattr("tuneloop.models.find_base", lambda *args, **kwargs: 1 / 0)
    recipe = life.load({"data": {"sources": ["rows.jsonl"]}, "model": {"base": "embedded"}})
    with pytest.raises(ZeroDivisionError):
        life.train(recipe, Store(tmp_path / "store"), Silent(), dataset=late)
    assert any("were to be kept until 2001-02-03 only" in note for note in notes)


def test_a_version_without_forgotten_rows_adds_up_with_the_rows_made(tmp_path: Path) -> None:
    labeled = [
        {"text": f"{'Ann Lee' if i < 3 else 'some'} text {i}", "label": "a" if i % 4 else "b"} for i in range(60)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in labeled))
    section = {"sources": ["rows.jsonl"], "transforms": [], "balance": "oversample", "split": {"near": None}}
    store = Store(tmp_path / "s")
    old = prepare(DataSection.model_validate(section), store, seed=2, folder=tmp_path)
    new, gone = without(old, wanted(store, "Ann Lee", ()), store, parents={})
    counts = new.report["rows"]
    assert gone and counts["read"] + counts["made"] == counts["kept"] + counts["dropped"]
    assert flow(new.report).stages[-1].left == counts["kept"]
    assert f"{gone} rows were left out" in told(new)[0]
    assert "Ann Lee" not in "".join(told(new))


def test_samples_escape_only_what_nobody_could_see() -> None:
    assert _code("是\u200b的\x07") == "`是\\u200b的\\x07`"


def test_what_redact_took_out_is_not_shown_as_a_text_that_stayed_the_same(make: Callable[..., Dataset]) -> None:
    texts = [f"write to ann@example.com about order {number} of hers" for number in range(40)]
    dataset = make([{"text": text} for text in texts], transforms=["redact"])
    card = (dataset.folder / "card.md").read_text(encoding="utf-8")
    assert "[EMAIL] about" in card and "[EMAIL]` to" not in card and "not shown" in card
    assert "not shown: it was taken out" in (dataset.folder / "card.html").read_text(encoding="utf-8")
    assert "ann@example.com" not in card
