"""The choice of arithmetic: from the machine and the model alone, and what it may not touch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from tuneloop.training.precision import SMALL, Precision

CPU = torch.device("cpu")


@pytest.mark.parametrize("extension", ["_is_avx512_bf16_supported", "_is_amx_tile_supported"])
def test_auto_takes_bf16_where_the_processor_has_it_and_the_model_is_not_small(
    monkeypatch: pytest.MonkeyPatch, extension: str
) -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda name=name: name == extension)
    assert Precision("auto", CPU, SMALL).name == "bf16"
    assert Precision("auto", CPU, SMALL - 1).name == "fp32"


def test_auto_takes_fp32_where_bf16_would_be_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False)
    assert Precision("auto", CPU, 10 * SMALL).name == "fp32"


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 4)
        self.middle = nn.Linear(4, 4)
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.embed.weight
        self.learns = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.requires_grad_(False)
        self.learns.requires_grad_(True)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hidden = self.norm(self.learns(self.middle(self.embed(ids))))
        return self.head(hidden)


def test_frozen_matrices_kept_in_bf16_give_exactly_what_casting_at_each_use_gives() -> None:
    torch.manual_seed(0)
    net, ids = Net(), torch.tensor([[1, 2, 3]])
    precision = Precision("bf16", CPU, 1)
    with precision.forward():
        before = net(ids)
    precision.store_frozen(net)
    with precision.forward():
        after = net(ids)
    assert torch.equal(before, after)
    assert net.middle.weight.dtype == torch.bfloat16
    assert net.learns.weight.dtype == net.embed.weight.dtype == net.norm.weight.dtype == torch.float32
    assert net.head.weight is net.embed.weight


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the system does not tell what is mapped")
def test_frozen_weights_kept_in_bf16_let_go_of_the_file_they_came_from(tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    model = get_peft_model(LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32), LoraConfig(r=2))
    Precision("bf16", CPU, 1).store_frozen(model)
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()
