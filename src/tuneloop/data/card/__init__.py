"""The data card: a dataset version told on one page, in Markdown and in HTML, from its report alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

MARKDOWN, HTML = "card.md", "card.html"


def write(folder: Path, report: Mapping[str, Any]) -> None:
    """Write both forms of a dataset's card; the same report gives the same bytes anywhere.

    Args:
        folder: The dataset's folder.
        report: What its ``report.json`` holds.
    """
    from tuneloop.data.card.markdown import markdown
    from tuneloop.data.card.page import render

    (folder / MARKDOWN).write_text(markdown(report), encoding="utf-8", newline="\n")
    (folder / HTML).write_text(render(report), encoding="utf-8", newline="\n")
