"""Facts: figures of the rows and of the model that do not change over a run, told once at step 0."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.models.generate import context_length
from tuneloop.models.layers import vocabulary_size
from tuneloop.models.quantized import weights
from tuneloop.rows import Record
from tuneloop.training.encoded import Encoded
from tuneloop.training.signals.answers import marked, stopped_short
from tuneloop.training.signals.kinship import kinship, near_seen
from tuneloop.training.signals.own_template import compared
from tuneloop.training.signals.terms import labels

if TYPE_CHECKING:
    from tuneloop.models import Loaded, Tokenizer
    from tuneloop.store import Dataset
    from tuneloop.training.loop import Learner

LOOKED_AT = 1000
"""Examples of a split whose texts are looked at, evenly spaced."""


def facts(learner: Learner, loaded: Loaded, dataset: Dataset) -> dict[str, float]:
    """What is known before the first step.

    Args:
        learner: Ready to learn.
        loaded: Its model.
        dataset: Where the rows came from.
    """
    found: dict[str, float] = {}
    seen: set[bytes] = set()
    for split, rows in (("train", learner.train), ("validation", learner.validation)):
        if not len(rows):
            continue
        prints = _prints(rows)
        told = _of_rows(rows, loaded.tokenizer) | {"repeated": 1 - len(set(prints)) / len(prints)}
        if learner.task.term != "token" or learner.task.choices:
            told = {name: value for name, value in told.items() if name not in ("ended", "unfinished")}
        told |= _of_texts(dataset, split, rows)
        if split == "validation":
            told["seen"] = sum(each in seen for each in prints) / len(prints)
            if learner.task.term == "token" and not learner.task.choices:
                told["near_seen"] = near_seen(learner.train, rows)
        seen.update(prints)
        if split == "train":
            told |= kinship(rows, learner.task)
        found |= {f"data/{split}/{name}": value for name, value in told.items()}
    found |= _of_model(learner, loaded)
    return found | (compared(learner, loaded, dataset) if found.get("template/own") == 0 else {})


def _of_rows(rows: Encoded, tokenizer: Tokenizer) -> dict[str, float]:
    """Figures of the tokens of a split."""
    account = rows.account()
    labelled = labels(rows)
    ends = labelled & np.isin(rows.ids, list(tokenizer.end_ids))
    begins = rows.ends - rows.lengths
    ended = np.logical_or.reduceat(ends, begins).mean()
    told = {"rows": account["used"], "ended": float(ended), "cut": rows.cut / len(rows)}
    told |= {name: account[name] for name in ("examples", "tokens", "learned_tokens")}
    short = stopped_short(_answers(rows, labelled, tokenizer))
    return told | ({"unfinished": short} if short is not None else {})


def _answers(rows: Encoded, labelled: np.ndarray, tokenizer: Tokenizer) -> Iterable[str]:
    """The last answers of some examples, as text."""
    for index in np.linspace(0, len(rows) - 1, min(len(rows), LOOKED_AT)).astype(int).tolist():
        end = int(rows.ends[index])
        begin = end - rows.length(index)
        marks = labelled[begin:end]
        last = len(marks) - int(marks[::-1].argmax())
        first = last - int((~marks[:last][::-1]).argmax())
        yield tokenizer.decode(rows.ids[begin + first : begin + last].tolist())


def _of_texts(dataset: Dataset, split: str, rows: Encoded) -> dict[str, float]:
    """Figures of the texts of a split."""
    used = set(rows.records)
    step = max(1, len(rows) // LOOKED_AT)
    texts: Iterable[Record] = (record for record in dataset.records(split) if record.id in used)
    found = [marked(record.content) for record in islice(texts, 0, None, step)]
    return {"markers": sum(found) / len(found)} if found else {}


def _of_model(learner: Learner, loaded: Loaded) -> dict[str, float]:
    model: Any = loaded.model
    config = model.config.get_text_config(decoder=True)
    context = context_length(loaded)
    told: dict[str, float | None] = {
        "model/vocabulary": vocabulary_size(model),
        "model/layers": getattr(config, "num_hidden_layers", None),
        "model/parameters": weights(model),
        "model/trained": sum(weight.numel() for weight in learner.weights),
        "model/context": context,
        "template/own": _own_template(loaded),
    }
    return {name: value for name, value in told.items() if value is not None}


def _own_template(loaded: Loaded) -> float | None:
    """1 where the chat template came with the model, 0 where another took its place; None where it came with none."""
    folder = loaded.base.folder
    said = folder / "tokenizer_config.json"
    came = (folder / "chat_template.jinja").exists() or (
        said.is_file() and '"chat_template"' in said.read_text("utf-8")
    )
    return None if not came else float(loaded.section.chat_template is None)


def _prints(rows: Encoded) -> list[bytes]:
    """A fingerprint of what each example's tokens are."""
    ends: Collection[int] = rows.ends.tolist()
    begins = (rows.ends - rows.lengths).tolist()
    return [blake2b(rows.ids[a:b].tobytes(), digest_size=8).digest() for a, b in zip(begins, ends, strict=True)]
