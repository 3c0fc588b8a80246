"""The estimated memory against the peak of a fresh process that makes a step with the longest rows."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

STEP = """
import json, sys
from pathlib import Path
import psutil
from tests.training.conftest import chat, seal, section_of
from tuneloop.models import find_base
from tuneloop.models.section import ModelSection
from tuneloop.parts import find
from tuneloop.store import Store
from tuneloop.tasks import Task
from tuneloop.training import estimate

folder, adapter, again = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "again"
store = Store(folder / "store")
rows = seal(store, [chat(index, " ".join(["and more"] * 32)) for index in range(24)])
model = ModelSection(base=str(folder / "model"))
base = find_base(model, folder=folder, store=store)
batch = {"size": 16, "gradient_checkpointing": again}
section = section_of(adapter=adapter, max_length=256, batch=batch, precision="fp32")
told = dict(task=find(Task, "sft")(), model=model, base=base, dataset=rows, store=store)
found = estimate.memory(section, **told)
import peft, torch._dynamo, torch.utils.checkpoint, transformers.modeling_utils  # their code is no part of the estimate
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
before = psutil.Process().memory_info().rss
peak = estimate.probe(section, **told, seed=3, steps=1).peak
print(json.dumps({"estimated": found.bytes, "measured": peak - before, "parts": found.memory}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("adapter", "again"), [("lora", "usual"), ("full", "again")])
def test_the_estimate_is_the_peak_of_a_fresh_process(
    tmp_path: Path, tiny_tokenizer: Path, adapter: str, again: str
) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=8000,
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=4,
        num_attention_heads=8,
        num_key_value_heads=4,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=2,
        pad_token_id=0,
    )
    shutil.copytree(tiny_tokenizer, tmp_path / "model")
    LlamaForCausalLM(config).save_pretrained(tmp_path / "model")
    made = subprocess.run(
        [sys.executable, "-c", STEP, str(tmp_path), adapter, again],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(made.stdout.splitlines()[-1])
    assert told["estimated"] == pytest.approx(told["measured"], rel=0.25), told
