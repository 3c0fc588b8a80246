"""Whole runs on a quantised base, with new tokens and with first values from the rows: trained, resumed, exported."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.training.conftest import Bench, lasting, section_of, weights
from tests.training.test_resume import crash_at
from transformers import AutoTokenizer

from tuneloop.exporting.export import export
from tuneloop.exporting.section import ExportSection
from tuneloop.models import find_base, open_model
from tuneloop.models.quantized import quantized_layers
from tuneloop.models.section import ModelSection
from tuneloop.store import Run

Maker = Callable[[Path], Bench]


def receipts(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run.folder / "receipts.json").read_bytes())
    return found


def with_model(bench: Bench, **options: Any) -> Bench:
    model = ModelSection.model_validate({**bench.model.model_dump(), **options})
    return replace(bench, model=model, base=find_base(model, folder=Path(), store=bench.store))


@pytest.mark.parametrize("way", ["load_in_4bit", "load_in_8bit"])
def test_a_run_on_a_quantised_base_is_resumed_bit_for_bit_and_exported(
    tmp_path: Path, new_bench: Maker, way: str
) -> None:
    pytest.importorskip("bitsandbytes", reason="needs bitsandbytes: pip install 'tuneloop[quant]'")
    section = section_of(checkpoints={"save_steps": 2})
    bench = with_model(new_bench(tmp_path / "whole"), quantization=way)
    run, model = bench.train(section)
    found = receipts(run)["quantization"]
    assert found["layers"] == 14
    assert found["values"] == [{"load_in_4bit": "nf4", "load_in_8bit": "int8"}[way]]
    assert receipts(run)["weights"]["frozen_unmoved"]
    assert receipts(run)["weights"]["total"] == model.facts["parameters"]

    cut = with_model(new_bench(tmp_path / "cut"), quantization=way)
    crash_at(cut, 5, section)
    again, same = cut.train(section)
    assert weights(same) == weights(model)
    assert lasting(again) == lasting(run)

    assert quantized_layers(open_model(model, bench.store).model)
    bundle = export(ExportSection(), model=model, store=bench.store)
    verified = bundle.facts["verified"]["merged"]
    assert verified["merge_difference"] < 1e-5
    assert verified["greedy_equal"] == verified["greedy_prompts"]
    assert "quantization_config" not in json.loads((bundle.folder / "merged" / "config.json").read_bytes())


@pytest.mark.parametrize(
    ("way", "precision", "computed"),
    [
        ({"load_in_4bit": {}}, "bf16", "bfloat16"),
        ({"load_in_8bit": {}}, "fp32", "float32"),
        ({"load_in_4bit": {"bnb_4bit_compute_dtype": "bfloat16"}}, "fp32", "bfloat16"),
        ({"load_in_4bit": {"bnb_4bit_compute_dtype": "float32"}}, "bf16", "float32"),
    ],
)
def test_products_are_computed_as_the_run_says_unless_the_base_says_otherwise(
    tmp_path: Path, new_bench: Maker, way: dict[str, Any], precision: str, computed: str
) -> None:
    pytest.importorskip("bitsandbytes", reason="needs bitsandbytes: pip install 'tuneloop[quant]'")
    bench = with_model(new_bench(tmp_path), quantization=way)
    run, model = bench.train(section_of(precision=precision, max_steps=2))
    assert receipts(run)["quantization"]["computed_in"] == [computed]
    assert receipts(run)["weights"]["frozen_unmoved"]
    assert (
        export(ExportSection(), model=model, store=bench.store).facts["verified"]["merged"]["merge_difference"] < 1e-4
    )


def test_a_run_that_begins_with_eva_is_resumed_bit_for_bit(tmp_path: Path, new_bench: Maker) -> None:
    lora = {"r": 2, "lora_alpha": 4, "lora_dropout": 0.1, "init_lora_weights": "eva"}
    section = section_of(adapter={"lora": lora}, checkpoints={"save_steps": 2})
    run, model = new_bench(tmp_path / "whole").train(section)
    assert 0 < receipts(run)["adapter"]["explained_variance"]["mean"] <= 1
    cut = new_bench(tmp_path / "cut")
    crash_at(cut, 5, section)
    again, same = cut.train(section)
    assert weights(same) == weights(model)
    assert lasting(again) == lasting(run)


def test_a_run_with_new_tokens_is_resumed_bit_for_bit_and_exported(tmp_path: Path, new_bench: Maker) -> None:
    tokens = {"new_tokens": ["what is"], "new_special_tokens": [f"<|c{index}|>" for index in range(70)]}
    section = section_of(checkpoints={"save_steps": 2})
    bench = with_model(new_bench(tmp_path / "whole"), **tokens)
    run, model = bench.train(section)
    assert receipts(run)["adapter"]["token_rows"] == {"model.embed_tokens": 71, "lm_head": 71}

    cut = with_model(new_bench(tmp_path / "cut"), **tokens)
    crash_at(cut, 5, section)
    again, same = cut.train(section)
    assert weights(same) == weights(model)
    assert lasting(again) == lasting(run)

    bundle = export(ExportSection(), model=model, store=bench.store)
    assert bundle.facts["verified"]["merged"]["max_logit_difference"] < 1e-4
    folder = bundle.folder / "merged"
    plain, ours = AutoTokenizer.from_pretrained(folder), open_model(model, bench.store).tokenizer
    assert len(plain) == json.loads((folder / "config.json").read_bytes())["vocab_size"] == len(ours.hf)
    text = "what is 3 plus 4<|c7|>"
    assert plain(text)["input_ids"] == ours.text_ids(text)
    assert plain.convert_tokens_to_ids("what is") in plain(text)["input_ids"]


def test_the_same_rows_with_other_tokens_are_another_run(new_bench: Maker, tmp_path: Path) -> None:
    bench = new_bench(tmp_path)
    section = section_of(max_steps=1)
    runs = [each.train(section)[0].id for each in (bench, with_model(bench, new_tokens=["what is"]), bench)]
    assert runs[0] == runs[2] != runs[1]
