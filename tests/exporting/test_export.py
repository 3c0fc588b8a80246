"""A bundle opens without tuneloop and answers like the model it was made from, or there is no bundle."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop.errors import ModelError
from tuneloop.exporting import probes
from tuneloop.exporting.export import export
from tuneloop.exporting.exporters import merged
from tuneloop.exporting.section import ExportSection
from tuneloop.models import merge
from tuneloop.rows import Message
from tuneloop.store import Bundle, Model, Store

Tuned = Callable[..., Model]
QUESTIONS = ["what is 2 plus 2", "今天天气怎么样", "the quick brown fox"]


def section(**options: Any) -> ExportSection:
    return ExportSection.model_validate({"to": [{"merged": options}]})


def kept(store: Store) -> list[str]:
    return [item.id for item in store.artifacts(Bundle)] + [path.name for path in (store.root / "drafts").iterdir()]


@pytest.fixture(params=["lora", "full"])
def model(request: pytest.FixtureRequest, tuned: Tuned, tiny_model: Path) -> Model:
    return tuned(tiny_model, request.param)


def test_the_folder_answers_in_plain_transformers_as_our_server_would(model: Model, store: Store) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tuneloop.models import open_model
    from tuneloop.models.generate import Request, generate

    folder = export(section(), model=model, store=store).folder / "merged"
    plain, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    loaded = open_model(model, store, device=torch.device("cpu"))
    for question in QUESTIONS:
        turns = [{"role": "user", "content": question}]
        ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        with torch.no_grad():
            out = plain.generate(**ids, max_new_tokens=16, do_sample=False)
        theirs = out[0, ids["input_ids"].shape[1] :].tolist()
        prompt = loaded.tokenizer.chat_ids([Message("user", question)], generation=True)
        ours = generate(loaded, [Request(tuple(prompt), max_new_tokens=16)])[0]
        assert theirs == list(ours.ids)
        assert tokenizer.decode(theirs, skip_special_tokens=True) == ours.text


def test_the_merged_logits_are_peft_s_own(tuned: Tuned, tiny_model: Path, store: Store) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = tuned(tiny_model)
    folder = export(section(), model=model, store=store).folder / "merged"
    adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_model), str(model.weights)).eval()
    base = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    plain = AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = torch.randint(0, 400, (3, 40), generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        assert (plain(ids).logits - adapted(ids).logits).abs().max() <= 1e-4
        assert (plain(ids).logits - base(ids).logits).abs().max() > 1e-2


def test_the_bundle_tells_what_was_verified_and_what_an_adapter_saves(
    tuned: Tuned, tiny_model: Path, store: Store
) -> None:
    model = tuned(tiny_model)
    bundle = export(ExportSection(), model=model, store=store)
    told = json.loads((bundle.folder / "verify.json").read_text())["merged"]
    assert bundle.parents == {"model": model.id}
    assert 0 < told["max_logit_difference"] <= told["tolerance"] == 1e-4
    assert told["greedy_equal"] == told["greedy_prompts"] == 10
    storage = bundle.facts["storage"]
    assert storage["merged"] == (bundle.folder / "merged" / "model.safetensors").stat().st_size
    assert storage["share"] == storage["model"] / storage["merged"] < 1
    assert not list(bundle.folder.rglob("*.bin"))


def test_the_settings_name_every_token_that_ends_an_answer(model: Model, store: Store) -> None:
    folder = export(section(), model=model, store=store).folder / "merged"
    assert json.loads((folder / "generation_config.json").read_text())["eos_token_id"] == 2
    assert "im_start" in (folder / "chat_template.jinja").read_text()


def test_what_was_exported_is_found_again(
    tuned: Tuned, tiny_model: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tuned(tiny_model)
    first = export(section(), model=model, store=store)
    monkeypatch.setattr("tuneloop.models.open_model", None)
    assert export(section(), model=model, store=store).id == first.id


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_shorter_numbers_halve_the_file_and_their_cost_is_told(model: Model, store: Store, dtype: str) -> None:
    from safetensors import safe_open

    whole = export(section(), model=model, store=store)
    half = export(section(dtype=dtype), model=model, store=store)
    told = half.facts["verified"]["merged"]
    assert half.facts["storage"]["merged"] < 0.6 * whole.facts["storage"]["merged"]
    assert told["file_difference"] == 0 and told["merge_difference"] <= 1e-4
    assert told["max_logit_difference"] > told["merge_difference"]
    with safe_open(half.folder / "merged" / "model.safetensors", "pt") as file:
        kinds = {str(file.get_tensor(name).dtype) for name in file.keys()}  # noqa: SIM118
    assert kinds == {"torch.bfloat16" if dtype == "bf16" else "torch.float16"}


def test_a_merge_that_goes_wrong_is_caught(
    tuned: Tuned, tiny_model: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    right = merge.merged

    def wrong(model: Any) -> Any:
        made = right(model)
        with torch.no_grad():
            made.model.layers[1].mlp.down_proj.weight[0, 0] += 0.5
        return made

    monkeypatch.setattr(merge, "merged", wrong)
    with pytest.raises(ModelError, match="merging the adapter changes the answers"):
        export(section(), model=tuned(tiny_model), store=store)
    assert kept(store) == []


def test_an_adapter_that_is_not_merged_at_all_is_caught(
    tuned: Tuned, tiny_model: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "merged", lambda model: model.unload())
    with pytest.raises(ModelError, match="merging the adapter changes the answers"):
        export(section(), model=tuned(tiny_model), store=store)
    assert kept(store) == []


def test_weights_damaged_on_their_way_to_the_disk_are_caught(
    model: Model, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file, save_file

    from tuneloop.models import save_model

    def damaging(loaded: Any, folder: Path) -> Any:
        facts = save_model(loaded, folder)
        tensors = load_file(folder / "model.safetensors")
        tensors["model.layers.0.self_attn.q_proj.weight"][3] *= 1.5
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return facts

    monkeypatch.setattr("tuneloop.models.save.save_model", damaging)
    with pytest.raises(ModelError, match="do not hold the merged weights"):
        export(section(), model=model, store=store)
    assert kept(store) == []


@pytest.mark.parametrize("apart", [5e-5, 5e-2])
def test_another_greedy_token_passes_only_where_the_two_are_tied(
    tuned: Tuned, tiny_model: Path, store: Store, monkeypatch: pytest.MonkeyPatch, apart: float
) -> None:
    import torch

    real = probes.plain_answers

    def parted(plain: Any, prompts: Any) -> Any:
        """Two tokens of the output layer are made alike but for a little, and an answer takes the lower one."""
        answers = real(plain, prompts)
        number = next(i for i, answer in enumerate(answers) if len(answer) > 1)
        first, *rest = answers[number]
        last = probes.logits(plain, [prompts[number]])[0][-1]
        other = int(last.topk(2).indices[1])
        gap = (last[first] - last[other]).item() - apart
        plain.get_output_embeddings().register_forward_hook(
            lambda _layer, _given, out: out + gap * torch.nn.functional.one_hot(torch.tensor(other), out.shape[-1])
        )
        answers[number] = (other, *rest)
        return answers

    monkeypatch.setattr(probes, "plain_answers", parted)
    if apart > 1e-3:
        with pytest.raises(ModelError, match="1 of 10 greedy answers differ"):
            export(section(), model=tuned(tiny_model), store=store)
        assert kept(store) == []
        return
    told = export(section(), model=tuned(tiny_model), store=store).facts["verified"]["merged"]
    assert (told["greedy_equal"], told["greedy_ties"], told["greedy_prompts"]) == (9, 1, 10)


@pytest.mark.parametrize("ends", [[4], [3, 4]])
def test_an_answer_that_ends_earlier_is_measured_by_the_tokens_that_end_it(ends: list[int]) -> None:
    import torch

    class Five:
        """Always the same five logits."""

        def parameters(self) -> Any:
            return iter([torch.zeros(1)])

        def __call__(self, input_ids: Any, **_: object) -> Any:
            from types import SimpleNamespace

            return SimpleNamespace(logits=torch.tensor([0.0, 1.0, 3.0, -1.0, 2.5]).repeat(1, input_ids.shape[1], 1))

    assert probes.margin(Five(), (0, 1), (2, 2), (2, 2, 2), ends) == pytest.approx(0.5)
    assert probes.margin(Five(), (0, 1), (2, 1), (2, 2), ends) == pytest.approx(2.0)


def test_weights_that_are_not_numbers_are_caught(
    tuned: Tuned, tiny_model: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    right = merge.merged

    def wrong(model: Any) -> Any:
        made = right(model)
        with torch.no_grad():
            made.model.norm.weight[0] = float("nan")
        return made

    monkeypatch.setattr(merge, "merged", wrong)
    with pytest.raises(ModelError, match="differ by up to inf"):
        export(section(), model=tuned(tiny_model), store=store)


def test_a_template_that_renders_otherwise_is_caught(
    model: Model, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuneloop.models import save_model

    def damaging(loaded: Any, folder: Path) -> Any:
        facts = save_model(loaded, folder)
        template = folder / "chat_template.jinja"
        text = template.read_text()
        assert "assistant\n" in text
        template.write_text(text.replace("assistant\n", "assistant: "))
        return facts

    monkeypatch.setattr("tuneloop.models.save.save_model", damaging)
    with pytest.raises(ModelError, match="renders a conversation otherwise"):
        export(section(), model=model, store=store)
    assert kept(store) == []


@pytest.mark.parametrize("target", ["lm_head", "embed_tokens"])
@pytest.mark.parametrize("how", ["lora", "modules_to_save"])
def test_an_adapter_on_tied_embeddings_is_merged_into_the_right_one(
    tuned: Tuned, tiny_model: Path, store: Store, tmp_path: Path, target: str, how: str
) -> None:
    """The base ties its input and output embeddings; tuning one of them must not change the other."""
    import torch
    from peft import LoraConfig, get_peft_model

    from tuneloop.models import open_model
    from tuneloop.parts import find

    loaded = open_model(tuned(tiny_model), store, device=torch.device("cpu"), adapter=False)
    where = (
        {"target_modules": [target]} if how == "lora" else {"target_modules": ["q_proj"], "modules_to_save": [target]}
    )
    loaded.model = get_peft_model(loaded.model, LoraConfig(**where, r=4, task_type="CAUSAL_LM")).eval()
    torch.manual_seed(3)
    with torch.no_grad():
        for weight in loaded.model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.05)
    told = find(merged.Exporter, "merged")().write(loaded, tmp_path)
    assert told["max_logit_difference"] <= 1e-4
    assert told["greedy_equal"] == 10


@pytest.mark.parametrize(
    "options",
    [
        {"use_dora": True},
        {"use_rslora": True},
        {"init_lora_weights": "pissa"},
        {"init_lora_weights": "olora"},
        {"modules_to_save": ["embed_tokens", "norm"]},
    ],
    ids=str,
)
def test_variants_of_lora_pass_the_gate(tuned: Tuned, tiny_model: Path, store: Store, options: dict[str, Any]) -> None:
    told = export(section(), model=tuned(tiny_model, "lora", **options), store=store).facts["verified"]["merged"]
    assert told["max_logit_difference"] <= 1e-4
    assert told["greedy_equal"] == 10


@pytest.mark.parametrize("base", ["stories260K", "babyllama361"])
def test_real_models_pass_the_gate(tuned: Tuned, real: Path, store: Store, base: str) -> None:
    bundle = export(section(), model=tuned(real / "models" / base), store=store)
    assert bundle.facts["verified"]["merged"]["max_logit_difference"] <= 1e-4


def test_random_probes_reach_every_kind_of_token_and_long_ones_are_cut(tiny_model: Path) -> None:
    from tuneloop.models import Tokenizer

    found = probes.prompts(Tokenizer.load(tiny_model), 400, 60)
    assert len(found) == 10
    assert found == probes.prompts(Tokenizer.load(tiny_model), 400, 60)
    assert max(len(ids) for ids in found) <= 60 - probes.NEW_TOKENS
    assert all(0 <= id < 400 for ids in found for id in ids)


SMALL = {"vocab_size": 400, "bos_token_id": None, "eos_token_id": 2, "pad_token_id": 0}
WIDE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 160}
FAMILIES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 160},
    "opt": WIDE | {"ffn_dim": 64, "word_embed_proj_dim": 32},
    "gemma2": WIDE | {"intermediate_size": 64, "num_key_value_heads": 2, "head_dim": 8, "sliding_window": 8},
    "phi3": WIDE | {"intermediate_size": 64, "num_key_value_heads": 2},
    "glm4": WIDE | {"intermediate_size": 64, "num_key_value_heads": 2, "head_dim": 8},
    "qwen3": WIDE | {"intermediate_size": 64, "num_key_value_heads": 2, "head_dim": 8, "tie_word_embeddings": True},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_families_with_their_own_layers_pass_the_gate(
    tuned: Tuned, tiny_tokenizer: Path, store: Store, tmp_path: Path, family: str
) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    config = AutoConfig.for_model(family, **SMALL, **FAMILIES[family])
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / family)
    AutoTokenizer.from_pretrained(tiny_tokenizer).save_pretrained(tmp_path / family)
    told = export(section(), model=tuned(tmp_path / family), store=store).facts["verified"]["merged"]
    assert 0 < told["max_logit_difference"] <= 1e-4
    assert told["greedy_equal"] == 10
