"""The page of what was judged, written from the JSON files of ``bench.judgement``.

python -m bench.faulty.page docs/life/judgement.md judgement.json unseen.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bench.faulty.judge import ALARMS

PARTS = {
    "development": "Seeds 1 and 2, which checks were made with",
    "held out": "Seed 3, which nobody looked at while checks were made",
    "unseen": "Other models, rows and settings, looked at only now",
}
"""What each part of the table is."""

OPENING = """\
# Judgement: is the cause of a bad run named?

*Written by `python -m bench.faulty.page`; the figures are those of `python -m bench.judgement`.*

Runs with one thing wrong, planted from outside into healthy ones: real rows, the two real small models and the embedded
one. A fault counts as **named** when a warning or an error names its cause, or when tuneloop refuses the run with a
message that does. **Harm** is the loss on clean rows that no run sees, minus that of the same run without the fault, in
nats per learned term. The **advice** is the finding's one change of the recipe, followed as it stands; it helped when
the loss on the same clean rows is lower. Healthy runs must raise no warning and no error.

Checks, and two of the plants, were mended on the runs of the development part, so its figures say little about other
runs. The held-out and the unseen part were run after that.

"""


def page(rows: list[dict[str, Any]]) -> str:
    """The page in Markdown.

    Args:
        rows: Rows of one or several JSON files.

    Example:
        >>> print(page([]).splitlines()[0])
        # Judgement: is the cause of a bad run named?
    """
    text = OPENING + _table(
        ["part", "faulty", "named", "healthy", "false alarms", "advice tried", "helped"], _sums(rows)
    )
    for part, said in PARTS.items():
        here = [row for row in rows if row["part"] == part]
        if not here:
            continue
        seeds = ", ".join(map(str, sorted({row["seed"] for row in here})))
        text += f"\n## {said}\n\nSeeds of this table: {seeds}.\n\n"
        columns = ["run", "model", "rows", "named", "found", "harm", "change", "loss, before and after"]
        text += _table(columns, [_faulty(row) for row in here if row["kind"] not in ("healthy", "compared")])
        text += "\n" + _table(
            ["healthy run", "model", "rows", "loss", "alarms"],
            [_healthy(row) for row in here if row["kind"] == "healthy"],
        )
    return text


def _sums(rows: list[dict[str, Any]]) -> list[list[str]]:
    from bench.judgement import summary

    keys = ("faulty", "named", "healthy", "false_alarms", "advice_tried", "advice_helped")
    sums = {part: summary([row for row in rows if row["part"] == part]) for part in PARTS}
    return [[part, *(str(found[key]) for key in keys)] for part, found in sums.items() if found["rows"]]


def _faulty(row: dict[str, Any]) -> list[str]:
    by = {"check": "yes", "message": "yes, by a message", "": "**no**"}[row["named_by"]]
    harm = "no model" if row["loss"] is None else _number(row["harm"])
    tried = row.get("helped") is not None
    change = f"`{row['change']}`" if row.get("change") else "none"
    losses = f"{_number(row['loss'])} → {_number(row['advised_loss'])}" if tried else ""
    if tried and not row["helped"]:
        losses += " (worse)"
    return [row["run"], row["model"], row["data"], by, ", ".join(_alarms(row)), harm, change, losses]


def _healthy(row: dict[str, Any]) -> list[str]:
    return [row["run"], row["model"], row["data"], _number(row["loss"]), ", ".join(_alarms(row)) or "none"]


def _alarms(row: dict[str, Any]) -> list[str]:
    return [one["check"] for one in row["findings"] if one["severity"] in ALARMS]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def main(target: str, *sources: str) -> None:
    """Write the page from JSON files."""
    rows = [row for source in sources for row in json.loads(Path(source).read_text(encoding="utf-8"))["rows"]]
    Path(target).write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
