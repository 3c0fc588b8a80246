"""What every trainer gets: the same rows, the same tokenizer and the same random weights, made once and kept."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import report
from bench.shapes import SHAPES, make

TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)
SPECIAL = ["<|pad|>", "<|im_start|>", "<|im_end|>"]
LARGEST = 32_000
"""Tokens of the tokenizer, or the model's whole vocabulary where that is smaller."""
SPARE = 8
"""Ids left free: transformers may add tokens of its own when it opens a tokenizer."""


@dataclass(frozen=True)
class Material:
    """Rows with their tokens counted, and the model they are learned with.

    Attributes:
        model: Folder of the model and its tokenizer.
        train: Rows to learn, in the order in which they are learned.
        held_out: Rows that no tool sees.
        lengths: Tokens of each row of ``train``.
        supervised: Tokens of the answers of ``train``, their end included.
        source: The file that the rows are from.
    """

    model: Path
    train: list[dict[str, str]]
    held_out: list[dict[str, str]]
    lengths: list[int]
    supervised: int
    source: str


def default_rows() -> Path:
    """The real Alpaca rows where they are at hand (``TUNELOOP_TEST_DATA``), else the embedded ones."""
    folder = Path(os.environ.get("TUNELOOP_TEST_DATA", "../shared/data")) / "sft_en"
    found = sorted(folder.glob("alpaca*.json"))
    if found:
        return found[0]
    from tuneloop import embedded

    return embedded.messages()


def read_rows(path: Path) -> list[dict[str, str]]:
    """Prompts and answers of a JSON or JSON-lines file of Alpaca rows or of conversations; empty answers are left out.

    Raises:
        ValueError: The rows have another form.
    """
    text = path.read_text(encoding="utf-8")
    values = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
    rows = [_pair(value, path) for value in values]
    return [row for row in rows if row["answer"].strip()]


def gather(rows: Path, shape: str, *, count: int, held_out: int, length: int) -> Material:
    """Choose rows that fit, and make tokenizer and model where they are not there yet.

    Args:
        rows: File of rows.
        shape: A key of ``bench.shapes.SHAPES``.
        count: Rows to learn.
        held_out: Rows to be judged by.
        length: Tokens of the longest row; longer ones are not taken, so that no tool has to cut.

    Raises:
        ValueError: There are too few rows.
    """
    every = read_rows(rows)
    model = _model(shape, every, hashlib.sha256(rows.read_bytes()).hexdigest()[:16])
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    chosen: list[dict[str, str]] = []
    lengths: list[int] = []
    supervised = 0
    for row in every:
        asked, whole = ids_of(tokenizer, row)
        if len(whole) > length:
            continue
        chosen.append(row)
        if len(lengths) < count:
            lengths.append(len(whole))
            supervised += len(whole) - len(asked)
        if len(chosen) == count + held_out:
            return Material(model, chosen[:count], chosen[count:], lengths, supervised, rows.name)
    raise ValueError(f"{rows} has {len(chosen)} rows of at most {length} tokens, {count + held_out} are needed")


def ids_of(tokenizer: Any, row: dict[str, str]) -> tuple[list[int], list[int]]:
    """Ids of a row's prompt, and of the whole row."""
    turns = [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["answer"]}]
    asked: list[int] = tokenizer.apply_chat_template(turns[:1], add_generation_prompt=True, return_dict=False)
    whole: list[int] = tokenizer.apply_chat_template(turns, return_dict=False)
    return asked, whole


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    """Write rows as the drivers read them."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _pair(row: dict[str, Any], path: Path) -> dict[str, str]:
    if "instruction" in row:
        return {"prompt": "\n\n".join(filter(None, (row["instruction"], row.get("input")))), "answer": row["output"]}
    if "messages" in row:
        turns = [turn["content"] for turn in row["messages"] if turn["role"] != "system"]
        return {"prompt": turns[0], "answer": turns[1]}
    raise ValueError(f"{path}: rows need instruction and output, or messages; this one has {', '.join(row)}")


def _model(shape: str, rows: list[dict[str, str]], digest: str) -> Path:
    folder = report.cache() / f"{shape}-{digest}"
    if (folder / "ready").exists():
        return folder
    report.said(f"making the model {shape} in {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    _tokenizer(rows, min(LARGEST, SHAPES[shape]["vocab_size"] - SPARE)).save_pretrained(folder)
    make(shape).save_pretrained(folder)
    (folder / "ready").touch()
    return folder


def _tokenizer(rows: list[dict[str, str]], size: int) -> Any:
    """A byte-level BPE learned from the rows: the lengths of real rows without a download."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator((row["prompt"] + "\n" + row["answer"] for row in rows), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<|pad|>",
        eos_token="<|im_end|>",
        chat_template=TEMPLATE,
        model_max_length=8192,
    )
