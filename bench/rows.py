"""Rows for the data benchmark: real Alpaca rows varied to any number of distinct ones, with known answers planted.

A row is made of sentences of real rows. Of every hundred rows, about five are an earlier row with one word
exchanged, one is an earlier row again, two are Chinese, and ten hold an e-mail address, a telephone number, a card or
an IP address. How many of each were planted is written beside the rows, so that what a tool finds can be judged.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

from bench.material import default_rows

_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
_CHINESE = (
    "请介绍一下你所在城市的历史和文化传统并说明它对今天人们生活方式的影响以及"
    "未来可能出现的变化因为这些问题很重要我们需要认真思考然后给出详细回答"
)
_NAMES = ("ann", "bo", "cleo", "dara", "emil", "fay", "gus", "hana")
_CARDS = ("4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "6011111111111117")


def make(path: Path, count: int, seed: int = 0) -> dict[str, int]:
    """Write rows as JSON lines; what is there already is left.

    Args:
        path: The file; its truth is written beside it.
        count: How many rows.
        seed: Another one makes other rows.

    Returns:
        How many rows of each kind were planted.
    """
    truth = path.with_suffix(".truth.json")
    if truth.exists() and path.exists():
        known: dict[str, int] = json.loads(truth.read_text())
        return known
    draw = random.Random(seed)
    pools = _pools()
    planted: Counter[str] = Counter({"rows": count})
    kept: list[dict[str, str]] = []
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            kind, row = _row(draw, pools, kept)
            planted[kind] += 1
            if kind == "plain":
                if len(kept) < 5000:
                    kept.append(row)
                else:
                    kept[number % 5000] = row
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    truth.write_text(json.dumps(dict(planted)))
    return dict(planted)


def _pools() -> tuple[list[str], list[str]]:
    """Questions and sentences of the real rows."""
    source = default_rows()
    files = sorted(source.parent.glob("alpaca*.json*")) or [source]
    rows: list[Any] = []
    for file in files:
        data = file.read_bytes()
        data = gzip.decompress(data) if file.suffix == ".gz" else data
        rows += map(json.loads, data.splitlines()) if ".jsonl" in file.name else json.loads(data)
    questions = [row["instruction"] for row in rows if row.get("instruction")]
    said = [part.strip() for row in rows for part in _SENTENCE.findall(row.get("output") or "")]
    return questions, [part for part in said if 5 <= len(part.split()) <= 30]


def _row(
    draw: random.Random, pools: tuple[list[str], list[str]], kept: list[dict[str, str]]
) -> tuple[str, dict[str, str]]:
    chance = draw.random()
    if chance < 0.06 and kept:
        row = draw.choice(kept)
        return ("again", row) if chance < 0.01 else ("near", row | {"output": _exchanged(draw, row["output"])})
    if chance < 0.08:
        signs = "".join(draw.choices(_CHINESE, k=60))
        return "chinese", {"instruction": signs[:20] + "？", "input": "", "output": signs[20:] + "。"}
    questions, sentences = pools
    said = [draw.choice(sentences) for _ in range(draw.randint(3, 6))]
    row = {"instruction": draw.choice(questions), "input": "", "output": " ".join(said)}
    if draw.random() < 0.3:
        row["input"] = draw.choice(sentences)
    if chance < 0.18:
        said.insert(draw.randrange(len(said) + 1), _datum(draw))
        return "private", row | {"output": " ".join(said)}
    return "plain", row


def _exchanged(draw: random.Random, text: str) -> str:
    """The text with one word near its end exchanged."""
    words = text.split()
    words[-1 - draw.randrange(min(3, len(words)))] = f"{draw.choice(_NAMES)}"
    return " ".join(words)


def _datum(draw: random.Random) -> str:
    name, number = draw.choice(_NAMES), draw.randrange(100)
    return draw.choice(
        (
            f"Write to {name}{draw.randrange(10**6)}@example.com for more.",
            f"Call (212) 555-01{number:02d} in the morning.",
            f"The card {draw.choice(_CARDS)} was used.",
            f"The server is 192.0.2.{draw.randrange(1, 255)} today.",
        )
    )
