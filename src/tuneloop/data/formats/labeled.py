"""Labeled: a text and its label, for classification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from tuneloop.data import turns
from tuneloop.data.formats import Format
from tuneloop.rows import Labeled as Row

TEXTS = (
    *("text", "sentence", "review", "content", "message", "comment", "utterance", "title"),
    *("文本", "评论", "句子", "内容"),
)
LABELS = (
    *("label", "category", "class", "label_text", "intent", "sentiment", "target", "tag"),
    *("标签", "类别", "分类", "意图", "情感"),
)


@final
class Labeled(Format):
    """Reads a text with one label."""

    shape = '{"text", "label"} or review/label, text/category, sentence/class, ...'
    fields = (*TEXTS, *LABELS)

    def fits(self, row: Mapping[str, Any]) -> float:
        """Rather sure where a text has a plain value beside it that is called a label."""
        label = next((row[name] for name in LABELS if name in row), None)
        if not any(isinstance(row.get(name), str) for name in TEXTS):
            return 0.0
        return 0.85 if isinstance(label, str | int | float) and str(label) else 0.0

    def content(self, row: Mapping[str, Any]) -> Row:
        """Read one row."""
        name = next((name for name in TEXTS if name in row), "text")
        label = next((row[key] for key in LABELS if key in row), None)
        if not isinstance(label, str | int | float) or not str(label).strip():
            turns.refuse(
                "`label` is missing or no plain value", "label", "give every row a label: text, number or bool"
            )
        return Row(turns.text(row.get(name), name), label.strip() if isinstance(label, str) else label)
