"""A quantised base has the paper's values and the exact gradient; what was learned beside it merges exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.test_load import full, load, logits, sealed, stir, tuned
from tests.models.test_lora import llama, lora
from torch import Tensor

from tuneloop.errors import MissingPackage, TrainingError
from tuneloop.models import find_base, open_model, open_start
from tuneloop.models.adapters import Adapter
from tuneloop.models.assess import assess
from tuneloop.models.merge import merged, on_plain
from tuneloop.models.quantized import proof, quantize, quantized_layers, weights
from tuneloop.models.quantizers import Quantizer
from tuneloop.models.section import ModelSection
from tuneloop.models.vocabulary import new_token_ids
from tuneloop.parts import find
from tuneloop.store import Store
from tuneloop.tasks import Task

pytest.importorskip("bitsandbytes", reason="needs bitsandbytes: pip install 'tuneloop[quant]'")

CPU = torch.device("cpu")
IDS = torch.arange(24).view(2, 12) % 64
WAYS: dict[str, dict[str, Any]] = {
    "nf4": {"load_in_4bit": {}},
    "nf4-single": {"load_in_4bit": {"bnb_4bit_use_double_quant": False}},
    "fp4": {"load_in_4bit": {"bnb_4bit_quant_type": "fp4"}},
    "int8": {"load_in_8bit": {}},
}
# Dettmers et al., QLoRA, 2023, appendix E.
NF4 = [
    -1.0,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0.0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1.0,
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> dict[str, Any]:
    return WAYS[request.param]


def quantizer(way: dict[str, Any]) -> Quantizer:
    ((name, options),) = way.items()
    return find(Quantizer, name)(**options)


def rounded(weight: Tensor, way: dict[str, Any]) -> Tensor:
    """The matrix that a quantised layer computes with."""
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight.data = weight.clone()
    found: Tensor = quantizer(way).quantize(layer).matrix(torch.float32)  # type: ignore[operator]
    return found


def learner(way: dict[str, Any], **options: Any) -> Any:
    """A quantised model with a LoRA that does something."""
    base: Any = llama(hidden_size=64, intermediate_size=128)
    quantize(base, quantizer(way), CPU)
    torch.manual_seed(1)
    model = lora(lora_dropout=0.0, **options).attach(base)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.1)
    return model


def test_nf4_rounds_to_the_nearest_of_the_papers_values() -> None:
    torch.manual_seed(0)
    weight = torch.randn(64, 64)
    blocks = weight.view(-1, 64)
    scale = blocks.abs().amax(dim=1, keepdim=True)
    values = torch.tensor(NF4)
    nearest = values[(blocks[..., None] / scale[..., None] - values).abs().argmin(dim=-1)] * scale
    found = rounded(weight, WAYS["nf4-single"]).view(-1, 64)
    assert (found - nearest).abs().max() < 1e-6


def test_double_quantisation_moves_each_block_by_less_than_a_percent() -> None:
    torch.manual_seed(0)
    weight = torch.randn(256, 256)
    one, two = rounded(weight, WAYS["nf4-single"]), rounded(weight, WAYS["nf4"])
    assert not torch.equal(one, two)
    assert (one - two).abs().max() < 0.01 * one.abs().max()


def test_int8_is_off_by_half_a_step_of_each_row_at_most() -> None:
    torch.manual_seed(0)
    weight = torch.randn(32, 48)
    step = weight.abs().amax(dim=1, keepdim=True) / 127
    assert ((rounded(weight, WAYS["int8"]) - weight).abs() <= 0.5001 * step).all()


def test_the_gradient_is_that_of_plain_lora_on_the_rounded_weights(way: dict[str, Any]) -> None:
    model = learner(way)
    model(IDS).logits.square().mean().backward()
    ours = {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}
    plain = on_plain(model)
    assert not quantized_layers(plain)
    plain(IDS).logits.square().mean().backward()
    theirs = {name: weight.grad for name, weight in plain.named_parameters() if weight.requires_grad}
    assert ours.keys() == theirs.keys()
    for name, gradient in ours.items():
        assert (gradient - theirs[name]).norm() <= 1e-5 * theirs[name].norm(), name


def test_training_evaluation_and_training_again_compute_the_same(way: dict[str, Any]) -> None:
    model = learner(way)
    first = model.train()(IDS).logits
    with torch.no_grad():
        asked = model.eval()(IDS).logits
    again = model.train()(IDS).logits
    assert torch.equal(first, asked)
    assert torch.equal(first, again)
    again.square().mean().backward()
    assert all(weight.grad is not None for weight in model.parameters() if weight.requires_grad)


def test_the_adapter_merges_into_the_weights_it_was_trained_beside(way: dict[str, Any]) -> None:
    model = learner(way).eval()
    wanted = model(IDS).logits
    plain = merged(model)
    assert (plain(IDS).logits - wanted).abs().max() < 1e-5
    assert not quantized_layers(plain)
    assert {weight.dtype for weight in plain.parameters()} == {torch.float32}


@pytest.mark.parametrize("options", [{"use_dora": True}, {"use_rslora": True}, {"init_lora_weights": "gaussian"}])
def test_variants_that_leave_the_matrices_alone_merge_exactly_too(way: dict[str, Any], options: dict[str, Any]) -> None:
    model = learner(way, **options).eval()
    wanted = model(IDS).logits
    assert (merged(model)(IDS).logits - wanted).abs().max() < 1e-5


def test_what_learns_whole_beside_it_merges_too_unless_it_is_quantised(tiny_model: Path, store: Store) -> None:
    whole = {"modules_to_save": ["embed_tokens", "lm_head", "norm"]}
    asked = {"quantization": "load_in_4bit", "new_tokens": ["<call>"]}
    for options in (whole, {}):
        loaded = tuned(load(store, tiny_model, **asked), lora(**options))
        new = new_token_ids(loaded.model)
        ids = torch.tensor([[5, *new, 7]])
        wanted = loaded.model(ids).logits
        opened = open_model(sealed(loaded, store), store)
        assert torch.equal(opened.model(ids).logits, wanted)
        assert (merged(opened.model)(ids).logits - wanted).abs().max() < 1e-4
    with pytest.raises(TrainingError, match="quantised"):
        lora(target_modules=["q_proj"], modules_to_save=["v_proj"]).attach(load(store, tiny_model, **asked).model)


def test_embeddings_head_norms_and_biases_stay_in_full(way: dict[str, Any]) -> None:
    model: Any = llama(attention_bias=True, tie_word_embeddings=False)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    quantize(model, quantizer(way), CPU)
    for name, weight in model.named_parameters():
        if weight.is_floating_point():
            assert torch.equal(weight, before[name]), name
        else:
            assert name.endswith("proj.weight")
    assert len(quantized_layers(model)) == 14


def test_the_turned_matrices_of_gpt2_are_quantised_too(way: dict[str, Any]) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    model: Any = GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=1, n_head=2, vocab_size=64)).eval()
    before = model(IDS).logits
    quantize(model, quantizer(way), CPU)
    after = model(IDS).logits
    assert len(quantized_layers(model)) == 4
    assert 0 < (after - before).abs().max() < before.abs().max()
    adapted: Any = lora().attach(model).eval()
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.1)
    wanted = adapted(IDS).logits
    plain = merged(adapted)
    assert (plain(IDS).logits - wanted).abs().max() < 1e-5
    again: Any = GPT2LMHeadModel(model.config).eval()
    again.load_state_dict(plain.state_dict())
    assert (again(IDS).logits - wanted).abs().max() < 1e-5, "the file has them turned again"


def test_the_proof_is_read_from_the_tensors(way: dict[str, Any]) -> None:
    model: Any = llama(hidden_size=256, intermediate_size=512)
    count = weights(model)
    quantize(model, quantizer(way), CPU)
    found = proof(model)
    assert found is not None
    assert weights(model) == count
    bits = {"nf4": 4.13, "nf4-single": 4.5, "fp4": 4.13, "int8": 8.1}
    (name,) = [name for name, each in WAYS.items() if each == way]
    assert found["bits_per_weight"] == pytest.approx(bits[name], abs=0.15)
    assert found["double_quantized"] == (name in ("nf4", "fp4"))
    assert found["values"] == [name.split("-")[0]]
    assert found["bytes"] < found["bytes_fp32"] / 3.9
    plan = quantizer(way)
    assert found["bytes"] == sum(plan.nbytes(x.out_features, x.in_features) for x in quantized_layers(model).values())
    assert proof(llama()) is None


def test_a_tuned_model_opens_on_the_quantised_base(tiny_model: Path, store: Store, way: dict[str, Any]) -> None:
    loaded = tuned(load(store, tiny_model, quantization=way), lora())
    model = sealed(loaded, store)
    opened = open_model(model, store)
    assert quantized_layers(opened.model)
    assert torch.equal(logits(opened), logits(loaded))
    assert torch.equal(
        logits(open_model(model, store, adapter=False)), logits(load(store, tiny_model, quantization=way))
    )
    going = open_start(model, lora(), store)
    stir(going)
    assert torch.equal(logits(open_model(sealed(going, store), store)), logits(going))


def test_weights_that_are_bf16_on_disk_are_rounded_from_there(
    tiny_model: Path, tmp_path: Path, store: Store, way: dict[str, Any]
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    short = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.bfloat16)
    short.save_pretrained(tmp_path / "base")
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(tmp_path / "base")
    found = load(store, tmp_path / "base", quantization=way).model
    expected: Any = short.float()
    quantize(expected, quantizer(way), CPU)
    assert {weight.dtype for weight in found.parameters() if weight.is_floating_point()} == {torch.float32}
    assert torch.equal(found(IDS).logits, expected(IDS).logits)


def test_moving_and_casting_a_model_leaves_the_scales_alone(way: dict[str, Any]) -> None:
    model: Any = llama()
    quantize(model, quantizer(way), CPU)
    before = {name: layer.matrix(torch.float32) for name, layer in quantized_layers(model).items()}
    model.to(CPU, torch.bfloat16)
    for name, layer in quantized_layers(model).items():
        assert torch.equal(layer.matrix(torch.float32), before[name]), name


def test_an_adapter_tuned_on_a_quantised_base_can_be_a_base(
    tiny_model: Path, store: Store, way: dict[str, Any]
) -> None:
    loaded = tuned(load(store, tiny_model, quantization=way), lora())
    model = sealed(loaded, store)
    plain = load(store, model.id)
    assert not quantized_layers(plain.model)
    assert (logits(plain) - logits(loaded)).abs().max() < 1e-5
    again = load(store, model.id, quantization=way)
    assert quantized_layers(again.model)


@pytest.mark.parametrize("adapter", ["full", "freeze"])
def test_only_adapters_learn_on_a_quantised_base(tiny_model: Path, store: Store, adapter: str) -> None:
    loaded = load(store, tiny_model, quantization="load_in_4bit")
    with pytest.raises(TrainingError, match="quantised"):
        find(Adapter, adapter)().attach(loaded.model)
    task = find(Task, "sft")()
    with pytest.raises(TrainingError, match="quantised"):
        assess(tiny_model, task, full(), rows=1, tokens=8, quantization=find(Quantizer, "load_in_4bit")())


@pytest.mark.parametrize("init", ["pissa", "olora"])
def test_first_values_taken_out_of_the_weights_are_refused(tiny_model: Path, store: Store, init: str) -> None:
    with pytest.raises(TrainingError, match="would change its matrices"):
        lora(init_lora_weights=init).attach(load(store, tiny_model, quantization="load_in_4bit").model)


def test_the_estimate_counts_the_bits_that_the_weights_will_take(
    tiny_model: Path, store: Store, way: dict[str, Any]
) -> None:
    section = ModelSection.model_validate({"base": str(tiny_model), "quantization": way})
    base = find_base(section, folder=Path(), store=store)
    task = find(Task, "sft")()
    told = assess(base.folder, task, lora(), rows=1, tokens=8, quantization=section.quantization)
    model = lora().attach(load(store, tiny_model, quantization=way).model)
    found = proof(model)
    assert found is not None
    assert told.memory["weights"] == found["bytes_of_all"]
    assert told.parameters == weights(model)


def test_a_missing_package_is_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch, tiny_model: Path, store: Store
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    monkeypatch.delitem(sys.modules, "tuneloop.models.quantizers._bitsandbytes", raising=False)
    monkeypatch.delattr("tuneloop.models.quantizers._bitsandbytes", raising=False)
    with pytest.raises(MissingPackage, match="bitsandbytes") as caught:
        load(store, tiny_model, quantization="load_in_8bit")
    assert "pip install" in caught.value.problems[0].fix
