"""The variants of LoRA follow their papers, act where they say, and open again as they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.test_load import IDS, load, logits, sealed, stir, tuned
from tests.models.test_lora import adapted, llama, lora

from tuneloop.errors import TrainingError
from tuneloop.models import open_model, open_start
from tuneloop.models.adapters import Adapter
from tuneloop.parts import find
from tuneloop.store import Store

VARIANTS: list[dict[str, Any]] = [
    {"use_rslora": True},
    {"use_dora": True},
    {"init_lora_weights": "gaussian"},
    {"init_lora_weights": "pissa"},
    {"init_lora_weights": "olora"},
    {"init_lora_weights": "pissa", "use_rslora": True},
    {"init_lora_weights": "pissa", "use_dora": True},
    {
        "init_lora_weights": "pissa",
        "lora_dropout": 0.0,
        "target_modules": ["v_proj", "o_proj"],
        "layers_to_transform": [1],
    },
    {"modules_to_save": ["embed_tokens", "norm", "input_layernorm"]},
    {"modules_to_save": ["lm_head"]},
]
NAMES = ["-".join(f"{key}={value}" for key, value in variant.items()) for variant in VARIANTS]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def layer_of(model: Any, name: str = "q_proj") -> Any:
    return getattr(model.get_base_model().model.layers[0].self_attn, name)


def weight_of(layer: Any) -> torch.Tensor:
    """The weight that the layer acts with, base and adapter together."""
    product = layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    return layer.get_base_layer().weight + layer.scaling["default"] * product


def test_rslora_divides_by_the_root_of_the_rank() -> None:
    model: Any = lora(r=4, lora_alpha=6, use_rslora=True).attach(llama())
    assert layer_of(model).scaling["default"] == 6 / 4**0.5


def test_dora_scales_every_row_to_a_learned_length() -> None:
    torch.manual_seed(1)
    model: Any = lora(use_dora=True, lora_dropout=0).attach(llama())
    layer, x = layer_of(model), torch.randn(3, 16)
    length = layer.lora_magnitude_vector["default"].weight
    assert length.requires_grad
    torch.nn.init.normal_(layer.lora_B["default"].weight)
    torch.nn.init.uniform_(length)
    direction = weight_of(layer)
    rows = length[:, None] * direction / direction.norm(dim=1, keepdim=True)
    assert torch.allclose(layer(x), x @ rows.T, atol=1e-5)


def test_gaussian_draws_a_with_deviation_one_over_r() -> None:
    model: Any = lora(r=4, init_lora_weights="gaussian").attach(llama(hidden_size=512))
    layer = layer_of(model)
    assert layer.lora_A["default"].weight.std().item() == pytest.approx(1 / 4, rel=0.1)
    assert not layer.lora_B["default"].weight.any()


def test_pissa_starts_from_the_largest_singular_values() -> None:
    weight = llama().model.layers[0].self_attn.q_proj.weight.detach()
    u, s, v = torch.linalg.svd(weight)
    layer = layer_of(lora(init_lora_weights="pissa").attach(llama()))
    assert torch.allclose(layer.get_base_layer().weight, (u[:, 4:] * s[4:]) @ v[4:], atol=1e-5)
    assert torch.allclose(weight_of(layer), weight, atol=1e-6)


def test_olora_starts_from_an_orthonormal_basis() -> None:
    weight = llama().model.layers[0].self_attn.q_proj.weight.detach()
    layer = layer_of(lora(init_lora_weights="olora").attach(llama()))
    b = layer.lora_B["default"].weight
    assert torch.allclose(b.T @ b, torch.eye(4), atol=1e-5)
    assert torch.allclose(weight_of(layer), weight, atol=1e-6)


def test_pissa_fits_the_turned_matrices_of_gpt2_and_olora_says_that_it_does_not() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    base = GPT2LMHeadModel(GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=64)).eval()
    before = base(IDS % 64).logits
    with pytest.raises(TrainingError, match="olora"):
        lora(init_lora_weights="olora").attach(base)
    after = lora(init_lora_weights="pissa").attach(base).eval()(IDS % 64).logits
    assert torch.allclose(after, before, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS, ids=NAMES)
def test_every_variant_starts_at_the_base_and_opens_again_as_it_was_tuned(
    tiny_model: Path, store: Store, variant: dict[str, Any]
) -> None:
    fresh = load(store, tiny_model)
    base = logits(fresh)
    fresh.model = lora(**variant).attach(fresh.model).eval()
    assert torch.allclose(logits(fresh), base, atol=1e-5)
    loaded = tuned(load(store, tiny_model), lora(**variant))
    assert not torch.allclose(logits(loaded), base, atol=1e-3)
    model = sealed(loaded, store)
    assert (logits(open_model(model, store)) - logits(loaded)).abs().max() < 1e-5
    assert torch.equal(logits(open_model(model, store, adapter=False)), base)
    assert sealed(loaded, store).id == model.id, "saving changes nothing in the model"


@pytest.mark.parametrize("variant", VARIANTS, ids=NAMES)
def test_every_variant_goes_on_from_where_it_was(tiny_model: Path, store: Store, variant: dict[str, Any]) -> None:
    adapter = lora(**variant)
    model = sealed(tuned(load(store, tiny_model), adapter), store)
    going = open_start(model, adapter, store)
    going.model.eval()
    assert (logits(going) - logits(open_model(model, store))).abs().max() < 1e-5
    stir(going)
    again = sealed(going, store)
    assert (logits(open_model(again, store)) - logits(going)).abs().max() < 1e-5


@pytest.mark.parametrize("variant", VARIANTS, ids=NAMES)
def test_every_variant_can_be_merged_for_full_training(tiny_model: Path, store: Store, variant: dict[str, Any]) -> None:
    loaded = tuned(load(store, tiny_model), lora(**variant))
    full = open_start(sealed(loaded, store), find(Adapter, "full")(), store)
    full.model.eval()
    assert (logits(full) - logits(loaded)).abs().max() < 1e-4
    assert (logits(open_model(sealed(full, store), store)) - logits(full)).abs().max() < 1e-5


@pytest.mark.parametrize("name", ["pissa", "olora"])
def test_peft_alone_opens_what_was_taken_out_of_the_base(tiny_model: Path, store: Store, name: str) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    loaded = tuned(load(store, tiny_model), lora(init_lora_weights=name))
    model = sealed(loaded, store)
    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_model), model.weights).eval()
    assert (plain(IDS).logits - logits(loaded)).abs().max() < 1e-5
    config = json.loads((model.weights / "adapter_config.json").read_text())
    assert (config["r"], config["init_lora_weights"]) == (8, True)


def test_another_variant_is_not_gone_on_with(tiny_model: Path, store: Store) -> None:
    model = sealed(tuned(load(store, tiny_model), lora()), store)
    for other in ({"use_dora": True}, {"use_rslora": True}, {"modules_to_save": ["norm"]}):
        with pytest.raises(TrainingError, match=f"other options: {next(iter(other))}"):
            open_start(model, lora(**other), store)


def test_only_the_chosen_blocks_get_an_adapter() -> None:
    model = lora(layers_to_transform=[1]).attach(llama())
    assert len(adapted(model)) == 7
    assert all(name.startswith("model.layers.1.") for name in adapted(model))


@pytest.mark.parametrize("blocks", [[2], [-1]])
def test_a_block_that_is_not_there_is_refused(blocks: list[int]) -> None:
    with pytest.raises(TrainingError, match="the model has 2 blocks"):
        lora(layers_to_transform=blocks).attach(llama())


def test_blocks_without_a_target_are_refused() -> None:
    with pytest.raises(TrainingError, match="none of the layers"):
        lora(layers_to_transform=[0], target_modules=["layers.1.self_attn.q_proj"]).attach(llama())


def test_modules_that_learn_whole_are_the_named_ones_and_no_others() -> None:
    model = lora(modules_to_save=["norm", "embed_tokens"]).attach(llama())
    whole = {name for name, weight in model.named_parameters() if weight.requires_grad and "lora_" not in name}
    start, end = "base_model.model.model.", ".modules_to_save.default.weight"
    assert whole == {f"{start}norm{end}", f"{start}embed_tokens{end}"}


@pytest.mark.parametrize(("names", "said"), [(["wte"], "matches no module"), (["q_proj"], "learn whole, but")])
def test_modules_to_save_that_cannot_act_are_refused(names: list[str], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        lora(modules_to_save=names).attach(llama())


def test_receipts_are_read_from_the_layers() -> None:
    adapter: Any = lora(r=4, lora_alpha=6, use_rslora=True, use_dora=True, target_modules=["q_proj"])
    assert adapter.acts(adapter.attach(llama())) == {
        "layers": 2,
        "kinds": ["q_proj"],
        "rank": [4],
        "scale": [3.0],
        "dropout": [0.05],
        "lengths_learned": 2,
        "taken_from_base": 0,
        "explained_variance": None,
        "token_rows": {},
        "whole_modules": [],
    }


def test_pissa_says_what_it_took_from_the_base() -> None:
    adapter: Any = lora(init_lora_weights="pissa", target_modules=["q_proj"], modules_to_save=["model.norm"])
    said = adapter.acts(adapter.attach(llama()))
    assert (said["taken_from_base"], said["whole_modules"]) == (2, ["model.norm"])
