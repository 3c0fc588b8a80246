"""Label Studio: tasks with the annotations that people made, as its JSON, JSON-MIN and CSV exports write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from tuneloop.data import turns
from tuneloop.data.annotations import DATA, MIN, PAIRS, compared, flat, told, verdict
from tuneloop.data.columns import refuse_media
from tuneloop.data.formats import Format
from tuneloop.data.formats.labeled import LABELS, TEXTS
from tuneloop.rows import Chat, Labeled, Message, Preference

ASKED = ("prompt", "question", "instruction", "input", "query")
TALKS = ("messages", "conversation", "conversations", "dialogue", "dialog", "chat")
TASK = (
    *("id", "inner_id", "project", "file_upload", "meta", "drafts", "allow_skip", "updated_by", "comment_authors"),
    *("total_annotations", "cancelled_annotations", "total_predictions"),
    *("comment_count", "unresolved_comment_count", "last_comment_updated_at"),
)
"""Fields of a task that tell of the project, not of the data."""
_USUAL = {*ASKED, *TALKS, *TEXTS, *LABELS, *(name for pair in PAIRS for name in pair)}


@final
class LabelStudio(Format):
    """Reads what people chose, compared or wrote; what a model predicted is no annotation.

    Of several annotators the majority decides, and an annotation that is marked as ground truth alone. Cancelled
    (skipped) annotations do not count; where nothing is left, or no side has most, the row is set aside.
    """

    shape = (
        '{"data": {...}, "annotations": [{"result": [...]}]}, or its JSON-MIN and CSV: {"annotation_id", "lead_time"}'
    )
    fields = ("data", "annotations", "completions", "predictions", *TASK, *MIN)

    text: str | None = None
    """The field of the data that people judged; by default the one that the annotation names, or the only text."""
    control: str | None = None
    """The name of the control (``from_name``) whose answer is learned; needed only where there are several."""
    left: str | None = None
    """The field with the answer on the left of a comparison; by default the first that the annotation names."""
    right: str | None = None
    """The field with the answer on the right."""
    writes: bool = False
    """For JSON-MIN and CSV, which do not say so: people wrote answers to learn, they did not choose labels."""

    def reads(self, column: str) -> bool:
        """Whether a column becomes part of the content."""
        named = (self.text, self.control, self.left, self.right)
        return column in self.fields or column in named or column in _USUAL

    def fits(self, row: Mapping[str, Any]) -> float:
        """Sure where annotations stand beside their data, or where an export's own columns do."""
        if isinstance(row.get("data"), Mapping) and ("annotations" in row or "completions" in row):
            return 1.0
        return 1.0 if "annotation_id" in row and {"annotator", "lead_time", "updated_at"} & row.keys() else 0.0

    def content(self, row: Mapping[str, Any]) -> Labeled | Chat | Preference:
        """Read one row."""
        if isinstance(row.get("data"), Mapping):
            data = {name: value for name, value in row["data"].items() if value is not None}
            kind, value, names = verdict(row.get("annotations", row.get("completions")), self.control)
        else:
            data, kind, value = flat(row, self.control, self.text, self.writes)
            names = ()
        refuse_media(data)
        if kind == "pairwise":
            return self._compared(data, value, names)
        if kind == "textarea":
            return turns.chat([*self._asked(data, names), Message("assistant", told(value))])
        return Labeled(self._text(data, names), value)

    def _compared(self, data: Mapping[str, Any], side: str, names: tuple[str, ...]) -> Preference:
        left, right = compared(data, names, self.left, self.right)
        better, worse = (left, right) if side == "left" else (right, left)
        if data[better] == data[worse]:
            turns.refuse("both answers are the same", better, "take the row out")
        rest = {name: value for name, value in data.items() if name not in (left, right)}
        prompt = self._asked(rest, ())
        turns.check_users(prompt)
        chosen, rejected = (Message("assistant", turns.text(data[name], name)) for name in (better, worse))
        return Preference(tuple(prompt), (chosen,), (rejected,))

    def _asked(self, data: Mapping[str, Any], names: tuple[str, ...]) -> list[Message]:
        """The conversation or question that people answered."""
        talks = (self.text,) if self.text is not None else TALKS
        talk = next((name for name in talks if isinstance(data.get(name), list)), None)
        if talk is not None:
            return [turns.message(_turn(turn)) for turn in turns.listed(data[talk], talk)]
        if self.text is None:
            named = next((name for name in ASKED if isinstance(data.get(name), str)), None)
            if named is not None:
                return [Message("user", data[named])]
        return [Message("user", self._text(data, names))]

    def _text(self, data: Mapping[str, Any], names: tuple[str, ...]) -> str:
        if self.text is not None:
            return turns.text(data.get(self.text), self.text)
        texts = [name for name, value in data.items() if isinstance(value, str)]
        found = next((name for name in (*names, *TEXTS) if name in texts), texts[0] if len(texts) == 1 else None)
        if found is None:
            turns.refuse(
                "which field was judged is not clear",
                turns.shown(DATA, list(data)),
                "name it: format: {label_studio: {text: FIELD}}",
            )
        return turns.text(data[found], found)


def _turn(turn: Any) -> dict[str, Any]:
    """A turn as Label Studio's paragraphs write it (author, text), or as anybody else does."""
    if not isinstance(turn, Mapping):
        turns.refuse("a turn must be an object", DATA, "write {role, content} or {author, text}")
    if "author" in turn and "role" not in turn:
        return {"role": turn["author"], "content": turn.get("text", "")}
    return {key: value for key, value in turn.items() if value is not None}
