"""Write the material of the embedded default: ``python make.py --out work``.

The folder gets ``corpus.jsonl`` (pretraining), ``messages.jsonl`` (the instruction set) and
``base/`` (tokenizer, chat template and configuration of a model that has no weights yet).
The same seed gives the same bytes.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import chats
import lexicon
import prose
from messages import Message, message

#: What the corpus is made of, in shares of its rows.
MIX = {
    "noted": 0.72,
    "noted_and_asked": 0.14,
    "converted": 0.05,
    "talked": 0.04,
    "report": 0.03,
    "record": 0.02,
}


#: Instruction rows that are written before the corpus, which leaves them out; further ones leave the corpus out.
FIRST = 2000


def instructions(rows: int, stream: str, without: set[str]) -> list[Message]:
    """Write ``rows`` messages, no two alike and none in ``without``, half of them in each language."""
    random = Random(stream)
    seen: dict[str, Message] = {}
    while len(seen) < rows:
        written = message(lexicon.LANGUAGES[len(seen) % 2], random)
        if written.text not in without:
            seen.setdefault(written.text, written)
    return list(seen.values())


def corpus(rows: int, seed: int, without: set[str]) -> Iterator[dict[str, object]]:
    """Write the pretraining rows, none of which holds a message in ``without``."""
    random = Random(f"corpus {seed}")
    written = 0
    while written < rows:
        language = random.choice(lexicon.LANGUAGES)
        kind = random.choices(list(MIX), list(MIX.values()))[0]
        if kind in ("report", "record"):
            row: dict[str, object] = {"text": getattr(prose, kind)(language, random)}
        else:
            row = getattr(chats, kind)(language, random)
            first = row["messages"][0]["content"].split("\n")[0]  # type: ignore[index]
            if first in without:
                continue
        written += 1
        yield row


def asked(corpus: Path) -> set[str]:
    """Read what the chats of a corpus begin with."""
    with corpus.open(encoding="utf-8") as file:
        rows = map(json.loads, file)
        return {row["messages"][0]["content"].split("\n")[0] for row in rows if "messages" in row}


def answered(written: Message) -> dict[str, object]:
    """Make the instruction row of a message: its facts as compact JSON."""
    answer = json.dumps(written.facts, ensure_ascii=False, separators=(",", ":"))
    return chats.turns(written.text, answer)


def save(path: Path, rows: Iterator[dict[str, object]]) -> None:
    """Write one JSON line a row."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def main() -> None:
    """Read the options and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--rows", type=int, default=4000, help="rows of the instruction set, 2000 or more")
    parser.add_argument("--corpus-rows", type=int, default=240000, help="rows of the pretraining corpus")
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    first = instructions(FIRST, f"instructions {options.seed}", set())
    texts = {one.text for one in first}
    corpus_file = options.out / "corpus.jsonl"
    save(corpus_file, corpus(options.corpus_rows, options.seed, texts))
    more = instructions(options.rows - FIRST, f"more instructions {options.seed}", texts | asked(corpus_file))
    save(options.out / "messages.jsonl", map(answered, [*first, *more]))

    from vocabulary import write_base  # it imports tokenizers, which the rows do not need

    write_base(corpus_file, options.out / "base")


if __name__ == "__main__":
    main()
