"""Preference: a model learns which of two answers is the better one, or whether one answer is good."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

from pydantic import Field, model_validator

from tuneloop.errors import DataError, RecordError
from tuneloop.rows import Chat, Drop, Record
from tuneloop.rows import Preference as Pair
from tuneloop.tasks import Batch, Example, Question, Task, Tokens
from tuneloop.tasks._causal import Causal
from tuneloop.tasks._conversations import last_answer
from tuneloop.tasks._preference_rows import Answer, answers, longest, mismatched, shortened

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tuneloop.models import Tokenizer

READ_BY = {
    "label_smoothing": ("sigmoid", "robust", "simpo"),
    "simpo_gamma": ("simpo",),
    "rpo_alpha": ("sigmoid", "robust", "ipo", "simpo"),
    "desirable_weight": ("kto",),
    "undesirable_weight": ("kto",),
}
"""Options that only some losses read."""


@final
class Preference(Causal):
    """Learns from answers that people preferred to others: DPO, robust DPO, IPO, SimPO, ORPO or KTO.

    All but KTO learn from pairs, ``chosen`` and ``rejected``. KTO learns from single answers that were judged good or
    bad; a pair is one of each. The reference of DPO, IPO and KTO is the model as it is before its first step; its
    log-probabilities are computed once, before training, and kept in the store's cache.

    ``on_overlength`` with ``truncate`` leaves out the oldest turns of the prompt, then its beginning, for both answers
    alike. An answer is never cut.
    """

    on_overlength: Literal["drop", "truncate", "error"] = "drop"
    """What happens to a row whose longer answer with its prompt exceeds ``max_length``."""
    loss_type: Literal["sigmoid", "robust", "ipo", "simpo", "orpo", "kto"] = "sigmoid"
    """What is learned from a preference: ``sigmoid`` is DPO, ``robust`` DPO for labels that are often wrong; ``simpo``
    and ``orpo`` need no reference; ``kto`` learns from single answers."""
    beta: float = Field(0.1, gt=0)
    """How strongly the model is held to the reference (tau of IPO), scale of the reward (SimPO: 2 to 10), or weight of
    the odds ratio (lambda of ORPO)."""
    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    """Share of pairs whose label is thought to be wrong (``sigmoid``, ``robust``, ``simpo``)."""
    simpo_gamma: float = Field(0.5, ge=0)
    """By how much the reward of the chosen answer should be higher (``simpo``)."""
    rpo_alpha: float | None = Field(None, gt=0)
    """Weight of the chosen answer's mean loss beside the preference, so that its own probability does not fall
    (``sigmoid``, ``robust``, ``ipo``, ``simpo``)."""
    desirable_weight: float = Field(1.0, gt=0)
    """Weight of good answers (``kto``)."""
    undesirable_weight: float = Field(1.0, gt=0)
    """Weight of bad answers (``kto``)."""

    packs: ClassVar[bool] = True

    @model_validator(mode="after")
    def _acts(self) -> Preference:
        for option, losses in READ_BY.items():
            if getattr(self, option) != type(self).model_fields[option].default and self.loss_type not in losses:
                known = " and ".join([", ".join(losses[:-1]), losses[-1]] if len(losses) > 1 else losses)
                raise ValueError(
                    f"{option} cannot act with loss_type {self.loss_type}: only {known} read it; "
                    f"take {option} out, or choose another loss_type"
                )
        if self.loss_type == "robust" and self.label_smoothing == 0:
            raise ValueError("robust without label_smoothing is sigmoid: give it a share of wrong labels, such as 0.1")
        return self

    # --- rows ------------------------------------------------------------------------------------

    def encode(self, record: Record, tokenizer: Tokenizer, max_length: int) -> list[Example] | Drop:
        """Render the prompt with each answer; an example holds both, or with ``kto`` one."""
        content = record.content
        if not isinstance(content, Pair):
            reason = f"preference compares answers, these are {type(content).__name__.lower()} rows"
            return Drop(reason, self.name, record.origin, "use the task sft for conversations", record.id)
        if self.loss_type != "kto" and not (content.chosen and content.rejected):
            reason = f"only one answer, and loss_type {self.loss_type} compares two: write loss_type: kto"
            return Drop(reason, self.name, record.origin, id=record.id)
        try:
            found = answers(content, tokenizer)
            said = f"{longest(found)} tokens, max_length is {max_length}"
            too_long = longest(found) > max_length
            if too_long:
                if self.on_overlength == "error":
                    raise DataError(
                        f"a row is too long: {said}",
                        where=record.origin,
                        fix="raise train.max_length, or set task.preference.on_overlength to drop or truncate",
                    )
                found = shortened(content, tokenizer, max_length) if self.on_overlength == "truncate" else []
        except RecordError as error:
            return Drop(error.problems[0].what, self.name, record.origin, error.problems[0].where, record.id)
        if not found:
            return Drop("longer than max_length", self.name, record.origin, said, record.id)
        if self.loss_type == "kto":
            made = [_judged(answer, record) for answer in found]
        else:
            made = [_example([Tokens(answer.ids, answer.learn) for answer in found], record, ())]
        return [dataclasses.replace(example, cut=too_long) for example in made]

    def joined(self, examples: Iterable[Example], max_length: int) -> Iterator[Example]:
        """With ``kto``, give each example the answer to another row's prompt: the divergence is measured on these."""
        if self.loss_type != "kto":
            yield from examples
            return
        first: Example | None = None
        waiting: list[Example] = []
        for example in examples:
            if waiting and waiting[0].record != example.record:
                yield from (_with_other(one, example, max_length) for one in waiting)
                waiting = []
            first = first or example
            waiting.append(example)
        if first:
            yield from (_with_other(one, first, max_length) for one in waiting)

    def sequences(self, example: Example) -> tuple[Tokens, Tokens]:
        """The chosen and the rejected answer; with ``kto`` the judged one and that of another row."""
        end = example.marks[0]
        return Tokens(example.ids[:end], example.learn[:end]), Tokens(example.ids[end:], example.learn[end:])

    def collate(self, examples: Sequence[Example], pad: int) -> Batch:
        """Put the two sequences of each example in two rows, one below the other."""
        return dataclasses.replace(super().collate(examples, pad), supervised=len(examples))

    def pack(self, examples: Sequence[Example]) -> Batch:
        """Put the two sequences of each example one after the other in a single row."""
        return dataclasses.replace(super().pack(examples), supervised=len(examples))

    def question(self, record: Record, tokenizer: Tokenizer) -> Question | None:
        """Ask for an answer to the prompt; the chosen one is the right one."""
        content = record.content
        if isinstance(content, Chat):
            return last_answer(record, content.messages, content.tools, tokenizer)
        if isinstance(content, Pair) and content.chosen:
            return last_answer(record, (*content.prompt, content.chosen[0]), content.tools, tokenizer)
        return None

    # --- loss ------------------------------------------------------------------------------------

    def reference(self) -> Callable[[nn.Module, Batch], torch.Tensor] | None:
        """Log-probabilities of both sequences of every example, ``(examples, 2)``; None where the loss needs none."""
        from tuneloop.tasks._preference_model import REFERENCE_FREE, logps

        return None if self.loss_type in REFERENCE_FREE else lambda model, batch: logps(model, batch)[0].view(-1, 2)

    @property
    def term(self) -> str:
        """A pair, or with ``kto`` an answer."""
        return "answer" if self.loss_type == "kto" else "pair"

    def gauge(self) -> Callable[[nn.Module, Batch], torch.Tensor] | None:
        """With ``kto``, measure how far the model has gone from the reference."""
        from tuneloop.tasks._preference_model import divergence

        return divergence if self.loss_type == "kto" else None

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Sum of the losses of all pairs, or with ``kto`` of all judged answers."""
        from tuneloop.tasks._preference_model import judged_loss, paired_loss

        return judged_loss(self, model, batch) if self.loss_type == "kto" else paired_loss(self, model, batch)

    def figures(self, sums: Mapping[str, float]) -> dict[str, float]:
        """Mean rewards of chosen and rejected answers, their margin, and how often the right one is higher."""
        found: dict[str, float] = {}
        for side in ("chosen", "rejected"):
            if count := sums[side]:
                found[f"rewards/{side}"] = sums[f"rewards/{side}"] / count
                found[f"logps/{side}"] = sums[f"logps/{side}"] / count
        if "rewards/chosen" in found and "rewards/rejected" in found:
            found["rewards/margins"] = found["rewards/chosen"] - found["rewards/rejected"]
        found |= {name: sums[name] / sums["examples"] for name in MEANS if name in sums}
        return found

    def alternatives(self) -> dict[str, Task]:
        """Another ``beta``, and each option that the loss reads as if it were not given."""
        changes: list[tuple[str, Any]] = [("beta", 2 * self.beta)]
        for option, losses in READ_BY.items():
            default = type(self).model_fields[option].default
            if self.loss_type in losses and getattr(self, option) != default:
                changes.append((option, default))
        return {f"{option} {value}": self.model_copy(update={option: value}) for option, value in changes}

    def acts(self, values: Any) -> dict[str, Any]:
        """The options that the loss reads, and the mean log-probabilities of the reference that it used."""
        read = {option: getattr(self, option) for option, losses in READ_BY.items() if self.loss_type in losses}
        found = {"loss_type": self.loss_type, "beta": self.beta, **read}
        if values is not None:
            names = ("judged", "mismatched") if self.loss_type == "kto" else ("chosen", "rejected")
            means = values.mean(axis=0, dtype="float64").tolist()
            found["mean_reference_logps"] = dict(zip(names, means, strict=True))
        return found


MEANS = ("rewards/accuracies", "logps/accuracies", "kl")
"""Figures that are means over all terms."""


def _example(runs: Sequence[Tokens], record: Record, marks: tuple[int, ...]) -> Example:
    ids = tuple(id for run in runs for id in run.ids)
    learn = tuple(mark for run in runs for mark in run.learn)
    return Example(ids, learn, record.id, (len(runs[0].ids), *marks))


def _judged(answer: Answer, record: Record) -> Example:
    return _example([Tokens(answer.ids, answer.learn)], record, (int(answer.desirable),))


def _with_other(example: Example, other: Example, max_length: int) -> Example:
    both = mismatched(Tokens(example.ids, example.learn), Tokens(other.ids, other.learn), max_length)
    return dataclasses.replace(example, ids=example.ids + tuple(both.ids), learn=example.learn + tuple(both.learn))
