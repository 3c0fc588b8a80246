"""One preparation of everything at once: planted data, twins, benchmark rows and broken rows, among harmless ones."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from bench.planted.sentences import HARMLESS, Planted
from bench.planted.twins import twins

TEXTS = {"en": "sft_en/alpaca*.json", "zh": "sft_zh/zh-data*.json.gz"}
BROKEN = (b'{"instruction": "half a row', b"not JSON at all", b'{"instruction": 5}', b'["a list"]', b"\xff\xfe{}", b"{")


@cache
def _rows(language: str) -> list[tuple[str, str]]:
    folder = Path(os.environ.get("TUNELOOP_TEST_DATA", "../shared/data"))
    rows: list[tuple[str, str]] = []
    for path in sorted(folder.glob(TEXTS[language])):
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        rows += [(f"{row['instruction']} {row['input']}".strip(), row["output"].strip()) for row in json.loads(data)]
    if not rows:
        from tuneloop import embedded

        both = [json.loads(line)["messages"] for line in embedded.messages().read_text("utf-8").splitlines()]
        rows = [(turns[0]["content"], turns[-1]["content"]) for turns in both]
        rows = [row for row in rows if any("\u4e00" <= sign <= "\u9fff" for sign in row[0]) == (language == "zh")]
    shortest = 60 if language == "en" else 25
    sound = {question: answer for question, answer in rows if answer and shortest <= len(question + answer) <= 600}
    return list(sound.items())


def background(language: str, count: int) -> list[str]:
    """Real texts of a language, each once: question and answer of a row together."""
    return [
        f"{question}\n{answer}" for question, answer in random.Random(7).sample(_rows(language), len(_rows(language)))
    ][:count]


class Mixture:
    """Files with known answers, prepared by a recipe that asks for everything, and judged.

    Args:
        folder: An empty folder.
        draw: Decides what is drawn.
        planted: Sentences with planted values.
        english: Real texts.
        chinese: Real texts.
    """

    def __init__(
        self, folder: Path, draw: random.Random, planted: list[Planted], english: list[str], chinese: list[str]
    ) -> None:
        self.folder = folder
        self.planted = planted
        half = len(english) // 2
        self.known = [*twins(draw, english[:half], "en", half // 2), *twins(draw, chinese[:half], "zh", half // 2)]
        self.benchmark = [*english[half : half + 40], *chinese[half : half + 40]]
        self.rest = [*english[half + 40 :], *chinese[half + 40 :]]
        rows = [*self._carriers(draw), *self._others()]
        draw.shuffle(rows)
        lines = [json.dumps(row, ensure_ascii=False).encode() for row in rows]
        self.empty = 25
        lines += [json.dumps({"instruction": f"Say it {number}.", "output": " "}).encode() for number in range(25)]
        self.broken = len(BROKEN) * 5
        for at in range(self.broken):
            lines.insert(draw.randrange(100, len(lines)), BROKEN[at % len(BROKEN)])
        self.read = len(lines)
        (folder / "rows.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        with (folder / "benchmark.jsonl").open("w", encoding="utf-8") as file:
            for text in self.benchmark:
                question, _, answer = text.partition("\n")
                file.write(json.dumps({"question": question, "answer": answer}, ensure_ascii=False) + "\n")

    def _carriers(self, draw: random.Random) -> Iterator[dict[str, Any]]:
        """Planted sentences in every place of a row: question, answer, system, tool call, another column."""
        for number, one in enumerate(self.planted):
            about = f"Case {number}: {draw.choice(HARMLESS)}"
            yield (
                {"instruction": f"{about} {one.text}", "output": f"Noted, case {number}."},
                {"instruction": about, "output": f"{number}: {one.text}"},
                {"instruction": about, "output": f"Done with {number}.", "system": one.text},
                {"instruction": about, "output": f"Done with {number}.", "remark": {"said": [one.text]}},
                {
                    "messages": [
                        {"role": "user", "content": about},
                        {
                            "role": "assistant",
                            "tool_calls": [{"function": {"name": "note", "arguments": {"text": one.text}}}],
                        },
                    ]
                },
            )[number % 5]

    def _others(self) -> Iterator[dict[str, Any]]:
        for twin in self.known:
            for text in (twin.first, twin.second):
                question, _, answer = text.partition("\n")
                yield {"instruction": question, "output": answer or question}
        for text in (*self.benchmark, *self.rest):
            question, _, answer = text.partition("\n")
            yield {"instruction": question, "output": answer}

    def judged(self) -> dict[str, int]:
        """Prepare the rows and count what went wrong."""
        from tuneloop.data.prepare import prepare
        from tuneloop.data.section import DataSection
        from tuneloop.store import Store

        steps = ["normalize", "length", "secrets", "redact", "duplicates", "near_duplicates"]
        transforms = [*steps, {"decontaminate": {"against": ["benchmark.jsonl"]}}]
        section = DataSection.model_validate({"sources": ["rows.jsonl"], "transforms": transforms})
        dataset = prepare(section, Store(self.folder / "store"), seed=3, folder=self.folder)
        counts = dataset.report["rows"]
        kept = {side: [_said(record) for record in dataset.records(side)] for side in dataset.splits}
        dropped = [drop.origin for drop in dataset.dropped()]
        return {
            "rows read": counts["read"],
            "rows kept": counts["kept"],
            "rows set aside": counts["dropped"],
            "rows unaccounted for": self.read - counts["kept"] - counts["dropped"],
            "set aside twice": len(dropped) - len(set(dropped)),
            "broken or empty rows kept": sum(text.startswith("Say it") for texts in kept.values() for text in texts),
            "planted values": len(self.planted),
            "planted values that survive": len(self.survivors()),
            "benchmark rows planted": len(self.benchmark),
            "benchmark rows kept": len({text for texts in kept.values() for text in texts} & set(self.benchmark)),
            "leaks after split": len(self.leaks(kept)),
        }

    def survivors(self) -> set[str]:
        """Planted values, names and addresses apart, that stand anywhere in the store, in clear or inside Parquet."""
        from pyarrow import parquet

        texts = []
        for path in sorted((self.folder / "store").rglob("*")):
            if path.suffix == ".parquet":
                texts.append(json.dumps(parquet.read_table(path).to_pylist(), ensure_ascii=False, default=str))
            elif path.is_file():
                texts.append(path.read_bytes().decode("utf-8", "replace"))
        whole = "\n".join(texts)
        spelled = {one.value: json.dumps(one.value, ensure_ascii=False)[1:-1] for one in self.planted if _is_hard(one)}
        return {value for value, inside in spelled.items() if value in whole or inside in whole}

    def leaks(self, kept: dict[str, list[str]]) -> list[tuple[str, str]]:
        """Twins of which one stands on another side of the split than the other; and texts that stand on two sides."""
        sides: dict[str, set[str]] = {}
        for side, texts in kept.items():
            for text in texts:
                sides.setdefault(_plain(text), set()).add(side)
        pairs = [(_plain(twin.first), _plain(twin.second)) for twin in self.known if twin.same]
        crossed = [(one, two) for one, two in pairs if len(sides.get(one, set()) | sides.get(two, set())) > 1]
        return crossed + [(text, text) for text, where in sides.items() if len(where) > 1]


def _is_hard(one: Planted) -> bool:
    """Whether a value must be found for sure: names, addresses and dates are found as well as a local method can."""
    return one.kind not in ("name", "address", "birth_date")


def _said(record: Any) -> str:
    return "\n".join(message.content for message in record.content.messages if message.role != "system")


def _plain(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum())
