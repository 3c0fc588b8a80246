"""New: the text of a commented recipe to begin with, for a user's own rows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneloop.recipe.written import flow
from tuneloop.store.naming import name_from
from tuneloop.tasks import LEARNED_BY


def named(data: str) -> str:
    """Make a recipe's name from the path of its rows.

    Example:
        >>> named("data/My FAQ.jsonl.gz")
        'My-FAQ'
    """
    return name_from(Path(data).resolve().name.split(".")[0])


def starter(
    data: str,
    *,
    folder: Path,
    base: str,
    name: str,
    kind: str = "chat",
    columns: Mapping[str, str] | None = None,
    label: str = "",
) -> str:
    """Write a recipe that trains on some rows, with the options that people change first.

    Args:
        data: File, folder or glob of rows, or ``hf://owner/name``.
        folder: Where the recipe will stand: its paths start from there.
        base: The base model.
        name: The recipe's name.
        kind: What the rows are (``chat``, ``text``, ``preference``, ``labeled``, ``fields``): it decides the task.
        columns: The names that a format expects, with the columns of the file that hold them.
        label: The column of a table that is to be learned; without it the rows are learned as running text.

    Example:
        >>> from tuneloop.recipe.load import check
        >>> from tuneloop.recipe.written import parse
        >>> text = starter("faq.jsonl", folder=Path(), base="embedded", name="faq")
        >>> check(parse(text, "faq.yaml")).name
        'faq'
    """
    source = data if "://" in data else os.path.relpath(data, folder)
    asked: dict[str, Any] = {"path": source}
    if label:
        asked["format"] = {"table": {"label": label}}
    if columns:
        asked["columns"] = dict(columns)
    transforms = "[normalize, length, duplicates]"
    if kind == "fields":
        kind = "labeled" if label else "text"
        transforms = _TABLE.format(to=kind) + ("" if label else _UNLABELED)
    task, metrics = _TASKS[LEARNED_BY.get(kind, "sft")]
    return _TEXT.format(
        name=flow(name),
        source=flow([asked if len(asked) > 1 else source]),
        transforms=transforms,
        base=flow(base),
        task=task,
        metrics=metrics,
    )


_TASKS = {
    "sft": (
        "{sft: {learn_from: assistant}}  # learn the answers; `preference` learns which answer is better",
        "[exact_match, token_f1, rouge_l, chrf]",
    ),
    "pretrain": ("pretrain  # learn running text; rows with questions and answers are for `sft`", "[]"),
    "preference": (
        "{preference: {loss_type: sigmoid, beta: 0.1}}  # learn which answer is better (DPO)",
        "[token_f1, rouge_l, chrf]",
    ),
    "text_classification": ("text_classification  # learn the label; the classes are found in the rows", "[accuracy]"),
}

_TABLE = "[trim, missing, numbers, dates, duplicates, {{render: {{to: {to}}}}}]"
_UNLABELED = """
  # The rows are a table, written as running text. To learn one of its columns: tuneloop new FILE --label COLUMN
  # (sources: [{path: FILE, format: {table: {label: COLUMN}}}], render: {to: labeled}, task: text_classification)"""

_TEXT = """\
# A recipe: one file for the whole life of a model. Only data.sources and model.base must be given.
#   tuneloop check FILE      show it with every default
#   tuneloop explain PATH    what an option does, such as: tuneloop explain train.adapter.lora.r
#   tuneloop run FILE        prepare, train, evaluate, export, release
name: {name}
seed: 42

data:
  sources: {source}        # files, folders or globs; the format of the rows is recognised
  transforms: {transforms}
  split: {{validation: 0.1, test: 0.1}}  # held out: for watching the training, and for the final score

model:
  base: {base}        # a folder, a Hugging Face name, or embedded: the small model of the package

task: {task}

train:
  adapter: {{lora: {{r: 8, lora_alpha: 16}}}}  # `full` trains every weight
  optimizer: {{adamw: {{learning_rate: 2e-4}}}}
  batch: {{size: 16}}        # rows a step; less memory: add per_device_train_batch_size
  num_train_epochs: 3
  max_length: 1024         # tokens of the longest row
  stop: {{patience: 3}}      # stop when the held-out loss no longer falls

evaluate:
  metrics: {metrics}
  samples: 5               # rows shown with base and tuned answer
"""
