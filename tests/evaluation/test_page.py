"""The page is one whole, harmless file that says what report.json says."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tuneloop.evaluation import curves, page, verdict
from tuneloop.evaluation.evaluate import evaluate
from tuneloop.evaluation.section import EvaluateSection
from tuneloop.monitoring import proof
from tuneloop.monitoring.page import short

VOID = {"meta", "img", "br", "wbr", "link", "input"}


class Reader(HTMLParser):
    """Keeps tags, attributes and text, and complains of a tag that closes another."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

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


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture
def made(life: Any) -> Path:
    report = evaluate(
        EvaluateSection(max_new_tokens=8, samples=8),
        model=life.model,
        dataset=life.dataset,
        task=life.task,
        store=life.store,
        seed=7,
        name="tiny <b>",
    )
    return report.folder


def test_the_page_is_well_formed_and_needs_nothing_from_outside(made: Path) -> None:
    html = (made / "report.html").read_text(encoding="utf-8")
    reader = read(html)
    tags = {tag for tag, _ in reader.tags}
    attributes = {name for _, attrs in reader.tags for name in attrs}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "a"}
    assert not attributes & {"src", "href", "xlink:href", "srcset", "action"}
    assert not [name for name in attributes if name.startswith("on")]
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style and "@import" not in style
    assert "prefers-color-scheme: dark" in style and "@media print" in style


def test_rows_recipe_and_findings_are_text_and_never_markup(made: Path) -> None:
    html = (made / "report.html").read_text(encoding="utf-8")
    text = read(html).text
    assert "<script>" not in html and "onerror=alert(1)>" not in html
    assert text.count("<script>alert('x')</script>") >= 3  # the sample, the finding and the recipe
    assert "{{ 7 * 7 }}" in text and "49" not in re.findall(r"quotes\W+(\d+)", text)
    assert "tiny <b>" in text


def test_the_page_says_what_report_json_says(made: Path) -> None:
    told = json.loads((made / "report.json").read_text(encoding="utf-8"))
    text = read((made / "report.html").read_text(encoding="utf-8")).text
    assert told["verdict"] in text
    for side, scores in told["scores"].items():
        for figure, score in scores.items():
            assert verdict.title(figure) in text
            assert verdict.spoken(figure, score["mean"]) in text, (side, figure)
    for artifact in told["lineage"]:
        assert artifact["id"] in text
    assert {artifact["kind"] for artifact in told["lineage"]} == {"model", "run", "dataset"}
    for row in told["samples"]:
        assert row["prompt"] in text and row["origin"] in text
    assert "今天天气怎么样" in text
    assert "set aside: duplicate" in text and "13 in = 12 kept + 1 set aside" in text
    assert "over-fitting" in text and "moved: q_proj" in text


def test_the_page_can_be_made_again_from_report_json_alone(made: Path) -> None:
    told = json.loads((made / "report.json").read_text(encoding="utf-8"))
    assert page.render(told) == (made / "report.html").read_text(encoding="utf-8")


def test_a_very_long_text_is_cut_on_the_page() -> None:
    assert short("a" * 1200) == "a" * 1200
    assert short("a" * 5000).endswith("… (5,000 characters)")


def test_an_answer_is_marked_right_wrong_or_by_its_score() -> None:
    row = {"reference": "4", "tuned": " 4\n", "base": "four", "scores": {"base": {"chrf": 0.25}, "tuned": {}}}
    assert page.mark(row, "tuned", ["exact_match"]) == {"kind": "right", "text": "right"}
    assert page.mark(row, "base", ["exact_match"]) == {"kind": "wrong", "text": "wrong"}
    assert page.mark(row, "base", ["chrf"])["text"] == "chrF 25 %"


@pytest.mark.parametrize(
    ("train", "held_out", "zone"),
    [
        ([(step, 3 / step) for step in range(1, 5000)], [(100, 1.0), (200, 0.5)], None),
        ([(1, 2.0)], [], None),
        ([], [(0, 3.7), (5, 3.7)], (0, 5)),
        ([(step, 0.0) for step in range(1, 4)], [], None),
    ],
)
def test_curves_are_well_formed_and_stay_inside(train: Any, held_out: Any, zone: Any) -> None:
    svg = curves.draw(train, held_out, zone)
    root = ElementTree.fromstring(svg)
    points = [pair for line in root.iter("polyline") for pair in line.attrib["points"].split()]
    assert points
    assert len(points) <= 2 * (curves.POINTS + 1) + len(held_out)
    for x, y in (map(float, pair.split(",")) for pair in points):
        assert 0 <= x <= curves.WIDTH and 0 <= y <= curves.HEIGHT
    assert (root.find("rect") is not None) == (zone is not None)


def test_nothing_measured_draws_nothing() -> None:
    assert curves.draw([], [], None) == ""


def test_layers_that_moved_are_told_by_kind() -> None:
    moved = {
        f"base_model.model.h.{n}.attn.{k}.lora_{x}.default.weight": 1.0 for n in "01" for k in ("q", "v") for x in "AB"
    }
    assert proof.moved({"moved": moved}) == [("q", 2.0), ("v", 2.0)]
    assert proof.moved({"moved": {"model.layers.0.mlp.up_proj.weight": 3.0}}) == [("up_proj", 3.0)]
