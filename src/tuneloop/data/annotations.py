"""Annotations of Label Studio: what was answered, and what several people together say."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeAlias

from tuneloop.data import turns
from tuneloop.data.columns import MEDIA_REASON
from tuneloop.data.formats.labeled import LABELS, TEXTS

MIN = ("annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement")
"""Columns that the short exports add to the data."""
DATA = "data"
KINDS = ("choices", "pairwise", "textarea", "rating", "taxonomy", "number")
"""Kinds of answers that can be learned from."""
PAIRS = (
    ("left", "right"),
    ("answer1", "answer2"),
    ("response1", "response2"),
    ("answer_1", "answer_2"),
    ("response_1", "response_2"),
    ("answer_a", "answer_b"),
    ("response_a", "response_b"),
    ("text1", "text2"),
    ("a", "b"),
)
"""Names under which two answers are compared."""

Answer: TypeAlias = tuple[str, Any, tuple[str, ...]]
"""What kind of answer, the answer, and the names of what was judged."""


def verdict(annotations: Any, control: str | None) -> Answer:
    """What the annotators of a task say together.

    Args:
        annotations: All annotations of the task.
        control: The name of the control whose answer counts; None where there is only one.

    Raises:
        RecordError: Nobody answered, they do not agree, or it is no answer to learn from.
    """
    given = [each for each in turns.listed(annotations or [], "annotations") if isinstance(each, Mapping)]
    if not given:
        turns.refuse("nobody has annotated the task yet", "annotations", "export annotated tasks only")
    done = [each for each in given if not (each.get("was_cancelled") or each.get("skipped"))]
    if not done:
        turns.refuse("all annotations of the task were cancelled", "annotations", "annotate it, or take the row out")
    truth = [each for each in done if each.get("ground_truth")]
    answers = [answer for each in truth or done if (answer := _answer(each, control)) is not None]
    if not answers:
        turns.refuse("the annotations of the task are empty", "annotations", "annotate it, or take the row out")
    counts = Counter(json.dumps(answer[:2], sort_keys=True) for answer in answers)
    (best, most), *others = counts.most_common(2)
    if others and others[0][1] == most:
        turns.refuse("the annotators do not agree", "annotations", "mark one of them as ground truth, or ask one more")
    return next(answer for answer in answers if json.dumps(answer[:2], sort_keys=True) == best)


def flat(
    row: Mapping[str, Any], control: str | None, text: str | None, writes: bool
) -> tuple[dict[str, Any], str, Any]:
    """A row of JSON-MIN or CSV: its data, the kind of its answer, and the answer.

    Args:
        row: The row.
        control: The column with the answer; None to find it.
        text: The column with what was judged, where the recipe names it.
        writes: Whether a text is what a person wrote, not a label.

    Raises:
        RecordError: It has no answer, several, or one that cannot be learned from.
    """
    names = [name for name in row if name not in MIN]
    order = list(row)
    short = {"annotator", "annotation_id"} <= row.keys() and order.index("annotator") < order.index("annotation_id")
    answer = control or _column(names, text, names[names.index("id") + 1 :] if short and "id" in names else [])
    if answer is None:
        turns.refuse(
            "which column is the answer is not clear",
            turns.shown("columns", names),
            "name it: format: {label_studio: {control: COLUMN}}",
        )
    data = {name.removeprefix("_data_"): _unfolded(row[name]) for name in names if name not in (answer, "id")}
    value = _unfolded(row.get(answer))
    if value is None or value in ("", []):
        turns.refuse("the annotations of the task are empty", answer, "annotate it, or take the row out")
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, Mapping):
        kind, found = _value(value, answer)
        return data, kind, found
    if isinstance(value, list):
        if all(isinstance(each, str) for each in value):
            turns.refuse("the task has several texts as its answer", answer, "take the row out")
        turns.refuse("the task has several answers", answer, "take the row out")
    if value in ("left", "right") and any(left in data and right in data for left, right in PAIRS):
        return data, "pairwise", value
    if not isinstance(value, str | int | float):
        turns.refuse(f"the answer is a {type(value).__name__}", answer, "name another column (control:)")
    return data, "textarea" if writes and isinstance(value, str) else "choices", value


def compared(data: Mapping[str, Any], names: tuple[str, ...], left: str | None, right: str | None) -> tuple[str, str]:
    """The fields with the two answers that were compared.

    Raises:
        RecordError: They are not known.
    """
    pairs = [(left, right)] if left and right else [(names[0], names[1])] if len(names) > 1 else []
    found = next((pair for pair in (*pairs, *PAIRS) if pair[0] in data and pair[1] in data), None)
    if found is None:
        turns.refuse(
            "which fields were compared is not clear",
            turns.shown(DATA, list(data)),
            "name them: format: {label_studio: {left: FIELD, right: FIELD}}",
        )
    return found


def told(value: Any) -> str:
    """What a person wrote."""
    return turns.text(value, "textarea")


def _answer(annotation: Mapping[str, Any], control: str | None) -> Answer | None:
    """The one answer of an annotation; None where it has none."""
    results = [each for each in annotation.get("result") or [] if isinstance(each, Mapping) and "value" in each]
    if control is not None:
        results = [each for each in results if each.get("from_name") == control]
    if not results:
        return None
    asked = {str(each.get("from_name")) for each in results}
    if len(asked) > 1:
        turns.refuse(
            "the task has several questions",
            turns.shown("control", sorted(asked)),
            "say which: format: {label_studio: {control: NAME}}",
        )
    if len(results) > 1:
        turns.refuse("the task has several answers to one question", "result", "take the row out")
    (result,) = results
    kind = str(result.get("type", "")).lower()
    value = result["value"] if isinstance(result["value"], Mapping) else {}
    found = _value({kind: value.get("selected") if kind == "pairwise" else value.get(_key(kind))}, kind)
    named = [str(result.get("source", "")).removeprefix("$"), *str(result.get("to_name", "")).split(",")]
    return *found, tuple(name.strip() for name in named if name.strip())


def _key(kind: str) -> str:
    return "text" if kind == "textarea" else kind


def _value(value: Mapping[str, Any], where: str) -> tuple[str, Any]:
    """The kind of a result and its one value."""
    kind = next((each for each in KINDS if value.get(each) is not None), None)
    if kind is None and value.get("selected") in ("left", "right"):
        return "pairwise", value["selected"]
    if kind is None and "text" in value:
        kind, value = "textarea", {"textarea": value["text"]}
    if kind is None and where == "pairwise":
        turns.refuse("the comparison has no winner", where, "take the row out")
    if kind is None:
        if any(word in where for word in ("rectangle", "polygon", "brush", "keypoint", "ellipse", "video")):
            turns.refuse(MEDIA_REASON, where, "take the row out, or keep its text alone")
        turns.refuse(
            "the annotation is of a kind that cannot be learned from so far", where, f"annotate with {', '.join(KINDS)}"
        )
    found = value[kind]
    if kind == "pairwise" and found not in ("left", "right"):
        turns.refuse("the comparison has no winner", where, "take the row out")
    if kind == "taxonomy" and isinstance(found, list) and len(found) == 1 and isinstance(found[0], list):
        found = [" / ".join(map(str, found[0]))]
    if isinstance(found, list):
        if len(found) != 1:
            turns.refuse("the task has several labels" if found else "the answer is empty", where, "take the row out")
        found = found[0]
    if not isinstance(found, str | int | float) or not str(found).strip():
        turns.refuse("the answer is no text or number", where, "take the row out")
    return kind, found


def _column(names: list[str], text: str | None, behind: list[str]) -> str | None:
    """The column with the answer: the one behind the task's id (JSON-MIN), named like a label, or the only one left."""
    others = [name for name in names if name not in ("id", text)]
    left = [name for name in others if name not in TEXTS] if text is None and {*others} & {*TEXTS} else []
    labels = [name for name in others if name in LABELS]
    return next((found[0] for found in (behind, labels, left if text is None else others) if len(found) == 1), None)


def _unfolded(value: Any) -> Any:
    """A cell of a CSV that holds a list or an object as JSON."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value
