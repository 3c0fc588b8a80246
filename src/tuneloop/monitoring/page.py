"""Pages: what all HTML pages share: each is one file that needs nothing else, and escapes what stands in rows."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.monitoring.proof import figure

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

LONGEST = 1200


@cache
def environment(folder: Path) -> Environment:
    """The templates of a folder; they may include the shared ``page.css``, and escape whatever they are given.

    Args:
        folder: Where the templates are.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"short": short, "breakable": breakable, "figure": figure}
    return made


def short(text: str) -> str:
    """A long text cut for a page; a file beside it has all of it."""
    return text if len(text) <= LONGEST else text[:LONGEST] + f" … ({len(text):,} characters)"


def breakable(text: str) -> Markup:
    """A text that may be broken after a comma, so that JSON folds where a reader would fold it."""
    from markupsafe import Markup, escape

    return escape(text).replace(",", Markup(",<wbr>"))
