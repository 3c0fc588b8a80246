"""Text classification: which of a fixed set of labels a text has."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

from pydantic import Field, model_validator

from tuneloop.errors import DataError, RecordError
from tuneloop.rows import Chat, Drop, Labeled, Record
from tuneloop.tasks import Batch, Example, Objective, Question, Task
from tuneloop.tasks._labels import asked, found, ordered, shortened

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tuneloop.models import Base, Loaded, Tokenizer

UNKNOWN = "a label that no training row has"


@final
class TextClassification(Task):
    """Learns the label of a text, or of a conversation, whose label is its last answer.

    The base gets a new head of one logit for each label (``AutoModelForSequenceClassification``), which learns and is
    saved whole beside any adapter. Encoders (BERT) and decoders (Llama) serve alike; a decoder's label is read at the
    last token. The labels are those of the training rows, sorted, and are kept with the model; validation and test
    rows of another label are set aside from the loss, and count as mistakes in the evaluation.

    Formula:
        ``-w[label] * log softmax(logits)[label]``, the mean over rows. With ``class_weight: balanced`` a label weighs
        ``rows / (labels * rows of the label)``, so that the mean weight of the training rows is 1. An evaluation
        measures the plain cross-entropy.
    """

    term: ClassVar[str] = "label"

    on_overlength: Literal["truncate", "drop", "error"] = "truncate"
    """What happens to a row longer than ``max_length``: ``truncate`` keeps the beginning of a text, and the end of a
    conversation."""
    labels: list[str] | None = Field(None, min_length=2, examples=[["negative", "positive"]])
    """The labels in the order of their logits; by default those of the training rows, sorted. Where rows have integers,
    these are their names, 0 being the first: ``[negative, positive]``."""
    class_weight: Literal["balanced"] | dict[str, float] | None = None
    """How much the rows of a label weigh in the loss: ``balanced`` gives rare labels more, or a weight for each label,
    1 where there is none."""
    label_smoothing_factor: float = Field(0.0, ge=0, lt=1)
    """Share of each target that is spread evenly over all labels."""
    init_new_weights: Literal["normal", "xavier", "he"] = "normal"
    """How the layers of the new head begin: ``normal`` as transformers draws them, ``xavier`` or ``he`` evenly within
    bounds that keep the size of what goes through."""

    @model_validator(mode="after")
    def _distinct(self) -> TextClassification:
        known = self.labels
        if known is not None and len(set(known)) < len(known):
            twice = next(label for label, count in Counter(known).items() if count > 1)
            raise ValueError(f"the label {twice!r} stands twice in labels")
        if known is not None and isinstance(self.class_weight, dict) and (odd := set(self.class_weight) - set(known)):
            raise ValueError(f"class_weight names {sorted(odd)[0]!r}, which is none of the labels")
        return self

    @property
    def choices(self) -> tuple[str, ...]:
        """The labels; none before they are fitted."""
        return tuple(self.labels or ())

    def fitted(self, rows: Iterable[Record], known: Mapping[str, Any] | None = None) -> TextClassification:
        """Take the labels from the training rows, or those of the model that training goes on from.

        Raises:
            DataError: There are fewer than two labels, or ``class_weight`` names one that is not there.
        """
        labels = list(known["labels"]) if known and "labels" in known else self.labels
        counts = Counter(label for record in rows if (label := found(record.content, labels)) is not None)
        labels = labels or ordered(counts)
        if len(labels) < 2:
            raise DataError(
                f"the training rows have {'only the label ' + repr(labels[0]) if labels else 'no labels'}",
                where="data.sources",
                fix="give rows with a text and a label, such as text,label; rename with columns: {label: COLUMN}",
            )
        weight = self.class_weight
        if weight == "balanced":
            kept = {label: counts[label] for label in labels if counts[label]}
            total = sum(kept.values())
            weight = {label: total / (len(kept) * count) for label, count in kept.items()}
        if isinstance(weight, dict) and (odd := sorted(set(weight) - set(labels))):
            raise DataError(
                f"class_weight names {odd[0]!r}, which is none of the labels {', '.join(labels[:10])}",
                where="task.text_classification.class_weight",
                fix="spell it as the rows do",
            )
        return self.model_copy(update={"labels": labels, "class_weight": weight})

    def load(self, config: Any, folder: str | None, **options: Any) -> nn.Module:
        """Open ``AutoModelForSequenceClassification`` in fp32 with a head for the labels."""
        from tuneloop.models.classifier import open_classifier

        labels = self.choices or tuple(config.id2label.values())
        return open_classifier(config, folder, labels, init=self.init_new_weights, **options)

    def encode(self, record: Record, tokenizer: Tokenizer, max_length: int) -> list[Example] | Drop:
        """Make ids of the text, or of the conversation as the server would render it, and find the label's number."""
        content = record.content
        if not isinstance(content, Labeled | Chat):
            reason = f"text_classification learns labels, not {type(content).__name__.lower()} rows"
            return Drop(reason, self.name, record.origin, "give every text a label", record.id)
        label = found(content, self.labels)
        if label is None:
            return Drop("no label: a name, a whole number, or a last answer", self.name, record.origin, id=record.id)
        if label not in self.choices:
            return Drop(UNKNOWN, self.name, record.origin, label, record.id)
        try:
            ids = asked(content, tokenizer)
        except RecordError as error:
            return Drop(error.problems[0].what, self.name, record.origin, error.problems[0].where, record.id)
        if not ids:
            return Drop("the text is empty", self.name, record.origin, id=record.id)
        if len(ids) > max_length and self.on_overlength != "truncate":
            said = f"{len(ids)} tokens, max_length is {max_length}"
            if self.on_overlength == "error":
                raise DataError(
                    f"a row is too long: {said}",
                    where=record.origin,
                    fix="raise train.max_length, or set task.text_classification.on_overlength to truncate or drop",
                )
            return Drop("longer than max_length", self.name, record.origin, said, record.id)
        cut = len(ids) > max_length
        ids = shortened(ids, max_length, tokenizer, isinstance(content, Chat))
        learn = (0,) * (len(ids) - 1) + (1,)
        return [Example(tuple(ids), learn, record.id, (self.choices.index(label),), cut)]

    def collate(self, examples: Sequence[Example], pad: int) -> Batch:
        """Pad on the right; there is one supervised term for each row, its label."""
        return dataclasses.replace(super().collate(examples, pad), supervised=len(examples))

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Cross-entropy of every row's label, summed."""
        return self._loss(model, batch, None, 0.0)

    def objective(
        self,
        loaded: Loaded,
        *,
        others: Mapping[str, Base] | None = None,  # noqa: ARG002
        dtype: torch.dtype | None = None,  # noqa: ARG002
    ) -> Objective:
        """The cross-entropy with the weights and the smoothing of the recipe."""
        import torch

        weights = None
        if isinstance(self.class_weight, dict):
            weights = torch.tensor([self.class_weight.get(label, 1.0) for label in self.choices], device=loaded.device)
        smoothing = self.label_smoothing_factor
        return lambda model, batch: self._loss(model, batch, weights, smoothing if model.training else 0.0)

    def _loss(self, model: nn.Module, batch: Batch, weights: torch.Tensor | None, smoothing: float) -> torch.Tensor:
        from torch.nn.functional import cross_entropy

        from tuneloop.models.classifier import label_logits

        logits, labels = label_logits(model, batch.ids, batch.mask), batch.marks[:, 0]  # type: ignore[index]
        batch.figures["rows"] = batch.mask.new_tensor(len(labels))
        batch.figures["right"] = (logits.detach().argmax(-1) == labels).sum()
        batch.each[:] = [cross_entropy(logits.detach(), labels, weights, label_smoothing=smoothing, reduction="none")]
        return cross_entropy(logits, labels, weights, label_smoothing=smoothing, reduction="sum")

    def figures(self, sums: Mapping[str, float]) -> dict[str, float]:
        """The share of rows whose likeliest label is the right one."""
        return {"accuracy": sums["right"] / sums["rows"]} if sums.get("rows") else {}

    def acts(self, values: Any) -> dict[str, Any]:  # noqa: ARG002
        """The labels with their weights in the loss; ``weights.new_layers`` shows how the head began."""
        found = {"labels": list(self.choices), "class_weight": self.class_weight}
        return found | {"init_new_weights": self.init_new_weights}

    def question(self, record: Record, tokenizer: Tokenizer) -> Question | None:
        """Ask for the label; one that training did not know is asked for too, and is a mistake whatever is said."""
        content = record.content
        label = found(content, self.labels)
        if not isinstance(content, Labeled | Chat) or label is None:
            return None
        try:
            ids = asked(content, tokenizer)
        except RecordError:
            return None
        shown = content.text if isinstance(content, Labeled) else "\n".join(m.content for m in content.messages[:-1])
        return Question(record, tuple(ids), label, shown) if ids else None

    def choose(self, loaded: Loaded, questions: Sequence[Question], max_length: int) -> list[str]:
        """The likeliest label of each text."""
        from tuneloop.models.classifier import classify

        rows = self._read(loaded, questions, max_length)
        return [self.choices[label] for label in classify(loaded.model, rows, loaded.tokenizer.pad_id)]

    def chances(self, loaded: Loaded, questions: Sequence[Question], max_length: int) -> list[list[float]]:
        """The softmax of each text's logits."""
        from tuneloop.models import classifier

        return classifier.chances(loaded.model, self._read(loaded, questions, max_length), loaded.tokenizer.pad_id)

    def _read(self, loaded: Loaded, questions: Sequence[Question], max_length: int) -> list[list[int]]:
        """What the model reads of each text."""
        return [
            shortened(list(one.prompt), max_length, loaded.tokenizer, isinstance(one.record.content, Chat))
            for one in questions
        ]
