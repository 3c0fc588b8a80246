"""Sentences: answers that break off are counted, and what ends without a mark on purpose is not."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest

from tuneloop.training.signals.sentences import stopped_short


def cut(text: str, chance: random.Random) -> str:
    return text[: max(2, round(len(text) * chance.uniform(0.3, 0.6)))].rstrip(" .。!?！？，,")


@pytest.mark.parametrize(
    "file", ["sft_en/alpaca_data-0-3252-英文.json", "sft_zh/代码问题.json.gz", "sft_zh/zh-data-part-00.json.gz"]
)
def test_real_answers_end_and_cut_ones_do_not(real: Path, file: str) -> None:
    data = (real / file).read_bytes()
    rows = json.loads(gzip.decompress(data) if file.endswith("gz") else data)[:400]
    whole = [row["output"] for row in rows if row["output"]]
    chance = random.Random(0)
    natural, broken = stopped_short(whole), stopped_short(cut(answer, chance) for answer in whole)
    assert natural is not None
    assert broken is not None
    assert natural < 0.15
    assert broken > 0.6


@pytest.mark.parametrize(
    "answer",
    [
        "positive",
        "58",
        "def add(a, b):\n    return a + b",
        "1. Eat well\n2. Sleep long and deep every night",
        "a quiet house by the sea",
    ],
)
def test_labels_figures_code_lists_and_titles_say_nothing(answer: str) -> None:
    assert stopped_short([answer] * 50) is None
