"""The data card: a dataset version told on one page, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tuneloop.data import certificate


def card(report: dict[str, Any], samples: dict[str, list[str]]) -> str:
    """Write the card of a dataset from its report.

    Args:
        report: What ``report.json`` holds.
        samples: For each split, the beginnings of some rows.

    Returns:
        Markdown.
    """
    lines = ["# Dataset card", ""]
    rows = report["rows"]
    kinds = ", ".join(f"{count} {kind}" for kind, count in report["kinds"].items())
    lines += [f"{rows['read']} rows read = {rows['kept']} kept ({kinds}) + {rows['dropped']} set aside.", ""]
    lines += [*_splits(report), *_certificate(report), *_sources(report), *_steps(report), *_dropped(report)]
    lines += _samples(samples)
    return "\n".join(lines)


def _splits(report: dict[str, Any]) -> Iterator[str]:
    yield from ("## Splits", "", "| split | rows | characters of a row (half are shorter than) |", "|---|---|---|")
    for split, count in report["splits"].items():
        yield f"| {split} | {count} | {_middle(report['characters'].get(split, []), count)} |"
    yield ""


def _certificate(report: dict[str, Any]) -> Iterator[str]:
    if report.get("certificate"):
        yield from certificate.lines(report["certificate"])


def _middle(bins: list[dict[str, int]], count: int) -> str:
    below = 0
    for entry in bins:
        below += entry["rows"]
        if 2 * below >= count:
            return str(entry["below"])
    return ""


def _sources(report: dict[str, Any]) -> Iterator[str]:
    if not report.get("sources"):
        return
    yield from ("## Sources", "", "| file | rows | taken | format | licence | SHA-256 |", "|---|---|---|---|---|---|")
    for source in report["sources"]:
        for file in source["files"]:
            formats = ", ".join(f"{name} ({count})" for name, count in file["formats"].items()) or file["verdict"]
            licence = source["licence"] or "not stated"
            yield _row(file["file"], file["read"], file["taken"], formats, licence, file["sha256"][:12])
    yield ""
    yield from _provenance(report["sources"])
    for source in report["sources"]:
        for file in source["files"]:
            for how, count in file["repaired"].items():
                yield f"- {file['file']}: {count} {'row' if count == 1 else 'rows'} repaired ({how})"
        for name, why in source["passed_over"].items():
            yield f"- {name} was passed over: {why}"
    yield ""


def _provenance(sources: list[dict[str, Any]]) -> Iterator[str]:
    """Where each source comes from, and what became of its rows."""
    if not all("rows" in source for source in sources):
        return
    yield "| source | licence | from | collected | read | kept | set aside | in training | share of training | note |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for source in sources:
        files, rows, about = source["files"], source["rows"], source.get("about", {})
        first = files[0]["file"] if files else ""
        name = first if len(files) < 2 else f"{first} and {len(files) - 1} more"
        come_from = " ".join(filter(None, (about.get("url") or source.get("url", ""), source.get("revision", ""))))
        counts = [rows[key] for key in ("read", "kept", "dropped", "train")]
        yield _row(
            name,
            source["licence"] or "not stated",
            come_from or "not stated",
            about.get("collected") or "not stated",
            *counts,
            f"{100 * rows['share']:.1f} %",
            about.get("note", ""),
        )
    yield ""


def _steps(report: dict[str, Any]) -> Iterator[str]:
    if not report.get("steps"):
        return
    yield from ("## Steps", "", "| step | in | kept | changed | set aside |", "|---|---|---|---|---|")
    for step in report["steps"]:
        yield _row(step["step"], step["in"], step["kept"], step["changed"], sum(step["dropped"].values()))
    yield ""
    for step in report["steps"]:
        for sample in step["samples"]:
            yield f"- {step['step']} changed {sample['origin']}: {_code(sample['before'])} to {_code(sample['after'])}"
    yield ""


def _dropped(report: dict[str, Any]) -> Iterator[str]:
    if not report["dropped"]:
        return
    yield from ("## Set aside", "", "Every one of these rows is in `dropped.jsonl`.", "")
    yield from ("| reason | step | rows | for example |", "|---|---|---|---|")
    for entry in report["dropped"][:50]:
        examples = ", ".join(example["origin"] for example in entry["examples"])
        yield _row(entry["reason"], entry["step"], entry["rows"], examples)
    if len(report["dropped"]) > 50:
        yield f"\nand {len(report['dropped']) - 50} more reasons in `report.json`."
    yield ""


def _samples(samples: dict[str, list[str]]) -> Iterator[str]:
    yield from ("## Samples", "")
    for split, rows in samples.items():
        yield from (f"### {split}", "", "```", *rows, "```", "")


def _row(*cells: Any) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _code(text: str) -> str:
    return (
        "`" + ascii(text)[1:-1].replace("`", "'") + "`"
        if not text.isprintable()
        else "`" + text.replace("`", "'") + "`"
    )
