"""Models open as they were saved; what does not fit together is said, never guessed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tuneloop.errors import ModelError, TrainingError
from tuneloop.models import Loaded, find_base, load_base, open_model, open_start, save_model
from tuneloop.models.adapters import Adapter
from tuneloop.models.section import ModelSection
from tuneloop.parts import find
from tuneloop.store import Model, Store
from tuneloop.tasks import Task

IDS = torch.tensor([[5, 6, 7, 8]])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "base"))


def lora(**options: Any) -> Adapter:
    return find(Adapter, "lora")(**{"r": 4, "lora_dropout": 0.0, **options})


def full() -> Adapter:
    return find(Adapter, "full")()


def load(store: Store, folder: Path | str, seed: int = 0, **options: Any) -> Loaded:
    section = ModelSection(base=str(folder), **options)
    return load_base(find_base(section, folder=Path(), store=store), section, find(Task, "sft")(), seed=seed)


def sealed(loaded: Loaded, store: Store) -> Model:
    with store.draft() as draft:
        (draft / "model").mkdir()
        facts = save_model(loaded, draft / "model")
        return store.seal(Model, draft, parents={}, key="k", facts=facts)


def tuned(loaded: Loaded, adapter: Adapter) -> Loaded:
    """Attach an adapter and move every weight that learns a little."""
    loaded.model = adapter.attach(loaded.model)
    stir(loaded)
    return loaded


def stir(loaded: Loaded) -> None:
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in loaded.model.parameters():
            if weight.requires_grad:
                weight += 0.05 * torch.randn_like(weight)
    loaded.model.eval()


def logits(loaded: Loaded) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = loaded.model(IDS).logits
    return found


def test_weights_are_fp32_even_if_saved_in_bf16(folder: Path, store: Store) -> None:
    weights = {name: value.bfloat16() for name, value in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert {p.dtype for p in load(store, folder).model.parameters()} == {torch.float32}


def test_random_weights_follow_from_the_seed(folder: Path, store: Store) -> None:
    one, same, other = (logits(load(store, folder, seed, init="random")) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_the_same_seed_gives_the_same_adapter(folder: Path, store: Store) -> None:
    one, two = (lora().attach(load(store, folder, 7).model).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_missing_tensors_are_refused_not_made_up(folder: Path, store: Store) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"model\.norm\.weight"):
        load(store, folder)


def test_a_configuration_of_another_size_is_refused(folder: Path, store: Store) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 96}))
    with pytest.raises(ModelError, match="cannot be opened"):
        load(store, folder)


@pytest.mark.parametrize("change", [{"model_type": "no-such-family"}, {"hidden_size": "many"}])
def test_a_configuration_that_cannot_be_used_is_refused(folder: Path, store: Store, change: dict[str, Any]) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(ModelError, match="configuration cannot be used"):
        load(store, folder)


def test_damaged_weights_are_refused(folder: Path, store: Store) -> None:
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelError, match="cannot be opened"):
        load(store, folder)


def test_a_tokenizer_larger_than_the_model_is_refused(folder: Path, store: Store) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": 300}))
    weights = load_file(folder / "model.safetensors")
    weights["model.embed_tokens.weight"] = weights["model.embed_tokens.weight"][:300].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="only 300 rows"):
        load(store, folder)


def test_a_tuned_model_without_its_adapter_is_its_base(folder: Path, store: Store) -> None:
    base = logits(load(store, folder))
    for adapter in (lora(), full()):
        model = sealed(tuned(load(store, folder), adapter), store)
        assert torch.equal(logits(open_model(model, store, adapter=False)), base)
        assert not torch.equal(logits(open_model(model, store)), base)


def test_opened_for_use_nothing_needs_gradients(folder: Path, store: Store) -> None:
    opened = open_model(sealed(tuned(load(store, folder), lora()), store), store)
    assert not opened.model.training
    assert not any(p.requires_grad for p in opened.model.parameters())


def test_facts_say_what_was_trained(folder: Path, store: Store) -> None:
    facts = sealed(tuned(load(store, folder), lora()), store).facts
    assert facts["form"] == "adapter"
    assert facts["base"]["digest"] == find_base(ModelSection(base=str(folder)), folder=Path(), store=store).digest
    assert 0 < facts["trainable"] < facts["parameters"]


def test_the_same_training_gives_the_same_bytes(folder: Path, store: Store) -> None:
    one, two = (sealed(tuned(load(store, folder), lora()), store) for _ in range(2))
    assert one.id == two.id
    names = json.loads((one.weights / "adapter_config.json").read_text())["target_modules"]
    assert names == sorted(names)  # PEFT keeps a set, whose order changes from process to process


def test_generation_settings_name_every_end_token(folder: Path, store: Store) -> None:
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": 0}))
    model = sealed(tuned(load(store, folder), lora()), store)
    saved = json.loads((model.weights / "generation_config.json").read_text())
    assert set(saved["eos_token_id"]) == {0, 2}


def test_peft_alone_opens_the_adapter(folder: Path, store: Store) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    loaded = tuned(load(store, folder), lora())
    model = sealed(loaded, store)
    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder), model.weights).eval()
    assert torch.equal(plain(IDS).logits, logits(loaded))


def test_a_base_that_has_changed_is_refused(folder: Path, store: Store) -> None:
    model = sealed(tuned(load(store, folder), lora()), store)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "rope_theta": 1.0}))
    with pytest.raises(ModelError, match="has changed since"):
        open_model(model, store)


def test_a_base_that_is_gone_is_named(folder: Path, store: Store) -> None:
    model = sealed(tuned(load(store, folder), lora()), store)
    shutil.rmtree(folder)
    with pytest.raises(ModelError, match="there is no base model"):
        open_model(model, store)


def test_a_missing_adapter_file_is_named(folder: Path, store: Store) -> None:
    model = sealed(tuned(load(store, folder), lora()), store)
    (model.weights / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"adapter_model\.safetensors"):
        open_model(model, store)


@pytest.mark.parametrize("first", ["lora", "full"])
def test_a_tuned_model_can_be_the_base_of_the_next(folder: Path, store: Store, first: str) -> None:
    below = sealed(tuned(load(store, folder), lora() if first == "lora" else full()), store)
    on_top = load(store, below.id)
    torch.testing.assert_close(logits(on_top), logits(open_model(below, store)), rtol=1e-5, atol=1e-5)
    loaded = tuned(on_top, lora(r=2))
    model = sealed(loaded, store)
    assert torch.equal(logits(open_model(model, store)), logits(loaded))
    assert loaded.base.config_folder == (folder.resolve() if first == "lora" else below.weights)


def test_an_adapter_goes_on_being_trained(folder: Path, store: Store) -> None:
    start = sealed(tuned(load(store, folder), lora()), store)
    going = open_start(start, lora(), store)
    assert going.model.training
    learns = {name for name, p in going.model.named_parameters() if p.requires_grad}
    assert learns
    assert all("lora_" in name for name in learns)
    stir(going)
    model = sealed(going, store)
    assert model.id != start.id
    assert torch.equal(logits(open_model(model, store)), logits(going))


@pytest.mark.parametrize("other", [{"r": 8}, {"lora_alpha": 3}, {"target_modules": ["q_proj"]}])
def test_an_adapter_with_other_options_is_not_gone_on_with(folder: Path, store: Store, other: dict[str, Any]) -> None:
    start = sealed(tuned(load(store, folder), lora()), store)
    with pytest.raises(TrainingError, match=next(iter(other))):
        open_start(start, lora(**other), store)


def test_full_training_of_an_adapted_model_starts_at_its_logits(folder: Path, store: Store) -> None:
    start = sealed(tuned(load(store, folder), lora()), store)
    going = open_start(start, full(), store)
    torch.testing.assert_close(logits(going), logits(open_model(start, store)), rtol=1e-5, atol=1e-5)
    model = sealed(going, store)
    assert not model.is_adapter
    assert torch.equal(logits(open_model(model, store)), logits(going))


def test_an_adapter_on_a_fully_trained_model_has_that_model_as_its_base(folder: Path, store: Store) -> None:
    start = sealed(tuned(load(store, folder), full()), store)
    going = open_start(start, lora(), store)
    stir(going)
    model = sealed(going, store)
    assert model.facts["base"]["artifact"] == start.id
    assert torch.equal(logits(open_model(model, store)), logits(going))


def test_tied_embeddings_stay_tied_and_are_counted_once(folder: Path, store: Store) -> None:
    loaded = tuned(load(store, folder), full())
    model = sealed(loaded, store)
    assert "lm_head.weight" not in load_file(model.weights / "model.safetensors")
    again = open_model(model, store).model
    assert again.get_output_embeddings().weight is again.get_input_embeddings().weight  # type: ignore[operator]
    assert model.facts["parameters"] == sum(p.numel() for p in again.parameters())


@pytest.mark.parametrize("adapter", [lora, full])
def test_saving_writes_nothing_to_the_terminal(
    folder: Path, store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str], adapter: Any
) -> None:
    from transformers.utils import logging

    loaded = tuned(load(store, folder), adapter())
    logging.enable_progress_bar()
    capfd.readouterr()
    save_model(loaded, tmp_path / "out")
    assert capfd.readouterr() == ("", "")
