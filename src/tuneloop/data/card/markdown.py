"""The card in Markdown, with the header that dataset hubs read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from tuneloop.data import certificate
from tuneloop.data.card.compliance import compliance, listed, steps, verdict
from tuneloop.data.card.flow import Flow, flow
from tuneloop.data.card.licences import spoken, terms
from tuneloop.data.card.told import findings, languages, topics

SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
TASKS = {
    "chat": "text-generation",
    "text": "text-generation",
    "preference": "text-generation",
    "labeled": "text-classification",
    "fields": "tabular-classification",
}
MANY = 50


def markdown(report: Mapping[str, Any]) -> str:
    """Write the card of a dataset from its report.

    Args:
        report: What ``report.json`` holds.
    """
    rows = report["rows"]
    kinds = ", ".join(f"{count} {kind}" for kind, count in report["kinds"].items())
    made = f" + {rows['made']} made" if rows.get("made") else ""
    lines = [*_header(report), "# Dataset card", ""]
    lines += [f"{rows['read']} rows read{made} = {rows['kept']} kept ({kinds}) + {rows['dropped']} set aside.", ""]
    lines += [*_before(report), *_splits(report), *_flow(flow(report)), *_certificate(report), *_sources(report)]
    lines += [*_rows(report), *_steps(report), *_growth(report), *_found(report), *_dropped(report)]
    lines += [*_samples(report), *_notes(report)]
    return "\n".join(lines)


def _header(report: Mapping[str, Any]) -> Iterator[str]:
    """The header in YAML: what is known, in the hub's own words."""
    licences = sorted({source.get("licence", "").lower() for source in report.get("sources", ())})
    known = [licence for licence in licences if licence and terms(licence)]
    kept = report["rows"]["kept"]
    told: dict[str, Any] = {
        "license": (known[0] if len(known) == 1 else known) if known and len(known) == len(licences) else "other",
        "language": sorted(
            {code.split()[0] for step in steps(report, "language") for code in step["tally"]} - {"undecided"}
        ),
        "size_categories": [next((name for most, name in SIZES if kept < most), "n>10M")],
        "task_categories": sorted({TASKS[kind] for kind in report["kinds"] if kind in TASKS}),
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": split, "path": f"{split}.parquet"} for split, count in report["splits"].items() if count
                ],
            }
        ],
        "tags": ["tuneloop"],
    }
    written = yaml.safe_dump(
        {name: value for name, value in told.items() if value}, sort_keys=False, allow_unicode=True
    )
    yield from ("---", written.rstrip(), "---", "")


def _before(report: Mapping[str, Any]) -> Iterator[str]:
    points = compliance(report)
    yield from ("## Before you train", "", f"{verdict(points)[1].capitalize()}. This is no legal advice.", "")
    yield from ("| | point | evidence | what to do |", "|---|---|---|---|")
    for point in points:
        yield row(point.severity, point.check, point.evidence, point.advice)
    yield ""


def _splits(report: Mapping[str, Any]) -> Iterator[str]:
    survey = report.get("survey") or {}
    tokens = survey.get("tokens")
    head = ["split", "rows", "characters of a row (half are shorter than)"] + ["tokens (half are shorter than)"] * bool(
        tokens
    )
    yield from ("## Splits", "", row(*head), "|" + "---|" * len(head))
    for split, count in report["splits"].items():
        cells = [split, count, middle(report["characters"].get(split, []), count)]
        if tokens:
            bins = tokens.get(split, [])
            cells.append(middle(bins, sum(each["rows"] for each in bins)))
        yield row(*cells)
    yield ""
    rule = report.get("split") or {}
    if rule:
        yield split_said(rule)
        yield ""


def split_said(rule: Mapping[str, Any]) -> str:
    """The rule of a split in a sentence."""
    by = f" by {rule['by']}" + (f" ({rule['column']})" if rule.get("column") else "")
    near = f"; texts {rule['near']:g} alike and above stand together" if rule.get("near") else ""
    seed = f", seed {rule['seed']}" if "seed" in rule else ""
    return f"Split{by}: validation {rule['validation']:g}, test {rule['test']:g}{seed}{near}."


def middle(bins: Iterable[Mapping[str, int]], count: int) -> str:
    """The upper end of the range that the middle row is in; empty where there are no rows."""
    below = 0
    for entry in bins:
        below += entry["rows"]
        if 2 * below >= count:
            return str(entry["below"])
    return ""


def _flow(way: Flow) -> Iterator[str]:
    yield from ("## Where the rows went", "", "| station | came | made | set aside | left |", "|---|---|---|---|---|")
    for stage in way.stages:
        yield row(stage.name, stage.taken, stage.made, stage.gone, stage.left)
    yield from (
        row("splits", sum(way.splits.values()), "", "", ", ".join(f"{k} {v}" for k, v in way.splits.items())),
        "",
    )


def _certificate(report: Mapping[str, Any]) -> Iterator[str]:
    if report.get("certificate"):
        yield from certificate.lines(report["certificate"])


def _sources(report: Mapping[str, Any]) -> Iterator[str]:
    if not report.get("sources"):
        return
    yield from ("## Sources", "", "| file | rows | taken | format | licence | SHA-256 |", "|---|---|---|---|---|---|")
    for source in report["sources"]:
        for file in source["files"]:
            formats = ", ".join(f"{name} ({count})" for name, count in file["formats"].items()) or file["verdict"]
            licence = source["licence"] or "not stated"
            yield row(file["file"], file["read"], file["taken"], formats, licence, file["sha256"][:12])
    yield ""
    yield from _provenance(report["sources"])
    for licence in sorted({source["licence"] for source in report["sources"] if source["licence"]}):
        yield f"- {licence}: {spoken(licence)}"
    for source in report["sources"]:
        for name, value in (source.get("about") or {}).items():
            yield f"- {source['files'][0]['file'] if source['files'] else 'a source'}, {name}: {value}"
        for file in source["files"]:
            for how, count in file["repaired"].items():
                yield f"- {file['file']}: {count} {'row' if count == 1 else 'rows'} repaired ({how})"
        for name, why in source["passed_over"].items():
            yield f"- {name} was passed over: {why}"
    yield ""


def _provenance(sources: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Where each source comes from, and what became of its rows."""
    if not all("rows" in source for source in sources):
        return
    yield "| source | licence | from | collected | read | kept | set aside | in training | share of training | note |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for source in sources:
        files, rows, about = source["files"], source["rows"], source.get("about") or {}
        name = (files[0]["file"] if files else "") + (f" and {len(files) - 1} more" if len(files) > 1 else "")
        place = " ".join(filter(None, (about.get("url") or source.get("url", ""), source.get("revision", ""))))
        stated = (source["licence"], place, about.get("collected"))
        counts = (rows[key] for key in ("read", "kept", "dropped", "train"))
        share = f"{100 * rows['share']:.1f} %"
        yield row(name, *(each or "not stated" for each in stated), *counts, share, about.get("note", ""))
    yield ""


def _rows(report: Mapping[str, Any]) -> Iterator[str]:
    """What the rows are like: languages, labels, topics."""
    told = languages(report)
    if told:
        where = "the step language" if any(s["step"] == "language" for s in report.get("steps", ())) else "writing"
        yield from ("## Languages", "", f"By {where}: {listed(told)}.", "")
    for heading, head, lines in topics(report):
        yield from (f"## {heading}", "", row(*head), "|" + "---|" * len(head))
        yield from (row(*line) for line in lines[:MANY])
        if len(lines) > MANY:
            yield f"\nand {len(lines) - MANY} more in `report.json`."
        yield ""


def _steps(report: Mapping[str, Any]) -> Iterator[str]:
    if not report.get("steps"):
        return
    yield from ("## Steps", "", "| step | in | kept | changed | set aside | met |", "|---|---|---|---|---|---|")
    for step in report["steps"]:
        gone = sum(step["dropped"].values())
        yield row(step["step"], step["in"], step["kept"], step["changed"], gone, listed(step.get("tally") or {}))
    yield ""
    for step in report["steps"]:
        for sample in step["samples"]:
            hidden = sample["before"] == sample["after"]  # what was taken out is shown nowhere
            before = "what it took out is not shown, now" if hidden else f"{_code(sample['before'])} to"
            yield f"- {step['step']} changed {sample['origin']}: {before} {_code(sample['after'])}"
    yield ""


def _growth(report: Mapping[str, Any]) -> Iterator[str]:
    """What balanced and varied the training rows made of them, and how a varied row differs from its parent."""
    if not report.get("growth"):
        return
    yield from ("## Made of training rows", "", "| step | in | made | set aside |", "|---|---|---|---|")
    for step in report["growth"]:
        yield row(step["step"], step["in"], step["made"], sum(step["dropped"].values()))
    yield ""
    for step in report["growth"]:
        for name, count in step.get("changed_by", {}).items():
            yield f"- {name} changed {count} {'row' if count == 1 else 'rows'}"
        for each in step.get("failed", ()):
            yield f"- {each['augmenter']} varied {each['rows']} rows not: {each['reason']}"
        for reason, count in step.get("not_made", {}).items():
            yield f"- {count} variants were not added: {reason}"
        for sample in step.get("before_after", ()):
            yield f"- made of {sample['parent']}: {_code(sample['before'])} to {_code(sample['after'])}"
    yield ""


def _found(report: Mapping[str, Any]) -> Iterator[str]:
    for heading, lines in findings(report):
        yield from (f"## {heading}", "", *(f"- {_plain(line)}" for line in lines), "")


def _dropped(report: Mapping[str, Any]) -> Iterator[str]:
    if not report["dropped"]:
        return
    yield from ("## Set aside", "", "Every one of these rows is in `dropped.jsonl`.", "")
    yield from ("| reason | step | rows | for example |", "|---|---|---|---|")
    for entry in report["dropped"][:MANY]:
        examples = ", ".join(example["origin"] for example in entry["examples"])
        yield row(entry["reason"], entry["step"], entry["rows"], examples)
    if len(report["dropped"]) > MANY:
        yield f"\nand {len(report['dropped']) - MANY} more reasons in `report.json`."
    yield ""


def _samples(report: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## Samples", "")
    for split, rows in ((report.get("survey") or {}).get("samples") or {}).items():
        yield from (f"### {split}", "")
        for each in rows:
            fence = "`" * max(
                3, 1 + max((len(run) for part in each["parts"] for run in re.findall("`+", part["text"])), default=0)
            )
            yield from (
                fence,
                f"{each['origin']}",
                *(f"{part['who']}: {part['text']}" for part in each["parts"]),
                fence,
                "",
            )


def _notes(report: Mapping[str, Any]) -> Iterator[str]:
    if report.get("notes"):
        yield from ("## Notes", "", *(f"- {_plain(note)}" for note in report["notes"]), "")


def row(*cells: Any) -> str:
    """A line of a table."""
    return "| " + " | ".join(_plain(str(cell)).replace("|", "\\|") for cell in cells) + " |"


def _plain(text: str) -> str:
    """A text on one line, with nothing that Markdown or a browser would act on."""
    return " ".join(text.split()).replace("<", "&lt;")


def _code(text: str) -> str:
    text = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)  # what nobody could see
    return "`" + text.replace("`", "'") + "`"
