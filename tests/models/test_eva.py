"""EVA: first values follow the inputs of each layer, ranks move to where the inputs vary, and PEFT opens the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.test_load import load, logits, sealed, stir
from tests.models.test_lora import llama, lora

from tuneloop.errors import TrainingError
from tuneloop.models import open_model, open_start
from tuneloop.parts import find
from tuneloop.store import Store
from tuneloop.tasks import Batch, Example, Task


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def batches_of(count: int = 8, rows: int = 16, length: int = 24, learned: int = 16) -> Callable[[int], Sequence[Batch]]:
    draw = torch.Generator().manual_seed(0)
    task = find(Task, "sft")()

    def example() -> Example:
        ids = torch.randint(1, 60, (length,), generator=draw).tolist()
        return Example(ids, [0] * (length - learned) + [1] * learned, "record")

    made = [task.collate([example() for _ in range(rows)], 0) for _ in range(count)]
    return lambda tokens: made


def begun(batches: Callable[[int], Sequence[Batch]] | None = None, **options: Any) -> tuple[Any, Any]:
    adapter: Any = lora(r=2, lora_alpha=4, init_lora_weights="eva", **options)
    model: Any = adapter.attach(llama())
    adapter.begin(model, batches or batches_of())
    return adapter, model


def layers_of(model: Any) -> dict[str, Any]:
    return {name: layer for name, layer in model.named_modules() if hasattr(layer, "lora_A") and name}


def test_it_starts_at_the_base_and_moves_ranks_but_adds_none() -> None:
    before: Any = llama()
    adapter, model = begun()
    ids = torch.arange(12).view(1, 12)
    assert torch.allclose(model.eval()(ids).logits, before(ids).logits, atol=1e-6)
    ranks = [layer.r["default"] for layer in layers_of(model).values()]
    assert sum(ranks) == 2 * 14
    assert len(set(ranks)) > 1
    assert max(ranks) <= 4
    said = adapter.acts(model)
    assert said["rank"] == sorted(set(ranks))
    assert 0 < said["explained_variance"]["least"] <= said["explained_variance"]["most"] <= 1


def test_the_first_values_are_the_main_directions_of_supervised_inputs() -> None:
    batches = batches_of()
    _, model = begun(batches, eva_config={"rho": 1.0, "tau": 0.999})
    name = "base_model.model.model.layers.0.mlp.down_proj"
    layer = model.get_submodule(name)
    seen: list[torch.Tensor] = []
    layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        for batch in batches(0):
            model(input_ids=batch.ids)
    learned = torch.cat([x[batch.labels != -100] for x, batch in zip(seen, batches(0), strict=True)])
    centred = learned - learned.mean(0)
    _, s, v = torch.linalg.svd(centred, full_matrices=False)
    a = layer.lora_A["default"].weight.detach()
    assert a.shape[0] == 2
    assert torch.allclose(a @ a.T, torch.eye(2), atol=1e-4)
    assert (a @ v[:2].T).square().sum() > 1.9, "they span the plane of the two largest singular values"
    best = s[:2].square().sum() / s.square().sum()
    assert layer.explained == pytest.approx(best.item(), rel=0.02)


def test_the_same_rows_give_the_same_values_and_leave_the_generators_alone() -> None:
    torch.manual_seed(5)
    _, one = begun()
    torch.manual_seed(5)
    adapter: Any = lora(r=2, lora_alpha=4, init_lora_weights="eva")
    two: Any = adapter.attach(llama())
    state = torch.get_rng_state()
    adapter.begin(two, batches_of())
    assert torch.equal(torch.get_rng_state(), state)
    for (name, a), (_, b) in zip(one.named_parameters(), two.named_parameters(), strict=True):
        assert torch.equal(a, b), name


def test_too_few_tokens_or_inputs_are_refused() -> None:
    with pytest.raises(TrainingError, match="3 supervised tokens"):
        begun(batches_of(1, rows=1, learned=3))
    with pytest.raises(TrainingError, match="reads 16 numbers"):
        begun(eva_config={"rho": 5.0})


def test_settings_that_would_do_nothing_are_refused() -> None:
    with pytest.raises(TrainingError, match="eva_config does nothing"):
        lora(eva_config={"rho": 1.0}).attach(llama())


def test_a_tuned_model_opens_goes_on_and_is_plain_lora_for_others(tiny_model: Path, store: Store) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    adapter: Any = lora(r=2, lora_alpha=4, init_lora_weights="eva")
    loaded = load(store, tiny_model)
    loaded.model = adapter.attach(loaded.model)
    adapter.begin(loaded.model, batches_of())
    stir(loaded)
    model = sealed(loaded, store)
    assert torch.equal(logits(open_model(model, store)), logits(loaded))
    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_model), model.weights).eval()
    assert plain.peft_config["default"].init_lora_weights is True
    going: Any = open_start(model, adapter, store)
    before = {name: weight.clone() for name, weight in going.model.named_parameters()}
    adapter.begin(going.model, batches_of())
    assert all(torch.equal(weight, before[name]) for name, weight in going.model.named_parameters())


def test_it_works_beside_quantised_weights() -> None:
    pytest.importorskip("bitsandbytes", reason="needs bitsandbytes: pip install 'tuneloop[quant]'")
    from tuneloop.models.quantized import quantize
    from tuneloop.models.quantizers import Quantizer

    base: Any = llama()
    quantize(base, find(Quantizer, "load_in_4bit")(), torch.device("cpu"))
    adapter: Any = lora(r=2, init_lora_weights="eva")
    model: Any = adapter.attach(base)
    adapter.begin(model, batches_of())
    assert sum(layer.r["default"] for layer in layers_of(model).values()) == 2 * 14
