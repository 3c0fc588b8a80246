"""Compliance: what a dataset's report says to the questions that are asked before anybody trains on it.

Every point has a severity (``good``, ``note``, ``warning``, ``error``), what it rests on and what to do. None of it is
legal advice; it says what was done and found, and what was not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Literal

import msgspec

from tuneloop.data.card.licences import terms
from tuneloop.store.forgotten import REASON

_USE = {"access": "who may use the rows", "purpose": "what for", "contact": "who answers for them"}
Severity = Literal["good", "note", "warning", "error"]
ORDER: tuple[Severity, ...] = ("error", "warning", "note", "good")


class Point(msgspec.Struct, frozen=True):
    """One question, and what the report answers to it.

    Attributes:
        check: What is asked about.
        severity: How it stands.
        evidence: What the answer rests on.
        advice: What to do; empty where nothing is to be done.
    """

    check: str
    severity: Severity
    evidence: str
    advice: str = ""


def compliance(report: Mapping[str, Any], *, base_licence: str | None = None, today: date | None = None) -> list[Point]:
    """Answer what should be known before training.

    Args:
        report: What a dataset's ``report.json`` holds.
        base_licence: The licence of the base model, empty where it states none; None leaves the question out.
        today: The day to measure the retention by; None only tells it, as the card must, whose bytes know no day.

    Returns:
        The points: personal data, secrets, licences, leaks, benchmarks, use and retention, forgotten rows.
    """
    points = [*_private(report), *_licences(report), *_held_out(report), *_governed(report, today), *_forgotten(report)]
    if base_licence is not None:
        points.append(_base(base_licence))
    return points


def verdict(points: list[Point]) -> tuple[Severity, str]:
    """The worst severity of some points, and a line about them.

    Example:
        >>> verdict([Point("leaks", "good", "none"), Point("licences", "warning", "a.jsonl states none")])
        ('warning', '1 point to look at before training: licences')
    """
    wanting = [point for point in points if point.severity in ("error", "warning")]
    if not wanting:
        notes = sum(point.severity == "note" for point in points)
        return "good", f"nothing found that speaks against training; {notes} of {len(points)} points are not answered"
    worst = min((point.severity for point in wanting), key=ORDER.index)
    names = ", ".join(dict.fromkeys(point.check for point in wanting))
    return worst, f"{len(wanting)} point{'s' * (len(wanting) != 1)} to look at before training: {names}"


def due(report: Mapping[str, Any], today: date) -> Point | None:
    """What to say of a dataset whose day of deletion is over; None while it is not, or none was set."""
    until = (report.get("governance") or {}).get("retention")
    if not until or date.fromisoformat(until) >= today:
        return None
    return Point(
        "retention",
        "error",
        f"the rows were to be kept until {until} only, {(today - date.fromisoformat(until)).days} days ago",
        "delete the dataset, or have its keeping extended and set data.governance.retention",
    )


def listed(counts: Mapping[str, int]) -> str:
    """Counts by kind in words: ``12 email, 3 phone``."""
    return ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in counts.items())


def steps(report: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The accounts of the steps of a name."""
    return [step for step in report.get("steps", ()) if step["step"] == name]


def _private(report: Mapping[str, Any]) -> Iterator[Point]:
    seen = (report.get("survey") or {}).get("found")
    for check, name, kinds in (("personal data", "redact", "personal"), ("secrets", "secrets", "secrets")):
        ran = steps(report, name)
        done = sum(sum(step["tally"].values()) for step in ran)
        took = f"{name} found {done:,}" if ran else f"not looked for: the step {name} did not run"
        if seen is None:
            yield Point(check, "good" if ran else "warning", took, "" if ran else f"add {name} to data.transforms")
            continue
        left, looked = seen[kinds], f"in {seen['rows']:,} rows drawn"
        rest = (
            f"{looked}, {seen['rows_with'][kinds]:,} hold what looks like {listed(left)}"
            if left
            else f"{looked}: none left"
        )
        if not ran:
            yield Point(
                check,
                "warning" if left else "note",
                f"{took}; {rest.replace('none left', 'none found')}",
                f"add {name} to data.transforms" if left else f"the other rows are not known; add {name} to be sure",
            )
        elif left:
            yield Point(check, "warning", f"{took}; {rest}", f"see whether the kinds of {name} are those that you need")
        else:
            yield Point(check, "good", f"{took} and took it out; {rest}" if done else f"{took}; {rest}")


def _licences(report: Mapping[str, Any]) -> Iterator[Point]:
    by_licence: dict[str, list[str]] = {}
    for source in report.get("sources", ()):
        by_licence.setdefault(source.get("licence") or "", []).append(named(source))
    for licence, names in by_licence.items():
        name = ", ".join(names[:3]) + (f" and {len(names) - 3} more sources" if len(names) > 3 else "")
        asks = terms(licence)
        if not licence:
            yield Point(
                "licences", "warning", f"{name}: no licence is stated", "find it out, and set the source's licence"
            )
        elif asks is None:
            yield Point("licences", "warning", f"{name}: what {licence!r} allows is not known here", "read it")
        elif not asks.commercial or not asks.derivatives:
            what = "no commercial use" if not asks.commercial else "no works made of it"
            yield Point("licences", "warning", f"{name}: {licence}, {what}", "see whether your use is covered")
        elif asks.share_alike or asks.conditions:
            what = asks.conditions or "what is made of it may have to be shared alike"
            yield Point("licences", "note", f"{name}: {licence}, {what}", "see whether a model is such a work")
        else:
            who = ", name the author" if asks.attribution else ""
            yield Point("licences", "good", f"{name}: {licence}, commercial use allowed{who}")


def named(source: Mapping[str, Any]) -> str:
    """What a source is called: its first file, and how many more."""
    files: list[str] = [file["file"] for file in source["files"]]
    if not files:
        return "a source without files"
    return files[0] + (f" and {len(files) - 1} more" if len(files) > 1 else "")


def _held_out(report: Mapping[str, Any]) -> Iterator[Point]:
    certificate = report.get("certificate")
    if certificate and certificate["pairs"]:
        leaks = sum(pair["leaks"] for pair in certificate["pairs"])
        if certificate["clean"]:
            looked = ", ".join(certificate["how"])
            yield Point("leaks between splits", "good", f"none found; looked for: {looked}")
        else:
            yield Point("leaks between splits", "error", f"{leaks} found", "prepare the rows anew with data.split")
    if not report["splits"].get("test"):
        yield Point("held-out rows", "note", "there are no test rows", "without them nothing says how good a model is")
    ran = steps(report, "decontaminate")
    against = [file for step in ran for file in step["options"].get("against", ())]
    if ran:
        gone = sum(sum(step["dropped"].values()) for step in ran)
        yield Point("benchmarks", "good", f"{gone:,} rows that repeat {', '.join(map(str, against))} were set aside")
    else:
        yield Point(
            "benchmarks",
            "note",
            "not compared with any",
            "name those you will quote in the step decontaminate: against",
        )


def _governed(report: Mapping[str, Any], today: date | None) -> Iterator[Point]:
    said = report.get("governance") or {}
    if today is not None and (over := due(report, today)):
        yield over
    elif said.get("retention"):
        yield Point("retention", "good", f"to be kept until {said['retention']}")
    else:
        yield Point("retention", "note", "no day is set", "set data.governance.retention if the rows must go one day")
    for name, check in _USE.items():
        if said.get(name):
            yield Point(check, "good", said[name])
    missing = [name for name in _USE if not said.get(name)]
    if missing:
        names = ", ".join(f"data.governance.{name}" for name in missing)
        yield Point("use", "note", f"not said: {', '.join(_USE[name] for name in missing)}", f"set {names}")


def _forgotten(report: Mapping[str, Any]) -> Iterator[Point]:
    gone = sum(entry["rows"] for entry in report["dropped"] if entry["reason"] == REASON)
    yield Point(
        "forgotten on request", "good", f"{gone:,} rows were left out" if gone else "no row of these is on the list"
    )


def _base(licence: str) -> Point:
    asks = terms(licence)
    if not licence:
        return Point("licence of the model", "warning", "the base model states none", "find it out: it holds for yours")
    if asks is None:
        return Point("licence of the model", "warning", f"what {licence!r} allows is not known here", "read it")
    if not asks.commercial or not asks.derivatives or asks.conditions:
        what = asks.conditions or ("no commercial use" if not asks.commercial else "no works made of it")
        return Point("licence of the model", "warning", f"{licence}: {what}", "see whether your use is covered")
    return Point("licence of the model", "good", f"{licence}: commercial use allowed")
