"""Near duplicates: recall and precision on rows with planted edits, and cost beside datasketch and rensa alone.

python -m bench.near --json near.json                    # needs the folder of real rows (TUNELOOP_TEST_DATA)
python -m bench.near --quick --json near.json

The truth is planted: real rows with small edits that leave what they say, and real rows with one thing changed that
makes them another. Half of the rows served for development; the figures are of the other half. The peers are measured
where their packages are installed, each in a process of its own, on the same texts with the same shingles and bands;
they do not compare what they find.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import subprocess
import sys
import time
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from bench import report

FILES = {
    "en": ["sft_en/alpaca_data*", "sft_en/train.jsonl.gz"],
    "zh": ["sft_zh/zh-data-part-00.json.gz", "sft_zh/代码问题.json.gz", "sft_zh/medical_sft_1K_format.jsonl"],
}
HAN = re.compile(r"[\u3400-\u9fff]")
TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")
NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}")
STRENGTHS = (0.03, 0.05, 0.1)
GREETINGS = {
    "en": (["Please answer this question: ", "Hi, "], [" Thanks!", " I hope this helps."]),
    "zh": (["请回答下面的问题：", "你好，"], ["谢谢！", "希望对你有帮助。"]),
}
NEGATED = {
    "en": [(" is ", " is not "), (" are ", " are not "), (" should ", " should not "), (" can ", " cannot ")],
    "zh": [("可以", "不可以"), ("应该", "不应该"), ("能", "不能"), ("是", "不是")],
}

Row = tuple[str, str]


class Case(NamedTuple):
    """An edited row, and whether it still says the same."""

    how: str
    row: Row
    same: bool


def rows(language: str, half: int) -> list[Row]:
    """Real rows as questions and answers: one half of them, decided by their content."""
    from tuneloop.data.near.benchmarks import benchmark_files

    folder = Path(os.environ.get("TUNELOOP_TEST_DATA", "../shared/data"))
    found = [
        _row(raw.row)
        for file in benchmark_files(FILES[language], folder)
        for raw in file.reader.rows(file.path)
        if raw.row is not None
    ]
    return [row for row in found if row[1].strip() and zlib.crc32("".join(row).encode()) % 2 == half]


def _row(raw: dict[str, Any]) -> Row:
    if "conversations" in raw:
        return raw["conversations"][0]["value"], raw["conversations"][1]["value"]
    question = raw.get("instruction") or raw["question"]
    return f"{question}\n\n{raw.get('input') or ''}".strip(), str(raw.get("output", raw.get("answer")))


class Editor:
    """Edits rows of one language; words come from other rows."""

    def __init__(self, draw: random.Random, given: list[Row], language: str) -> None:
        self.draw, self.rows, self.language = draw, given, language
        taken = [unit for row in draw.sample(given, 500) for unit in _units(row[1])]
        self.words = [unit for unit in taken if (HAN.match(unit) if language == "zh" else unit[0].isalpha())]
        self.names = sorted({name for row in given for name in NAME.findall(row[0])})

    def same(self, row: Row, how: str, strength: float) -> Row:
        """A row that says the same in a few other words."""
        question, answer = row
        if how == "surface":
            return self._surface(question), self._surface(answer)
        if how == "cut end":
            units = _units(answer)
            return question, "".join(units[: -max(1, round(len(units) * strength))])
        if how == "greeting":
            before, after = GREETINGS[self.language]
            if self.draw.random() < 0.5:
                return self.draw.choice(before) + question, answer
            return question, answer + self.draw.choice(after)
        if how == "mixed":
            for step in self.draw.sample(["delete", "insert", "substitute", "swap"], 2):
                question, answer = self._edit(question, step, strength / 2), self._edit(answer, step, strength / 2)
            return self._surface(question), answer
        return self._edit(question, how, strength), self._edit(answer, how, strength)

    def other(self, row: Row, how: str) -> Row | None:
        """A row that looks the same and is another; None where this row cannot be made one."""
        question, answer = row
        if how == "another answer":
            return question, self.draw.choice(self.rows)[1]
        if how == "another question":
            return self.draw.choice(self.rows)[0], answer
        if how == "negation":
            fits = [(a, b) for a, b in NEGATED[self.language] if a in question and b not in question]
            return (question.replace(*fits[0], 1), answer) if fits else None
        if how == "number":
            numbers = re.findall(r"\d+", question)
            old = self.draw.choice(numbers) if numbers else ""
            new = str(int(old or 0) + self.draw.randint(1, 9))
            exact = re.compile(rf"(?<!\d){old}(?!\d)")
            return (exact.sub(new, question), exact.sub(new, answer)) if old else None
        old = next((name for name in NAME.findall(question)), "") if how == "name" else self._subject(row)
        new = (
            self.draw.choice(self.names) if how == "name" and self.names else self._subject(self.draw.choice(self.rows))
        )
        if not old or not new or new in question + answer:
            return None
        return question.replace(old, new), answer.replace(old, new)

    def _subject(self, row: Row) -> str:
        """A word of the question that the answer takes up."""
        question, answer = row
        if self.language == "en":
            words = re.findall(r"[a-z]{5,}", question)
        else:
            words = [question[i : i + n] for n in (4, 3, 2) for i in range(len(question) - n + 1)]
            words = [word for word in words if all(map(HAN.match, word))]
        return next((word for word in words if word in answer), "")

    def _surface(self, text: str) -> str:
        marks = [
            unit if self.draw.random() < 0.7 or unit not in ",.!?;:，。！？；：、" else "" for unit in _units(text)
        ]
        text = "".join(marks)
        wide = "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)
        return self.draw.choice([text.lower(), text.upper(), wide, text.replace(" ", "  ")])

    def _edit(self, text: str, how: str, strength: float) -> str:
        units = _units(text)
        places = [i for i, unit in enumerate(units) if unit[0].isalpha()]
        chosen = self.draw.sample(places, min(len(places), max(1, round(len(places) * strength))))
        for i in sorted(chosen, reverse=True):
            after = next((j for j in places if j > i), i)
            if how == "delete":
                units[i] = ""
            elif how == "insert":
                units.insert(i, self.draw.choice(self.words) + (" " if self.language == "en" else ""))
            elif how == "substitute":
                units[i] = self.draw.choice(self.words)
            else:
                units[i], units[after] = units[after], units[i]
        return "".join(units)


def _units(text: str) -> list[str]:
    return re.findall(r"\s+|[A-Za-z']+|\d+(?:\.\d+)?|.", text, re.DOTALL)


def cases(editor: Editor, count: int) -> Iterator[Case]:
    """Edited rows: ``count`` of each kind and strength that say the same, three times as many of each that do not."""
    for how in ("surface", "cut end", "greeting", "delete", "insert", "substitute", "swap", "mixed"):
        for strength in STRENGTHS:
            for row in editor.draw.sample(editor.rows, count):
                edited = editor.same(row, how, strength)
                if edited != row:
                    yield Case(how, edited, True)
    for how in ("number", "name", "subject", "negation", "another answer", "another question"):
        made = 0
        for row in editor.draw.sample(editor.rows, len(editor.rows)):
            edited = editor.other(row, how)
            if edited and edited != row and made < 3 * count:
                made += 1
                yield Case(f"not: {how}", edited, False)


def truth(language: str, count: int, half: int) -> list[dict[str, object]]:
    """Share of edited rows taken for near duplicates, by kind of edit; and recall, precision and F1 of all."""
    from tuneloop.data.near.others import near_to
    from tuneloop.data.near.pairs import leaders
    from tuneloop.data.near.search import Search
    from tuneloop.data.near.tokens import PART

    given = rows(language, half)
    gone = {near.later for near in leaders((PART.join(row) for row in given), Search(protect=()))}
    given = [row for i, row in enumerate(given) if i not in gone]
    made = list(cases(Editor(random.Random(7), given, language), count))
    hit = {near.later for near in near_to((PART.join(case.row) for case in made), (PART.join(row) for row in given))}
    table: list[dict[str, object]] = []
    for how in dict.fromkeys(case.how for case in made):
        of = [i for i, case in enumerate(made) if case.how == how]
        table.append(
            {"language": language, "edit": how, "rows": len(of), "near": round(len(hit & set(of)) / len(of), 3)}
        )
    same = {i for i, case in enumerate(made) if case.same}
    recall, precision = len(hit & same) / len(same), len(hit & same) / len(hit)
    f1 = 2 * recall * precision / (recall + precision)
    scores = {"recall": round(recall, 4), "precision": round(precision, 4), "f1": round(f1, 4)}
    return [*table, {"language": language, "edit": "all", "rows": len(made), **scores}]


def texts(count: int) -> Iterator[str]:
    """Texts to measure with: real rows, and behind them rows of them with 60 % of the words from others; one in ten
    is a near copy."""
    draw, given = random.Random(0), [f"{q}\n{a}" for language in FILES for q, a in rows(language, 0)]
    for i in range(count):
        text, other = given[i % len(given)], draw.choice(given)
        joint = "" if HAN.search(text) else " "
        words, strange = (list(each) if not joint else each.split(" ") for each in (text, other))
        if i >= len(given):
            share = 0.03 if i % 10 == 0 else 0.6
            words = [draw.choice(strange) if draw.random() < share else word for word in words]
        yield joint.join(words)


def shingles(text: str) -> set[str]:
    """What the peers are given: words or characters, and pairs of them."""
    found = TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())
    return {*found, *(f"{a} {b}" for a, b in pairwise(found))}


def _ours(given: Iterator[str]) -> int:
    from tuneloop.data.near.pairs import leaders

    return sum(1 for _ in leaders(given))


def _rensa(given: Iterator[str]) -> int:
    from rensa import RMinHash, RMinHashLSH  # type: ignore[import-not-found]

    index, gone, batch, key = RMinHashLSH(2 / 3, 258, 43), 0, list[list[str]](), 0
    for text in (*given, None):
        if text is not None:
            batch.append(sorted(shingles(text)))
        if batch and (text is None or len(batch) == 4096):
            signatures = RMinHash.digest_matrix_from_token_sets(batch, 258, 1)
            gone += sum(index.insert_matrix_and_query_duplicate_flags(signatures, key))
            key += len(batch)
            batch = []
    return gone


def _datasketch(given: Iterator[str]) -> int:
    from datasketch import MinHash, MinHashLSH  # type: ignore[import-not-found]

    index, gone = MinHashLSH(num_perm=258, params=(43, 6)), 0
    for key, text in enumerate(given):
        signature = MinHash(258)
        signature.update_batch([shingle.encode() for shingle in shingles(text)])
        if index.query(signature):
            gone += 1
        else:
            index.insert(key, signature)
    return gone


TOOLS: dict[str, Callable[[Iterator[str]], int]] = {"tuneloop": _ours, "rensa": _rensa, "datasketch": _datasketch}


def measure(tool: str, path: Path) -> dict[str, object]:
    """Run one tool over the texts of a file, in this process."""

    def given() -> Iterator[str]:
        with path.open(encoding="utf-8") as file:
            yield from map(json.loads, file)

    start = time.process_time()
    count = sum(1 for _ in given())
    reading = time.process_time() - start
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    gone = TOOLS[tool](given())
    seconds = time.process_time() - start - reading
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    rate = {"cpu_s": round(seconds, 1), "texts_per_cpu_s": round(count / seconds)}
    return {"tool": tool, "texts": count, **rate, "peak_mb": round(peak), "near": gone}


def cost(sizes: list[int], folder: Path) -> Iterator[dict[str, object]]:
    """CPU seconds and memory of each tool that is installed, at several sizes."""
    for size in sizes:
        path = folder / f"{size}.jsonl"
        path.write_text("".join(json.dumps(text) + "\n" for text in texts(size)), encoding="utf-8")
        for tool in TOOLS:
            if tool == "tuneloop" or find_spec(tool):
                command = [sys.executable, "-m", "bench.near", "--measure", tool, str(path)]
                yield json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        path.unlink()


def main() -> None:
    """Measure, and print the tables."""
    import tempfile

    options = report.options(__doc__.splitlines()[0])
    options.add_argument("--measure", nargs=2, metavar=("TOOL", "FILE"), help=argparse.SUPPRESS)
    options.add_argument("--rows", type=int, nargs="*", default=None, help="sizes at which the cost is measured")
    options.add_argument("--half", type=int, choices=(0, 1), default=1, help="half of the rows; 0 was developed with")
    arguments = options.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure[0], Path(arguments.measure[1]))))
        return
    where = report.machine()
    found = [line for language in FILES for line in truth(language, 40 if arguments.quick else 200, arguments.half)]
    report.show("Edited rows taken for near duplicates", [line for line in found if line["edit"] != "all"])
    report.show("All of them", [line for line in found if line["edit"] == "all"])
    sizes = arguments.rows if arguments.rows is not None else [10_000] if arguments.quick else [10_000, 100_000]
    with tempfile.TemporaryDirectory() as folder:
        costs = list(cost(sizes, Path(folder)))
    report.show("Cost", costs)
    report.write(arguments.json, "near", {"truth": found, "cost": costs}, where)


if __name__ == "__main__":
    main()
