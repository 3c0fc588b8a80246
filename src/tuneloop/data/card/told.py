"""What both forms of a card tell of the rows: languages, topics, and what the steps found; from the report alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tuneloop.data.card.compliance import listed, steps
from tuneloop.data.split import SIDES

PAIRS = 5
CLUSTERS = 5
_WRITINGS = {
    "latin": "Latin letters",
    "han": "Chinese characters",
    "kana": "Japanese",
    "hangul": "Korean",
    "none": "no letters",
}
Table = tuple[str, tuple[str, ...], list[tuple[Any, ...]]]


def languages(report: Mapping[str, Any]) -> dict[str, int]:
    """Rows by language as the step ``language`` met them, or else the drawn rows by their writing."""
    ran = steps(report, "language")
    if ran:
        counts = Counter(ran[-1]["tally"])
    else:
        counts = Counter()
        for each in ((report.get("survey") or {}).get("writing") or {}).values():
            counts.update({_WRITINGS.get(name, name): rows for name, rows in each.items()})
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


def topics(report: Mapping[str, Any]) -> list[Table]:
    """Tables of what the rows are about: labels of each split, columns with few values, how questions begin."""
    survey = report.get("survey") or {}
    tables: list[Table] = []
    labels: Mapping[str, Mapping[str, int]] = survey.get("labels") or {}
    if labels:
        sides = [side for side in SIDES if side in labels]
        total: Counter[str] = Counter()
        for counts in labels.values():
            total.update(counts)
        names = sorted(total, key=lambda name: (-total[name], name))
        lines = [(name, *(labels[side].get(name, 0) for side in sides)) for name in names]
        tables.append(("Labels", ("label", *sides), lines))
    drawn = sum((survey.get("drawn") or {}).values())
    for name, values in (survey.get("columns") or {}).items():
        tables.append((f"Topics: {name}", ("value", f"of {drawn:,} rows drawn"), list(values.items())))
    openings = [(each["words"], each["rows"]) for each in survey.get("openings") or ()]
    if openings:
        tables.append(("How questions begin", ("first words", f"of {drawn:,} rows drawn"), openings))
    return tables


def findings(report: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """What steps found beyond their counts, each kind of finding under its heading."""
    told = [
        ("Personal data and secrets", _private(report)),
        ("Duplicates", _duplicates(report)),
        ("Benchmark rows", _benchmarks(report)),
        ("Label conflicts", _conflicts(report)),
        ("Quality", _quality(report)),
    ]
    return [(heading, lines) for heading, lines in told if lines]


def _private(report: Mapping[str, Any]) -> list[str]:
    lines = []
    for name in ("redact", "secrets"):
        for step in steps(report, name):
            how = step["options"].get("how", "mask")
            lines.append(f"{name} ({how}): {listed(step['tally']) or 'nothing found'}")
    seen = (report.get("survey") or {}).get("found")
    if seen:
        for name, kinds in (("personal data", "personal"), ("secrets", "secrets")):
            rest = f"{listed(seen[kinds])}, in {seen['rows_with'][kinds]:,} rows" if seen[kinds] else "none"
            lines.append(f"{name} in {seen['rows']:,} finished rows drawn: {rest}")
    return lines


def _duplicates(report: Mapping[str, Any]) -> list[str]:
    lines = []
    for name in ("duplicates", "near_duplicates", "semantic_duplicates"):
        for step in steps(report, name):
            found = step.get("found") or {}
            gone = sum(step["dropped"].values())
            lines.append(f"{name}: {found.get('clusters', 0):,} clusters, {gone:,} rows set aside")
            for cluster in (found.get("largest") or ())[:CLUSTERS]:
                said = "; ".join(f"{each['origin']} “{_short(each['text'])}”" for each in cluster["examples"][:2])
                lines.append(
                    f"{name}: {cluster['rows']:,} rows alike, kept {cluster['kept']}" + (f"; {said}" if said else "")
                )
    return lines


def _benchmarks(report: Mapping[str, Any]) -> list[str]:
    lines = []
    for step in steps(report, "decontaminate"):
        found = step.get("found") or {}
        lines.append(f"{found.get('rows', 0):,} rows repeat a benchmark and were set aside")
        lines += [f"{each['origin']}: {_short(each['match'], 120)}" for each in (found.get("matches") or ())[:PAIRS]]
    return lines


def _conflicts(report: Mapping[str, Any]) -> list[str]:
    lines = []
    for step in steps(report, "label_conflicts"):
        found = step.get("found") or {}
        lines.append(f"{found.get('conflicts', 0):,} texts have several labels")
        for group in (found.get("groups") or ())[:PAIRS]:
            labels = ", ".join(str(each["label"]) for each in group["rows"])
            kept = "none" if group["kept"] is None else group["kept"]
            lines.append(f"“{_short(group['text'])}”: {labels}; kept: {kept}")
    return lines


def _quality(report: Mapping[str, Any]) -> list[str]:
    names = ("normalize", "noise", "boilerplate", "repeated_lines", "quality", "banned", "toxicity", "length")
    lines = []
    for name in names:
        for step in steps(report, name):
            gone = sum(step["dropped"].values())
            met = listed(step["tally"]) if step["tally"] else ""
            if met or gone:
                lines.append(
                    f"{name}: changed {step['changed']:,}, set aside {gone:,}" + (f"; met: {met}" if met else "")
                )
    return lines


def _short(text: str, most: int = 80) -> str:
    text = " ".join(str(text).split())
    return text if len(text) <= most else text[:most] + "…"
