"""Classifiers: how a new head begins, that every adapter trains and saves it, and what is refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from tuneloop.errors import ModelError
from tuneloop.models import Loaded, find_base, load_base, open_model, open_start, save_model
from tuneloop.models.adapters import Adapter
from tuneloop.models.classifier import label_logits, open_classifier
from tuneloop.models.layers import classifier_head, linear_layers
from tuneloop.models.load import read_config
from tuneloop.models.merge import merged
from tuneloop.models.section import ModelSection
from tuneloop.parts import find
from tuneloop.store import Model, Store
from tuneloop.tasks import Task

LABELS = ["ham", "odd", "spam"]
ADAPTERS: list[tuple[str, dict[str, Any]]] = [
    ("lora", {"lora_dropout": 0.0}),
    ("lora", {"use_dora": True, "lora_dropout": 0.0, "modules_to_save": ["word_embeddings"]}),
    ("freeze", {"freeze_trainable_layers": 1}),
    ("full", {}),
]


def task(**options: Any) -> Task:
    return find(Task, "text_classification").model_validate({"labels": LABELS, **options})


def opened(folder: Path, store: Store, what: Task, **section: Any) -> Loaded:
    given = ModelSection(base=str(folder), **section)
    base = find_base(given, folder=folder, store=store)
    return load_base(base, given, what, device=torch.device("cpu"), seed=3)


def sealed(loaded: Loaded, store: Store, key: str = "k") -> Model:
    with store.draft() as folder:
        return store.seal(Model, folder, parents={}, key=key, facts=save_model(loaded, folder / "model"))


def moved(loaded: Loaded, adapter: Adapter) -> Loaded:
    """The model with an adapter whose every learning weight was moved."""
    loaded.model = adapter.attach(loaded.model)
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in loaded.model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.05)
    loaded.model.eval()
    return loaded


def logits(model: Any) -> torch.Tensor:
    ids = torch.tensor([[7, 8, 9, 10], [11, 12, 0, 0]])
    with torch.no_grad():
        return label_logits(model, ids, (ids != 0).long())


@pytest.mark.parametrize(("init", "bound"), [("xavier", (6 / (32 + 3)) ** 0.5), ("he", (6 / 32) ** 0.5)])
@pytest.mark.parametrize("random", [False, True])
def test_a_new_head_begins_within_the_bounds_of_its_scheme(
    tiny_encoder: Path, init: Any, bound: float, random: bool
) -> None:
    config = read_config(tiny_encoder)
    torch.manual_seed(0)
    model: Any = open_classifier(config, None if random else str(tiny_encoder), LABELS, init=init)
    assert model.new_modules == ["classifier", "bert.pooler"]
    weight = model.classifier.weight.detach()
    assert 0.8 * bound < float(weight.abs().max()) <= bound
    assert float(weight.std()) == pytest.approx(bound / 3**0.5, rel=0.25)
    assert not model.classifier.bias.any()


def test_the_pretrained_weights_are_those_of_the_base(tiny_encoder: Path) -> None:
    from transformers import AutoModel

    model: Any = open_classifier(read_config(tiny_encoder), str(tiny_encoder), LABELS)
    plain = AutoModel.from_pretrained(tiny_encoder, add_pooling_layer=False)
    for name, weight in plain.named_parameters():
        assert torch.equal(model.bert.get_parameter(name), weight), name
    assert model.config.id2label == dict(enumerate(LABELS))


def test_a_head_for_the_same_labels_is_kept_and_any_other_is_drawn_anew(tiny_encoder: Path, tmp_path: Path) -> None:
    first: Any = open_classifier(read_config(tiny_encoder), str(tiny_encoder), LABELS)
    first.save_pretrained(tmp_path)
    kept: Any = open_classifier(read_config(tmp_path), str(tmp_path), LABELS)
    assert kept.new_modules == []
    assert torch.equal(kept.classifier.weight, first.classifier.weight)
    for labels in (["spam", "odd", "ham"], ["a", "b", "c", "d"]):
        other: Any = open_classifier(read_config(tmp_path), str(tmp_path), labels)
        assert other.new_modules == ["classifier"]
        assert other.classifier.out_features == len(labels)
        assert not torch.equal(other.classifier.weight[:3], first.classifier.weight)
        assert torch.equal(other.bert.pooler.dense.weight, first.bert.pooler.dense.weight)
    with pytest.raises(ModelError, match="cannot act"):
        open_classifier(read_config(tmp_path), str(tmp_path), LABELS, init="he")


def test_weights_that_lack_more_than_the_head_are_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    folder = tmp_path / "torn"
    shutil.copytree(tiny_encoder, folder)
    tensors = load_file(folder / "model.safetensors")
    del tensors["bert.encoder.layer.1.output.dense.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lack 1 tensors .* bert\.encoder\.layer\.1\.output"):
        open_classifier(read_config(folder), str(folder), LABELS)


def small(kind: str, **options: Any) -> Any:
    """A tiny configuration of a family."""
    import transformers

    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    return getattr(transformers, kind)(vocab_size=200, max_position_embeddings=64, **{**sizes, **options})


FAMILIES = [
    ("RobertaForMaskedLM", "RobertaConfig", {"pad_token_id": 0}, ["classifier"], 63),
    ("DistilBertForMaskedLM", "DistilBertConfig", {"dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 4}, None, 64),
    ("DebertaV2ForMaskedLM", "DebertaV2Config", {}, ["pooler", "classifier"], 64),
    ("ModernBertForMaskedLM", "ModernBertConfig", {"pad_token_id": 0}, ["classifier"], 64),
    ("GPT2LMHeadModel", "GPT2Config", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}, ["score"], 64),
    ("Gemma3ForCausalLM", "Gemma3TextConfig", {"num_key_value_heads": 2, "head_dim": 8}, ["score"], 64),
]


@pytest.mark.parametrize(("architecture", "kind", "options", "new", "context"), FAMILIES, ids=lambda value: str(value))
def test_families_get_a_head_that_is_saved_and_does_not_see_padding(
    architecture: str,
    kind: str,
    options: dict[str, Any],
    new: list[str] | None,
    context: int,
    tiny_encoder: Path,
    tmp_path: Path,
) -> None:
    import shutil

    import transformers

    from tuneloop.models.generate import context_length

    folder, store = tmp_path / "base", Store(tmp_path / "store")
    shutil.copytree(tiny_encoder, folder, ignore=shutil.ignore_patterns("config.json", "*.safetensors"))
    getattr(transformers, architecture)(small(kind, **options)).save_pretrained(folder)
    loaded = opened(folder, store, task(init_new_weights="he"))
    assert loaded.model.new_modules == (new or ["pre_classifier", "classifier"])
    assert context_length(loaded) == context
    loaded = moved(loaded, find(Adapter, "lora")(r=2, lora_dropout=0.0))
    expected = logits(loaded.model)
    with torch.no_grad():
        alone = label_logits(loaded.model, torch.tensor([[11, 12]]), torch.tensor([[1, 1]]))
        full = torch.full((1, context), 9)
        assert label_logits(loaded.model, full, torch.ones_like(full)).isfinite().all()
    torch.testing.assert_close(alone, expected[1:], rtol=1e-4, atol=1e-5)
    assert torch.equal(logits(open_model(sealed(loaded, store), store).model), expected)


@pytest.mark.parametrize("base", ["tiny_model", "tiny_encoder"])
def test_the_head_gets_no_adapter_of_its_own(base: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    loaded = opened(request.getfixturevalue(base), Store(tmp_path), task())
    head = classifier_head(loaded.model)
    assert head == (["score"] if base == "tiny_model" else ["classifier", "bert.pooler"])
    assert not any(name.startswith(tuple(head)) for name in linear_layers(loaded.model))
    assert len(linear_layers(loaded.model)) == (14 if base == "tiny_model" else 12)


@pytest.mark.parametrize(("adapter", "options"), ADAPTERS, ids=lambda value: str(value))
@pytest.mark.parametrize("base", ["tiny_model", "tiny_encoder"])
def test_what_was_learned_opens_again_head_included(
    base: str, adapter: str, options: dict[str, Any], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if base == "tiny_model" and "modules_to_save" in options:
        options = {**options, "modules_to_save": ["embed_tokens"]}
    store = Store(tmp_path)
    loaded = moved(opened(request.getfixturevalue(base), store, task()), find(Adapter, adapter)(**options))
    learning = [name for name, weight in loaded.model.named_parameters() if weight.requires_grad]
    inner: Any = loaded.model
    for name in classifier_head(inner.get_base_model() if adapter == "lora" else inner):
        assert any(name.split(".")[-1] in each for each in learning), name
    expected = logits(loaded.model)
    model = sealed(loaded, store)
    assert model.facts["labels"] == LABELS
    again = open_model(model, store)
    assert torch.equal(logits(again.model), expected)
    plain = merged(again.model)
    torch.testing.assert_close(logits(plain), expected, rtol=1e-4, atol=1e-5)
    assert plain.config.get_text_config().pad_token_id == again.tokenizer.pad_id


def test_an_adapter_opens_with_peft_alone(tiny_encoder: Path, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    store = Store(tmp_path)
    loaded = moved(opened(tiny_encoder, store, task()), find(Adapter, "lora")(lora_dropout=0.0))
    expected = logits(loaded.model)
    model = sealed(loaded, store)
    base = AutoModelForSequenceClassification.from_pretrained(tiny_encoder, num_labels=3)
    found = logits(PeftModel.from_pretrained(base, model.weights).eval())
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_training_goes_on_from_a_classifier_with_its_head(tiny_model: Path, tmp_path: Path, adapter: str) -> None:
    store = Store(tmp_path)
    part = find(Adapter, adapter)()
    loaded = moved(opened(tiny_model, store, task()), part)
    model = sealed(loaded, store)
    going = open_start(model, part, store, device=torch.device("cpu"))
    assert torch.equal(logits(going.model.eval()), logits(loaded.model))
    assert {n for n, w in going.model.named_parameters() if w.requires_grad} == {
        n for n, w in loaded.model.named_parameters() if w.requires_grad
    }


def test_a_tuned_language_model_of_the_store_can_be_the_base_of_a_classifier(tiny_model: Path, tmp_path: Path) -> None:
    store = Store(tmp_path)
    sft = find(Task, "sft")()
    tuned = moved(opened(tiny_model, store, sft), find(Adapter, "lora")(lora_dropout=0.0))
    language = sealed(tuned, store, "language")
    base = find_base(ModelSection(base=language.id), folder=tmp_path, store=store)
    loaded = load_base(base, ModelSection(base=language.id), task(), device=torch.device("cpu"), seed=3)
    with torch.no_grad():
        ids = torch.tensor([[7, 8, 9, 10]])
        expected = tuned.model.get_base_model().model(input_ids=ids).last_hidden_state
        found = loaded.model.model(input_ids=ids).last_hidden_state  # type: ignore[operator, union-attr]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    again = moved(loaded, find(Adapter, "lora")(lora_dropout=0.0))
    expected = logits(again.model)
    model = sealed(again, store, "classifier")
    assert torch.equal(logits(open_model(model, store).model), expected)


def test_a_classifier_writes_no_answers(tiny_encoder: Path, tmp_path: Path) -> None:
    from tuneloop.models.session import Session

    loaded = opened(tiny_encoder, Store(tmp_path), task())
    with pytest.raises(ModelError, match="chooses among labels") as caught:
        Session(loaded)
    assert "text-classification" in caught.value.problems[0].fix


def test_new_tokens_learn_beside_a_new_head(tiny_model: Path, tmp_path: Path) -> None:
    store = Store(tmp_path)
    loaded = opened(tiny_model, store, task(), new_special_tokens=["<|topic|>"])
    new = loaded.tokenizer.hf.convert_tokens_to_ids("<|topic|>")
    loaded = moved(loaded, find(Adapter, "lora")(lora_dropout=0.0))
    ids = torch.tensor([[7, new, 9]])
    with torch.no_grad():
        expected = label_logits(loaded.model, ids, torch.ones_like(ids))
        again = open_model(sealed(loaded, store), store).model
        assert torch.equal(label_logits(again, ids, torch.ones_like(ids)), expected)


def test_a_family_without_a_classifier_is_refused(tiny_model: Path) -> None:
    config = copy.deepcopy(read_config(tiny_model))

    class Odd(type(config)):  # type: ignore[misc]
        """A configuration that transformers has no classifier for."""

    with pytest.raises(ModelError, match="no classifier of the family llama"):
        open_classifier(Odd(**config.to_dict()), None, LABELS)
