"""Data with known answers: what is found of what was planted, and whether anything planted survives a preparation.

python -m bench.gauntlet --quick --json gauntlet.json
python -m bench.gauntlet --json gauntlet.json            # 2,000 personal data, 500 secrets, 800 twins in each language

The values are invented and drawn at run time (``bench/planted``); the rows around them are real where the folder of
``TUNELOOP_TEST_DATA`` is at hand. The detectors were not developed on these sentences.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench import report
from bench.planted.mixture import Mixture, background
from bench.planted.sentences import CARRIERS, HARMLESS, Planted, plant
from bench.planted.twins import Twin, twins

CALLED = {
    "person": "name",
    "private_key": "api_key",
    "jwt": "api_key",
    "bearer_token": "api_key",
    "password": "api_key",
    "url_login": "api_key",
}
"""How the gauntlet calls the kinds of tuneloop's detectors, where the names differ."""


def main() -> None:
    """Run all parts and print the tables."""
    arguments = report.options(__doc__.splitlines()[0]).parse_args()
    where, draw = report.machine(), random.Random(20261121)
    each, pairs = (30, 80) if arguments.quick else (125, 800)
    planted = [
        plant(draw, group) for group in CARRIERS for _ in range(each // 4 if group.startswith("api_key/") else each)
    ]
    found = spans(planted)
    near = {language: twin_scores(draw, language, pairs) for language in ("en", "zh")}
    with tempfile.TemporaryDirectory() as folder:
        whole = Mixture(Path(folder), draw, planted, background("en", 400), background("zh", 400)).judged()
    report.show("What is found of what was planted", found)
    report.show("The same row told twice", [{"language": language, **scores} for language, scores in near.items()])
    report.show("One preparation of everything", [{"what": name, "count": count} for name, count in whole.items()])
    figures = {
        "recall": {row["kind"]: row["recall"] for row in found if "/" not in row["kind"]},
        "precision": {row["kind"]: row["precision"] for row in found if "/" not in row["kind"]},
        "rows": found,
        "near_duplicates": {language: scores["f1"] for language, scores in near.items()},
        "near": near,
        "leaks_after_split": whole["leaks after split"],
        "survivors": whole["planted values that survive"],
        "preparation": whole,
    }
    report.write(arguments.json, "gauntlet", figures, where)


def spans(planted: Iterable[Planted]) -> list[dict[str, Any]]:
    """Score the detectors of ``redact`` and ``secrets`` to the character.

    Returns:
        For each kind, and for each language or maker of it: how many were planted, the share found exactly
        (``recall``), the share of which nothing is left when all finds are masked (``covered``), and of all finds of
        the kind the share that is right (``precision``; kinds only, since a find names no language).
    """
    from tuneloop.data.detectors import Detector
    from tuneloop.data.privacy.finder import Finder
    from tuneloop.parts import find, names

    kinds = [find(Detector, name)() for name in names(Detector)]
    finder = Finder([kind for kind in kinds if {"redact", "secrets"} & set(kind.used_by)])
    hits: dict[str, Counter[str]] = defaultdict(Counter)
    for one in planted:
        said = [(span.start, span.end, CALLED.get(span.kind, span.kind)) for span in finder.spans(one.text)]
        exact = (one.start, one.end, one.kind) in said
        covered = all(any(start <= at < end for start, end, _ in said) for at in range(one.start, one.end))
        for name in {one.kind, one.group}:
            hits[name].update(planted=1, exact=exact, covered=covered)
        for start, end, kind in said:
            right = kind == one.kind and start < one.end and one.start < end
            hits[kind].update({"right" if right else "wrong": 1})
    for sentence in HARMLESS:
        for span in finder.spans(sentence):
            hits[CALLED.get(span.kind, span.kind)].update(wrong=1)
    rows = []
    for name, count in sorted(hits.items()):
        told, total = count["right"] + count["wrong"], count["planted"]
        rows.append(
            {
                "kind": name,
                "planted": total,
                "recall": round(count["exact"] / total, 4) if total else None,
                "covered": round(count["covered"] / total, 4) if total else None,
                "precision": round(count["right"] / told, 4) if told and "/" not in name else None,
            }
        )
    return rows


def twin_scores(draw: random.Random, language: str, count: int) -> dict[str, Any]:
    """Score ``near_duplicates`` on pairs of which it is known whether they are one row told twice."""
    from tuneloop.data.transforms import Place, Transform
    from tuneloop.parts import find
    from tuneloop.rows import Drop, Record, Text

    known = twins(draw, background(language, 8 * count), language, count)
    records = [
        Record.of(Text(text), origin=f"twins:{2 * at + side}")
        for at, twin in enumerate(known)
        for side, text in enumerate((twin.first, twin.second))
    ]
    with tempfile.TemporaryDirectory() as folder:
        transform = find(Transform, "near_duplicates")().at(Place(spill=Path(folder)))
        dropped = {item.origin for item in transform.run(records) if isinstance(item, Drop)}
    right = [twin for at, twin in enumerate(known) if twin.same and f"twins:{2 * at + 1}" in dropped]
    missed = [twin for at, twin in enumerate(known) if twin.same and f"twins:{2 * at + 1}" not in dropped]
    return {"pairs": len(known), **_f1(len(right), len(dropped), len(missed)), "missed": _by_how(missed)}


def _f1(right: int, told: int, missed: int) -> dict[str, float]:
    precision, recall = right / max(told, 1), right / max(right + missed, 1)
    both = 2 * precision * recall / max(precision + recall, 1e-9)
    return {"precision": round(precision, 4), "recall": round(recall, 4), "f1": round(both, 4)}


def _by_how(missed: list[Twin]) -> str:
    return ", ".join(f"{how} {count}" for how, count in Counter(twin.how for twin in missed).most_common())


if __name__ == "__main__":
    main()
