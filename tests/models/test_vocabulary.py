"""New tokens: one id each from then on, rows that learn at both ends, and nothing else of the vocabulary changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.models.conftest import FAMILIES
from tests.models.test_load import full, load, lora, sealed, stir, tuned

from tuneloop.errors import ModelError, TrainingError
from tuneloop.models import Loaded, find_base, open_model, open_start
from tuneloop.models.adapters import Adapter
from tuneloop.models.merge import merged
from tuneloop.models.section import ModelSection
from tuneloop.models.vocabulary import ends, new_token_ids
from tuneloop.parts import find
from tuneloop.rows import Message
from tuneloop.store import Store

FEW: dict[str, Any] = {"new_tokens": ["<call>", "zweifelsohne"], "new_special_tokens": ["<|tool|>"]}
MANY: dict[str, Any] = {"new_tokens": [f"<t{index}>" for index in range(70)]}
BOTH_ENDS = {"modules_to_save": ["embed_tokens", "lm_head"]}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def logits(loaded: Loaded, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = loaded.model(torch.tensor([[5, *ids, 7]])).logits
    return found


def options(folder: Path) -> dict[str, Any]:
    return BOTH_ENDS if folder.name.startswith("phi0") else {}


def test_each_family_learns_their_rows_and_opens_and_merges_exactly(family: Path, store: Store) -> None:
    learns_and_opens_and_merges(family, store, FEW)


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen2"], indirect=True)
def test_a_network_that_has_no_rows_in_reserve_grows(family: Path, store: Store) -> None:
    learns_and_opens_and_merges(family, store, MANY)


def learns_and_opens_and_merges(family: Path, store: Store, asked: dict[str, Any]) -> None:
    loaded = load(store, family, **asked)
    new = new_token_ids(loaded.model)
    before = {name: end.weight.detach().clone() for name, end in ends(loaded.model).items()}
    loaded = tuned(loaded, lora(**options(family)))
    wanted = logits(loaded, new)
    model = sealed(loaded, store)
    opened = open_model(model, store)
    assert torch.equal(logits(opened, new), wanted)
    going = open_start(model, lora(**options(family)), store)
    going.model.eval()
    assert torch.equal(logits(going, new), wanted)
    plain = merged(opened.model)
    opened.model = plain
    assert (logits(opened, new) - wanted).abs().max() < 1e-4
    if not options(family):
        old = torch.ones(len(next(iter(before.values()))), dtype=torch.bool)
        old[new] = False
        for name, end in ends(plain).items():
            assert torch.equal(end.weight[old], before[name][old]), "rows of old tokens stay"
            assert not torch.isclose(end.weight[new], before[name][new]).all()


@pytest.mark.parametrize("tied", [True, False])
def test_they_begin_as_the_mean_of_the_tokens_before(
    tmp_path: Path, store: Store, tiny_model: Path, tied: bool
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    if not tied:
        base.config.tie_word_embeddings = False
        base.lm_head.weight = torch.nn.Parameter(torch.randn_like(base.lm_head.weight))
    base.save_pretrained(tmp_path / "base")
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(tmp_path / "base")
    loaded = load(store, tmp_path / "base", **MANY)
    new = new_token_ids(loaded.model)
    model: Any = loaded.model
    assert model.config.vocab_size == max(new) + 1 == len(loaded.tokenizer.hf)
    assert (model.lm_head.weight is model.model.embed_tokens.weight) == tied
    for end in (model.model.embed_tokens, model.lm_head):
        assert torch.allclose(end.weight[new], end.weight[: new[0]].mean(0).expand(len(new), -1))


def test_a_token_is_one_id_with_or_without_being_shown(tiny_model: Path, store: Store) -> None:
    tokenizer = load(store, tiny_model, **FEW).tokenizer
    ids = tokenizer.text_ids("so<call>and<|tool|>")
    assert len([id for id in ids if id in tokenizer.hf.convert_tokens_to_ids(["<call>", "<|tool|>"])]) == 2
    assert tokenizer.decode(ids) == "so<call>and"


def test_what_is_saved_opens_with_the_same_ids(tiny_model: Path, store: Store) -> None:
    loaded = tuned(load(store, tiny_model, **FEW), lora())
    opened = open_model(sealed(loaded, store), store)
    turns = (Message("user", "a <call> b"), Message("assistant", "zweifelsohne<|tool|>"))
    assert opened.tokenizer.chat_ids(turns) == loaded.tokenizer.chat_ids(turns)
    assert opened.tokenizer.end_ids == loaded.tokenizer.end_ids
    assert opened.tokenizer.digest == loaded.tokenizer.digest


def test_the_template_may_end_answers_with_a_new_token(tiny_model: Path, store: Store, tmp_path: Path) -> None:
    template = tmp_path / "template.jinja"
    template.write_text(
        "{% for m in messages %}{{ '<s' ~ m.role ~ '>' ~ m.content ~ '<|done|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<sassistant>' }}{% endif %}"
    )
    asked = {"new_special_tokens": ["<|done|>"], "chat_template": str(template)}
    tokenizer = load(store, tiny_model, **asked).tokenizer
    assert tokenizer.turn_end_id == tokenizer.hf.convert_tokens_to_ids("<|done|>")


def test_the_adapter_holds_the_rows_alone(tiny_model: Path, store: Store) -> None:
    model = sealed(tuned(load(store, tiny_model, **MANY), lora()), store)
    shapes = {
        name: tuple(value.shape) for name, value in load_file(model.weights / "adapter_model.safetensors").items()
    }
    rows = [shape for name, shape in shapes.items() if "embed" in name or "lm_head" in name]
    assert rows == [(70, 32)]


def test_the_whole_model_can_learn_with_them(tiny_model: Path, store: Store) -> None:
    loaded = tuned(load(store, tiny_model, **MANY), full())
    new = new_token_ids(loaded.model)
    model = sealed(loaded, store)
    assert torch.equal(logits(open_model(model, store), new), logits(loaded, new))
    on_top = open_start(model, lora(), store)
    stir(on_top)
    again = sealed(on_top, store)
    assert torch.equal(logits(open_model(again, store), new), logits(on_top, new))
    assert again.facts["model"]["new_tokens"] == [], "the base below has them by now"


def test_a_tuned_model_with_new_tokens_can_be_a_base_with_more(tiny_model: Path, store: Store) -> None:
    loaded = tuned(load(store, tiny_model, **FEW), lora())
    new = new_token_ids(loaded.model)
    more = load(store, sealed(loaded, store).id, new_tokens=["<more>"])
    assert new_token_ids(more.model) == [max(new) + 1]
    assert (logits(more, new)[..., : max(new) + 1] - logits(loaded, new)[..., : max(new) + 1]).abs().max() < 1e-4


def test_a_token_that_is_there_already_is_refused(tiny_model: Path, store: Store) -> None:
    with pytest.raises(ModelError, match="already") as caught:
        load(store, tiny_model, new_special_tokens=["<|im_end|>"])
    assert caught.value.problems[0].where == "model.new_special_tokens"
    with pytest.raises(ValueError, match="twice"):
        ModelSection(base="b", new_tokens=["a", "a"])
    with pytest.raises(ValueError, match="blanks"):
        ModelSection(base="b", new_tokens=[" a"])


def test_rows_that_would_not_learn_are_refused(tiny_model: Path, store: Store) -> None:
    with pytest.raises(TrainingError, match="learn nothing"):
        find(Adapter, "freeze")().attach(load(store, tiny_model, **FEW).model)
    freeze = find(Adapter, "freeze")(freeze_extra_modules=["embed_tokens"])
    assert freeze.attach(load(store, tiny_model, **FEW).model)
    with pytest.raises(TrainingError, match="one end only"):
        lora(modules_to_save=["embed_tokens"]).attach(load(store, tiny_model, **FEW).model)
    with pytest.raises(TrainingError, match="eva cannot look"):
        lora(init_lora_weights="eva").attach(load(store, tiny_model, **FEW).model)


@pytest.mark.parametrize("family", [name for name in FAMILIES if name == "phi"], indirect=True)
def test_a_head_with_a_bias_is_refused_where_rows_learn_alone(family: Path, store: Store) -> None:
    with pytest.raises(TrainingError, match="bias"):
        lora().attach(load(store, family, **FEW).model)


def test_a_start_without_what_the_recipe_asks_for_is_refused(tiny_model: Path, store: Store) -> None:
    model = sealed(tuned(load(store, tiny_model), lora()), store)
    with pytest.raises(TrainingError, match="has no token '<call>'"):
        open_start(model, lora(), store, section=ModelSection(base=str(tiny_model), new_tokens=["<call>"]))
    with pytest.raises(TrainingError, match="quantization"):
        open_start(model, lora(), store, section=ModelSection(base=str(tiny_model), quantization="load_in_4bit"))


def test_only_the_rows_of_new_tokens_get_a_gradient(tiny_model: Path, store: Store) -> None:
    loaded = load(store, tiny_model, **FEW)
    model: Any = lora().attach(loaded.model)
    learning = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    (rows,) = [weight for name, weight in learning.items() if "lora_" not in name]
    assert rows.shape == (3, 32)
    ids = torch.tensor([[5, *new_token_ids(model), 7]])
    model(ids).logits.square().mean().backward()
    assert rows.grad is not None
    assert rows.grad.abs().sum(dim=1).min() > 0


def test_the_base_is_named_by_its_files_not_by_the_tokens(tiny_model: Path, store: Store) -> None:
    plain, more = (
        find_base(ModelSection(base=str(tiny_model), **asked), folder=Path(), store=store) for asked in ({}, FEW)
    )
    assert plain.digest == more.digest
