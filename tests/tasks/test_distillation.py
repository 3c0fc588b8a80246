"""Distillation: the blended loss against the plain formula, teachers that fit and do not, and what a student learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.conftest import chat
from torch import Tensor, nn

from tuneloop.errors import TrainingError
from tuneloop.models import Loaded, find_base, load_base
from tuneloop.models.section import ModelSection
from tuneloop.models.teaching import Blend
from tuneloop.parts import find
from tuneloop.store import Store
from tuneloop.tasks import Batch, Example, Task

BLENDS = [Blend(0.5, 1.0, 0.0), Blend(1.0, 2.5, 0.0), Blend(0.3, 2.0, 1.0), Blend(0.7, 1.5, 0.4)]


def task(teacher: Path | str = "nowhere", **options: Any) -> Task:
    return find(Task, "distillation").model_validate({"teacher": str(teacher), **options})


@pytest.fixture(scope="module")
def other_model(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A wider model with the tiny model's tokenizer, and 16 more rows in its head, as padded families have."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("other")
    torch.manual_seed(5)
    config = LlamaConfig.from_pretrained(tiny_model)
    config.update({"hidden_size": 48, "vocab_size": 416, "num_hidden_layers": 1, "tie_word_embeddings": False})
    LlamaForCausalLM(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    return folder


def opened(folder: Path, store: Store, what: Task) -> Loaded:
    section = ModelSection(base=str(folder))
    loaded = load_base(find_base(section, folder=folder, store=store), section, what, device=torch.device("cpu"))
    loaded.model.eval()
    return loaded


def batch_of(what: Task, loaded: Loaded, count: int = 5) -> tuple[list[Example], Batch]:
    examples: list[Example] = []
    for index in range(count):
        found = what.encode(chat(index), loaded.tokenizer, 512)
        assert isinstance(found, list)
        examples += found
    return examples, what.collate(examples, loaded.tokenizer.pad_id)


def plainly(student: nn.Module, teacher: nn.Module, batch: Batch, blend: Blend) -> Tensor:
    """The formula over all logits at once, in double precision."""
    following = batch.labels[:, 1:]
    known = following != -100
    s = student(input_ids=batch.ids).logits[:, :-1][known].double()
    t = teacher(input_ids=batch.ids).logits[:, :-1][known].double().detach()
    loss = (1 - blend.kd_ratio) * nn.functional.cross_entropy(s, following[known], reduction="sum")
    common = min(s.shape[-1], t.shape[-1])
    p = torch.softmax(t[:, :common] / blend.temperature, -1)
    q = torch.softmax(s[:, :common] / blend.temperature, -1)
    if blend.beta == 0:
        distance = (p * (p.log() - q.log())).sum()
    elif blend.beta == 1:
        distance = (q * (q.log() - p.log())).sum()
    else:
        m = blend.beta * p + (1 - blend.beta) * q
        distance = blend.beta * (p * (p / m).log()).sum() + (1 - blend.beta) * (q * (q / m).log()).sum()
    return loss + blend.kd_ratio * blend.temperature**2 * distance


@pytest.mark.parametrize("blend", BLENDS, ids=str)
@pytest.mark.parametrize("adapted", [False, True])
def test_the_loss_and_every_gradient_are_those_of_the_plain_formula(
    tiny_model: Path, other_model: Path, tmp_path: Path, blend: Blend, adapted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuneloop.models.adapters import Adapter
    from tuneloop.tasks import _taught

    monkeypatch.setattr(_taught, "HELD", 3 * 416)  # three rows a chunk: the last one is not full
    store = Store(tmp_path / "store")
    what = task(other_model, kd_ratio=blend.kd_ratio, temperature=blend.temperature, beta=blend.beta)
    loaded, teacher = opened(tiny_model, store, what), opened(other_model, store, what)
    if adapted:
        options = {"target_modules": ["q_proj", "v_proj"], "modules_to_save": ["lm_head"]}
        loaded.model = find(Adapter, "lora")(**options).attach(loaded.model).eval()
    objective = what.objective(loaded, others=what.others(folder=tmp_path, store=store))
    _, batch = batch_of(what, loaded)
    learning = {name: weight for name, weight in loaded.model.named_parameters() if weight.requires_grad}

    def gradients(loss: Tensor) -> dict[str, Tensor]:
        return dict(zip(learning, torch.autograd.grad(loss, list(learning.values()), allow_unused=True), strict=True))

    expected = plainly(loaded.model, teacher.model, batch, blend)
    found = objective(loaded.model, batch)
    rounding = 1e-6 * blend.temperature**2 * batch.supervised
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=rounding)
    right, ours = gradients(expected), gradients(found * 3)
    for name, gradient in right.items():
        assert (ours[name] is None) == (gradient is None), name
        if gradient is not None:
            close = 1e-5 * float(gradient.abs().max())
            torch.testing.assert_close(ours[name] / 3, gradient, rtol=0, atol=close, msg=name)
    with torch.no_grad():
        torch.testing.assert_close(objective(loaded.model, batch), found.detach(), rtol=1e-6, atol=0)


def test_packed_rows_give_the_same_loss_and_gradients_as_padded_ones(
    tiny_model: Path, other_model: Path, tmp_path: Path
) -> None:
    from tuneloop.models.stream import take_streams

    store = Store(tmp_path / "store")
    what = task(other_model, temperature=2.0)
    loaded = opened(tiny_model, store, what)
    objective = what.objective(loaded, others=what.others(folder=tmp_path, store=store))
    examples, padded = batch_of(what, loaded)
    first = objective(loaded.model, padded)
    first.backward()
    expected = {name: weight.grad.clone() for name, weight in loaded.model.named_parameters()}
    loaded.model.zero_grad()
    take_streams(loaded.model)
    second = objective(loaded.model, what.pack(examples))
    second.backward()
    torch.testing.assert_close(second, first, rtol=1e-5, atol=0)
    for name, weight in loaded.model.named_parameters():
        close = 1e-5 * float(expected[name].abs().max())
        torch.testing.assert_close(weight.grad, expected[name], rtol=1e-4, atol=close, msg=name)


SCALED = [
    ("Gemma2ForCausalLM", "Gemma2Config", {"final_logit_softcapping": 2.0, "head_dim": 8}),
    ("CohereForCausalLM", "CohereConfig", {"logit_scale": 0.25}),
    ("GraniteForCausalLM", "GraniteConfig", {"logits_scaling": 3.0}),
]


@pytest.mark.parametrize(("architecture", "kind", "options"), SCALED, ids=lambda value: str(value))
def test_what_a_family_does_to_its_logits_is_in_the_loss(
    architecture: str, kind: str, options: dict[str, Any], tiny_model: Path, tmp_path: Path
) -> None:
    import transformers
    from transformers import AutoTokenizer

    folder = tmp_path / "scaled"
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    ids = {"pad_token_id": 0, "bos_token_id": None, "eos_token_id": 2}
    config = getattr(transformers, kind)(vocab_size=400, num_key_value_heads=4, **sizes, **ids, **options)
    scaled = getattr(transformers, architecture)(config)
    with torch.no_grad():
        scaled.get_output_embeddings().weight.mul_(20)
    scaled.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    store = Store(tmp_path / "store")
    what, blend = task(folder, kd_ratio=0.5, temperature=1.5), Blend(0.5, 1.5, 0.0)
    for student in (tiny_model, folder):
        loaded, teacher = opened(student, store, what), opened(folder, store, what)
        _, batch = batch_of(what, loaded)
        objective = what.objective(loaded, others=what.others(folder=tmp_path, store=store))
        expected = plainly(loaded.model, teacher.model, batch, blend).float()
        torch.testing.assert_close(objective(loaded.model, batch), expected, rtol=1e-5, atol=1e-4)


def test_a_teacher_like_the_student_has_nothing_to_teach(tiny_model: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    for beta in (0.0, 0.5, 1.0):
        what = task(tiny_model, kd_ratio=1.0, beta=beta)
        loaded = opened(tiny_model, store, what)
        objective = what.objective(loaded, others=what.others(folder=tmp_path, store=store))
        _, batch = batch_of(what, loaded)
        loss = objective(loaded.model, batch)
        loss.backward()
        assert abs(loss.item()) < 1e-6 * batch.supervised
        assert all(weight.grad.abs().max() < 1e-5 for weight in loaded.model.parameters())


def test_without_a_share_of_the_teacher_it_is_sft_and_opens_none(tiny_model: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    what = task("there is no such model", kd_ratio=0.0)
    loaded = opened(tiny_model, store, what)
    assert what.others(folder=tmp_path, store=store) == {}
    _, batch = batch_of(what, loaded)
    assert torch.equal(what.objective(loaded)(loaded.model, batch), find(Task, "sft")().loss(loaded.model, batch))


def test_a_teacher_with_other_tokens_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    import json
    import shutil

    folder = tmp_path / "odd"
    shutil.copytree(tiny_model, folder)
    body: dict[str, Any] = json.loads((folder / "tokenizer.json").read_text())
    words = body["model"]["vocab"]
    one, two = list(words)[50:52]
    words[one], words[two] = words[two], words[one]
    (folder / "tokenizer.json").write_text(json.dumps(body))
    store = Store(tmp_path / "store")
    what = task(folder)
    loaded = opened(tiny_model, store, what)
    with pytest.raises(TrainingError, match="2 tokens such as") as caught:
        what.objective(loaded, others=what.others(folder=tmp_path, store=store))
    assert "own family" in caught.value.problems[0].fix
