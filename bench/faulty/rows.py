"""Real rows to learn from, and a fixed clean part of each that no run ever sees."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

Row = dict[str, Any]

DATA = Path(os.environ.get("TUNELOOP_TEST_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")).resolve()
CLEAN = 120
"""Rows of each pool that are kept apart to measure on."""


def models() -> Path:
    """The folder of the real small models."""
    return DATA / "models"


@cache
def pool(name: str) -> tuple[Row, ...]:
    """All usable rows of a pool, each once, in an order that follows from their content alone.

    Args:
        name: One of :data:`POOLS`.
    """
    rows = {json.dumps(row, ensure_ascii=False, sort_keys=True): row for row in POOLS[name]()}
    return tuple(rows[key] for key in sorted(rows, key=lambda key: hashlib.sha256(key.encode()).digest()))


def clean(name: str) -> list[Row]:
    """The rows of a pool that are only measured on."""
    return list(pool(name)[:CLEAN])


def draw(name: str, count: int, seed: int) -> list[Row]:
    """Rows of a pool to learn from, other ones for every seed; all there are where ``count`` is more.

    Args:
        name: One of :data:`POOLS`.
        count: How many.
        seed: Decides which, and their order.
    """
    rows = list(pool(name)[CLEAN:])
    random.Random(f"{name} {seed}").shuffle(rows)
    return rows[:count]


def _read(path: str) -> str:
    data = (DATA / path).read_bytes()
    return (gzip.decompress(data) if path.endswith(".gz") else data).decode("utf-8")


def _instructions(path: str, longest: int) -> list[Row]:
    """Instructions with their answers, where both are short."""
    rows = [{key: row.get(key, "") for key in ("instruction", "input", "output")} for row in json.loads(_read(path))]
    fits = [len(row["instruction"] + row["input"]) <= longest and 4 < len(row["output"]) <= longest for row in rows]
    return [row for row, fit in zip(rows, fits, strict=True) if fit]


def _sums() -> list[Row]:
    return _instructions("sft_zh/整数加减法.json", 99)


def _problems() -> list[Row]:
    """Sums told as stories, with the answer's last line alone: the small models can read no more."""
    rows = [json.loads(line) for line in _read("sft_en/train.jsonl.gz").splitlines()]
    short = [row for row in rows if len(row["question"]) < 160 and len(row["answer"]) < 160]
    return [{"instruction": row["question"], "input": "", "output": row["answer"]} for row in short]


def _spam() -> list[Row]:
    lines = [line.partition("\t") for line in _read("classify/sms_spam/sms.tsv").splitlines()]
    rows = [{"text": text, "label": label} for label, _, text in lines if len(text) < 160]
    spam = [row for row in rows if row["label"] == "spam"]
    return spam + [row for row in rows if row["label"] == "ham"][: 2 * len(spam)]


def _reviews() -> list[Row]:
    rows = csv.DictReader(_read("classify/waimai_10k/waimai_10k.csv").splitlines())
    return [{"text": row["review"], "label": row["label"]} for row in rows if 4 < len(row["review"]) < 30]


def _intents() -> list[Row]:
    """Bank customers' questions of ten kinds."""
    rows = list(csv.DictReader(_read("classify/banking77/train.csv").splitlines()))
    kinds = sorted({row["category"] for row in rows})[::8]
    return [{"text": row["text"], "label": row["category"]} for row in rows if row["category"] in kinds]


def _passages(path: str, size: int) -> list[Row]:
    """Whole paragraphs of a book, put together to about ``size`` characters."""
    text, found = "", []
    for paragraph in re.split(r"\n\s*\n", _read(path).replace("\r", "")):
        text += re.sub(r"\s*\n\s*", "\n", paragraph.strip()) + "\n\n"
        if len(text) >= size:
            found.append({"text": text[: 2 * size].strip()})
            text = ""
    return found


def _preferred() -> list[Row]:
    """An answer, and its own words in a wrong order."""
    rows = _instructions("sft_en/alpaca_data-0-3252-英文.json", 100)
    found = []
    for row in rows:
        words = row["output"].split()
        random.Random(row["output"]).shuffle(words)
        if len(words) > 3 and words != row["output"].split():
            asked = " ".join(filter(None, (row["instruction"], row["input"])))
            found.append({"prompt": asked, "chosen": row["output"], "rejected": " ".join(words)})
    return found


def _embedded() -> list[Row]:
    """Rows like those that the embedded model learned from."""
    from tuneloop import embedded

    lines = Path(embedded.messages()).read_text(encoding="utf-8").splitlines()
    return [{"messages": json.loads(line)["messages"]} for line in lines[::5]]


POOLS: dict[str, Callable[[], list[Row]]] = {
    "alpaca": lambda: _instructions("sft_en/alpaca_data-0-3252-英文.json", 110),
    "alpaca_zh": lambda: _instructions("sft_zh/zh-data-part-00.json.gz", 28),
    "code_zh": lambda: _instructions("sft_zh/代码问题.json.gz", 40),
    "sums": _sums,
    "problems": _problems,
    "spam": _spam,
    "reviews": _reviews,
    "intents": _intents,
    "shakespeare": lambda: _passages("long/tinyshakespeare/input.txt.gz", 300),
    "grimm": lambda: _passages("long/grimm/GrimmsFairyTales.txt", 300),
    "preferred": _preferred,
    "embedded": _embedded,
}
"""Where the rows of each pool come from."""
