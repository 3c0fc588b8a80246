"""Toxicity: rows that a local classifier finds toxic are set aside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, final

from pydantic import Field

from tuneloop.data.contents import texts
from tuneloop.data.transforms import Transform
from tuneloop.errors import DataError
from tuneloop.rows import Drop, Record

BATCH = 32


class _Judge(NamedTuple):
    """A classifier, its tokenizer, and the places of the labels that count."""

    model: Any
    tokenizer: Any
    places: list[int]
    limit: int


@final
class Toxicity(Transform):
    """Runs a text classifier of transformers from a folder over every text of a row; nothing is downloaded.

    The scores of the model's labels are taken as it was trained: each for itself where it has several labels a text
    (``problem_type: multi_label_classification``), else as shares of one.
    """

    rowwise: ClassVar[bool] = True

    model: str
    """Folder with the classifier and its tokenizer, relative to the recipe."""
    labels: list[str] = Field(["toxic"], min_length=1)
    """The model's labels that count; a text is toxic if the score of any of them is too high."""
    above: float = Field(0.8, ge=0, lt=1)
    """Score above which a text is toxic."""

    def reads(self) -> tuple[str, ...]:
        """The classifier's folder."""
        return (self.model,)

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Judge the rows in batches; long texts are cut at what the model can take.

        Raises:
            DataError: The folder holds no classifier, or none with these labels.
        """
        waiting = iter(records)
        while batch := list(islice(waiting, BATCH)):
            owners = [(at, text) for at, record in enumerate(batch) for text in texts(record.content) if text.strip()]
            worst = [0.0] * len(batch)
            for (at, _), score in zip(owners, self._scores([text for _, text in owners]), strict=True):
                worst[at] = max(worst[at], score)
            for record, score in zip(batch, worst, strict=True):
                if score > self.above:
                    self.tally["toxic"] += 1
                    yield Drop("toxic", self.name, record.origin, f"score {score:.2f}", record.id)
                else:
                    yield record

    def _scores(self, said: list[str]) -> Iterator[float]:
        """The highest score of the labels that count, for each text."""
        import torch

        model, tokenizer, places, limit = self._judge
        for start in range(0, len(said), BATCH):
            piece = said[start : start + BATCH]
            given = tokenizer(piece, return_tensors="pt", padding=True, truncation=True, max_length=limit)
            with torch.inference_mode():
                logits = model(**given).logits.float()
            several = model.config.problem_type == "multi_label_classification" or logits.shape[-1] == 1
            scores = logits.sigmoid() if several else logits.softmax(-1)
            yield from scores[:, places].max(-1).values.tolist()

    @cached_property
    def _judge(self) -> _Judge:
        folder = self.place.folder / Path(self.model).expanduser()
        if not (folder / "config.json").is_file():
            raise DataError(
                f"there is no classifier in {self.model}",
                where="toxicity.model",
                fix="give a folder with config.json, model.safetensors and tokenizer.json of a text classifier",
            )
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True).eval()
        known = {str(label): int(place) for place, label in model.config.id2label.items()}
        if missing := [label for label in self.labels if label not in known]:
            raise DataError(
                f"the classifier has no label {missing[0]!r}",
                where="toxicity.labels",
                fix=f"name some of its labels: {', '.join(known)}",
            )
        limit = min(getattr(model.config, "max_position_embeddings", 512), tokenizer.model_max_length, 512)
        return _Judge(model, tokenizer, [known[label] for label in self.labels], limit)
