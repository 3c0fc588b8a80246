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
SPECIAL = ["<|pad|>", "<|im_start|>", "<|im_end|>", "<|endoftext|>"]
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen2 cuts text into words. Versions of transformers put it in place of whatever a tokenizer with a Qwen2 model
says; with another one the tools would learn different ids of the same rows."""
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


def gather(
    rows: Path, shape: str, *, count: int, held_out: int, length: int, device: str = "cpu", dtype: str = "float32"
) -> Material:
    """Choose rows that fit, and make tokenizer and model where they are not there yet.

    Args:
        rows: File of rows.
        shape: A key of ``bench.shapes.SHAPES``.
        count: Rows to learn.
        held_out: Rows to be judged by.
        length: Tokens of the longest row; longer ones are not taken, so that no tool has to cut.
        device: Where the weights are drawn.
        dtype: What they are saved as.

    Raises:
        ValueError: There are too few rows.
    """
    every = read_rows(rows)
    made_of = rows.read_bytes() + WORDS.encode() + "".join(SPECIAL).encode()
    kind = "" if (device, dtype) == ("cpu", "float32") else f"-{device}-{dtype}"
    folder = report.cache() / f"{shape}{kind}-{hashlib.sha256(made_of).hexdigest()[:16]}"
    model = _model(shape, every, folder, device, dtype)
    return choose(model, every, count=count, held_out=held_out, length=length, source=rows.name)


def choose(
    model: Path, every: list[dict[str, str]], *, count: int, held_out: int, length: int, source: str
) -> Material:
    """Choose the first rows that fit, for a model that is there.

    Raises:
        ValueError: There are too few rows.
    """
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
            return Material(model, chosen[:count], chosen[count:], lengths, supervised, source)
    raise ValueError(f"{source} has {len(chosen)} rows of at most {length} tokens, {count + held_out} are needed")


def ours_first(rows: list[dict[str, str]], seed: int) -> list[dict[str, str]]:
    """Rows placed so that our shuffling learns them in the given order; the peers take theirs as they stand."""
    from tuneloop.training.batches import order

    placed: list[dict[str, str]] = [{}] * len(rows)
    for row, place in zip(rows, order(len(rows), seed=seed, epoch=0).tolist(), strict=True):
        placed[place] = row
    return placed


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


def _model(shape: str, rows: list[dict[str, str]], folder: Path, device: str, dtype: str) -> Path:
    if (folder / "ready").exists():
        return folder
    report.said(f"making the model {shape} in {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    _tokenizer(rows, min(LARGEST, SHAPES[shape]["vocab_size"] - SPARE)).save_pretrained(folder)
    config = folder / "tokenizer_config.json"
    facts = json.loads(config.read_text(encoding="utf-8")) | {"tokenizer_class": "Qwen2Tokenizer"}
    config.write_text(json.dumps(facts, indent=2), encoding="utf-8")
    make(shape, device, dtype).save_pretrained(folder)
    (folder / "ready").touch()
    return folder


def _tokenizer(rows: list[dict[str, str]], size: int) -> Any:
    """A byte-level BPE learned from the rows: the lengths of real rows without a download."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC()
    words = pre_tokenizers.Split(Regex(WORDS), behavior="isolated")
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [words, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
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
