"""Labels of texts and conversations: how they are found and fitted, what the model reads, and the loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.errors import DataError
from tuneloop.models import Loaded, find_base, load_base
from tuneloop.models.section import ModelSection
from tuneloop.models.tokenizer import Tokenizer
from tuneloop.parts import find
from tuneloop.rows import Chat, Drop, Labeled, Message, Record, Text
from tuneloop.store import Store
from tuneloop.tasks import Example, Task


def task(**options: Any) -> Any:
    return find(Task, "text_classification").model_validate(options)


def row(text: str, label: Any) -> Record:
    return Record.of(Labeled(text, label), origin="rows.csv:7")


FOOD = [row("good food", "pos"), row("bad food", "neg"), row("nice food", "pos"), row("fair food", "meh")] * 3


@pytest.fixture(scope="module")
def words(tiny_encoder: Path) -> Tokenizer:
    return Tokenizer.load(tiny_encoder)


def encode(what: Task, record: Record, tokenizer: Tokenizer, max_length: int = 64) -> Example:
    found = what.encode(record, tokenizer, max_length)
    assert isinstance(found, list), found
    return found[0]


def opened(folder: Path, what: Task, store: Path) -> Loaded:
    base = find_base(ModelSection(base=str(folder)), folder=folder, store=Store(store))
    loaded = load_base(base, ModelSection(base=str(folder)), what, device=torch.device("cpu"))
    loaded.model.eval()
    return loaded


# --- labels --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "labels"),
    [
        (["b", "a", "b"], ["a", "b"]),
        ([10, 9, 10], ["9", "10"]),
        ([True, False], ["False", "True"]),
        ([1.0, 0.0], ["0", "1"]),
        (["spam ", "ham"], ["ham", "spam"]),
        ([2, "other"], ["2", "other"]),
    ],
)
def test_labels_are_those_of_the_rows_in_a_fixed_order(given: list[Any], labels: list[str]) -> None:
    what = task().fitted([row(f"text {place}", label) for place, label in enumerate(given)])
    assert what.labels == labels
    assert task().fitted([row("x", label) for label in reversed(given)]).labels == labels


def test_whole_numbers_get_the_names_of_the_recipe(words: Tokenizer) -> None:
    what = task(labels=["negative", "positive"]).fitted([row("a", 1), row("b", 0)])
    assert what.choices == ("negative", "positive")
    assert encode(what, row("good", 1), words).marks == (1,)
    assert encode(what, row("good", "1"), words).marks == (1,)
    assert encode(what, row("good", "positive"), words).marks == (1,)
    assert isinstance(what.encode(row("good", 2), words, 64), Drop)


def test_a_fitted_task_survives_yaml_and_is_what_a_model_keeps() -> None:
    what = task(class_weight="balanced").fitted(FOOD)
    ((name, options),) = what.spelled().items()
    assert find(Task, name).model_validate(options) == what
    assert task().fitted([], {"labels": ["z", "a"]}).choices == ("z", "a")


def test_one_label_or_none_is_refused_before_training() -> None:
    with pytest.raises(DataError, match="only the label 'pos'"):
        task().fitted([row("a", "pos"), row("b", "pos")])
    with pytest.raises(DataError, match="no labels"):
        task().fitted([Record.of(Text("a"), origin="t:1")])


def test_balanced_weights_are_those_of_the_formula_and_weigh_one_in_the_mean() -> None:
    weight = task(class_weight="balanced").fitted(FOOD).class_weight
    assert weight == {"meh": 12 / (3 * 3), "neg": 12 / (3 * 3), "pos": 12 / (3 * 6)}
    assert sum(weight[record.content.label] for record in FOOD) / len(FOOD) == pytest.approx(1)  # type: ignore[union-attr]
    with pytest.raises(DataError, match="'posh', which is none of the labels"):
        task(class_weight={"posh": 2.0}).fitted(FOOD)
    with pytest.raises(ValueError, match="stands twice"):
        task(labels=["a", "a"])


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (row("good", "unheard of"), "a label that no training row has"),
        (row("good", 0.37), "no label"),
        (Record.of(Text("good"), origin="t:1"), "not text rows"),
        (Record.of(Chat((Message("user", "good"),)), origin="t:1"), "no label"),
    ],
)
def test_a_row_without_a_known_label_is_set_aside_with_the_reason(
    words: Tokenizer, record: Record, reason: str
) -> None:
    drop = task().fitted(FOOD).encode(record, words, 64)
    assert isinstance(drop, Drop)
    assert reason in drop.reason
    assert (drop.step, drop.origin) == ("text_classification", record.origin)


def test_an_unknown_label_is_asked_for_all_the_same(words: Tokenizer) -> None:
    question = task().fitted(FOOD).question(row("good", "unheard of"), words)
    assert question is not None
    assert question.reference == "unheard of"


# --- ids -----------------------------------------------------------------------------------------


def test_a_text_is_read_as_its_tokenizer_reads_it(words: Tokenizer) -> None:
    example = encode(task().fitted(FOOD), row("good food", "pos"), words)
    assert list(example.ids) == words.hf("good food")["input_ids"]
    assert (example.marks, sum(example.learn)) == ((2,), 1)


def test_a_conversation_is_read_up_to_its_last_answer_which_is_the_label(tiny_tokenizer: Path) -> None:
    tokenizer = Tokenizer.load(tiny_tokenizer)
    turns = (
        Message("system", "is it about foxes?"),
        Message("user", "the quick brown fox"),
        Message("assistant", "yes"),
    )
    record = Record.of(Chat(turns), origin="c:1")
    what = task(labels=["no", "yes"])
    example = encode(what, record, tokenizer, 512)
    assert list(example.ids) == tokenizer.chat_ids(turns[:2], generation=True)
    assert example.marks == (1,)
    short = encode(what, record, tokenizer, 10)
    assert short.ids == example.ids[-10:]


@given(st.text(st.sampled_from("abc xyz 019"), min_size=1, max_size=200), st.integers(4, 30))
@settings(max_examples=60, deadline=None)
def test_a_long_text_is_cut_as_transformers_cuts_it(tiny_encoder: Path, text: str, length: int) -> None:
    words = Tokenizer.load(tiny_encoder)
    found = task().fitted(FOOD).encode(row(text, "pos"), words, length)
    expected = words.hf(text, truncation=True, max_length=length)["input_ids"]
    assert isinstance(found, list)
    assert list(found[0].ids) == expected


def test_too_long_is_dropped_or_an_error_where_the_recipe_says_so(words: Tokenizer) -> None:
    long = row("good " * 40, "pos")
    drop = task(on_overlength="drop").fitted(FOOD).encode(long, words, 20)
    assert isinstance(drop, Drop)
    assert drop.reason == "longer than max_length"
    with pytest.raises(DataError, match="max_length is 20"):
        task(on_overlength="error").fitted(FOOD).encode(long, words, 20)


def test_no_row_ends_with_the_id_of_padding(tiny_tokenizer: Path) -> None:
    tokenizer = Tokenizer.load(tiny_tokenizer)
    example = encode(task().fitted(FOOD), row("fox<|pad|> dog<|pad|><|pad|>", "pos"), tokenizer)
    assert example.ids[-1] != tokenizer.pad_id
    assert tokenizer.pad_id in example.ids


# --- loss ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["tiny_model", "tiny_encoder"])
def test_the_loss_is_that_of_transformers_and_padding_changes_nothing(
    base: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    what = task().fitted(FOOD)
    loaded = opened(request.getfixturevalue(base), what, tmp_path / "store")
    rows = [row("good food " * count, label) for count, label in ((1, "pos"), (7, "neg"), (3, "meh"))]
    examples = [encode(what, each, loaded.tokenizer) for each in rows]
    batch = what.collate(examples, loaded.tokenizer.pad_id)
    assert batch.supervised == 3
    loss = what.loss(loaded.model, batch)
    alone = sum(
        loaded.model(input_ids=torch.tensor([each.ids]), labels=torch.tensor([each.marks[0]])).loss for each in examples
    )
    torch.testing.assert_close(loss, alone, rtol=1e-5, atol=1e-5)
    logits = loaded.model(input_ids=batch.ids, attention_mask=batch.mask).logits
    right = int((logits.argmax(-1) == torch.tensor([2, 1, 0])).sum())
    assert what.figures({name: float(value) for name, value in batch.figures.items()}) == {"accuracy": right / 3}


def test_a_decoder_that_knows_another_padding_reads_the_wrong_token(tiny_model: Path, tmp_path: Path) -> None:
    what = task().fitted(FOOD)
    loaded = opened(tiny_model, what, tmp_path / "store")
    rows = [row("good food " * count, "pos") for count in (1, 7)]
    batch = what.collate([encode(what, each, loaded.tokenizer) for each in rows], loaded.tokenizer.pad_id)
    right = what.loss(loaded.model, batch)
    loaded.model.config.pad_token_id = 5
    assert abs(what.loss(loaded.model, batch) - right) > 1e-4


@pytest.mark.parametrize("weight", [None, "balanced", {"pos": 3.0}])
def test_training_weighs_labels_and_smooths_targets_as_torch_does(
    weight: Any, tiny_encoder: Path, tmp_path: Path
) -> None:
    what = task(class_weight=weight, label_smoothing_factor=0.2).fitted(FOOD)
    loaded = opened(tiny_encoder, what, tmp_path / "store")
    batch = what.collate([encode(what, each, loaded.tokenizer) for each in FOOD[:4]], loaded.tokenizer.pad_id)
    logits = loaded.model(input_ids=batch.ids, attention_mask=batch.mask).logits
    weights = torch.tensor([(what.class_weight or {}).get(label, 1.0) for label in what.choices])
    labels = torch.tensor([2, 1, 2, 0])
    for module in loaded.model.modules():
        module.training = module is loaded.model  # in training mode, but nothing is dropped
    expected = torch.nn.functional.cross_entropy(logits, labels, weights, label_smoothing=0.2, reduction="sum")
    torch.testing.assert_close(what.objective(loaded)(loaded.model, batch), expected)
    plain = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
    torch.testing.assert_close(what.loss(loaded.model, batch), plain)


def test_the_likeliest_label_is_chosen_whatever_stands_beside(tiny_model: Path, tmp_path: Path) -> None:
    what = task().fitted(FOOD)
    loaded = opened(tiny_model, what, tmp_path / "store")
    rows = [row("good food " * (1 + count % 7), "pos") for count in range(40)]
    asked = [question for each in rows if (question := what.question(each, loaded.tokenizer))]
    chosen = what.choose(loaded, asked, 64)
    alone = [what.choose(loaded, [question], 64)[0] for question in asked]
    assert chosen == alone
    assert not loaded.model.training
