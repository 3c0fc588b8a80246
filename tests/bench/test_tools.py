"""How the benchmark runs its tools: nothing is measured twice, nothing unlike compared, nothing missing hidden."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from bench.drivers import litgpt
from bench.drivers.job import Job, Watch
from bench.drivers.trainer import packs_per_step
from bench.tools import TOOLS, Bench

from bench import compare, faults, gpu, peers, tools


def job(folder: Path, **more: Any) -> Job:
    facts = {"tool": "dynamic", "model": "", "rows": "", "steps": 2, "batch": 2, "micro": 2, "length": 64}
    facts |= {"learning_rate": 1e-3, "r": 4, "targets": ["q_proj"], "dtype": "fp32", "lengths": [10, 20, 30, 40]}
    return Job(**{**facts, "out": str(folder), **more})


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "runs", tmp_path / "peers", threads=1)


def test_an_outcome_that_is_there_is_not_measured_again(bench: Bench, tmp_path: Path) -> None:
    kept = bench.folder / "dynamic-1" / "outcome.json"
    kept.parent.mkdir(parents=True)
    kept.write_text('{"rows_per_second": 3.0}')
    assert bench.run(TOOLS["dynamic"], job(tmp_path), "1") == {"rows_per_second": 3.0}


def test_a_tool_that_fails_says_why_and_is_tried_again(bench: Bench, tmp_path: Path, monkeypatch: Any) -> None:
    runs = []

    def process(self: Bench, argv: list[str]) -> str:
        runs.append(argv)
        return "no such model"

    monkeypatch.setattr(Bench, "_process", process)
    for _ in range(2):
        assert bench.run(TOOLS["dynamic"], job(tmp_path), "1") == {"failed": "no such model"}
    assert len(runs) == 2
    assert runs[0][:3] == [sys.executable, "-m", "bench.drivers.trainer"]


def test_a_peer_without_its_environment_is_not_run(bench: Bench, tmp_path: Path) -> None:
    assert bench.python(TOOLS["litgpt"]) is None
    assert "python -m bench.peers" in bench.run(TOOLS["litgpt"], job(tmp_path), "1")["failed"]


def test_an_environment_with_other_packages_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "trl" / "bin").mkdir(parents=True)
    (tmp_path / "trl" / "bin" / "python").touch()
    (tmp_path / "trl" / "ready").write_text("trl==0.1\n")
    assert peers.python_of(tmp_path, "trl") is None
    (tmp_path / "trl" / "ready").write_text(peers.PEERS["trl"].text)
    assert peers.python_of(tmp_path, "trl") == tmp_path / "trl" / "bin" / "python"


def test_every_tool_has_a_driver_and_an_environment() -> None:
    for tool in TOOLS.values():
        assert (Path(tools.__file__).parent / "drivers" / f"{tool.driver}.py").exists()
        assert tool.peer is None or tool.peer in peers.PEERS


def test_the_steady_rate_leaves_out_the_first_step_and_one_that_was_disturbed(tmp_path: Path) -> None:
    watch = Watch(job(tmp_path, lengths=[10] * 8))
    watch.ends, watch.rows, watch.tokens = [100.0, 101.0, 102.0, 112.0], [2] * 4, [20] * 4
    watch.work = [50.0, 51.0, 52.0, 53.0]
    watch.done(tmp_path / "adapter")
    outcome = json.loads((tmp_path / "outcome.json").read_text())
    assert outcome["rows_per_second"] == pytest.approx(2.0)
    assert outcome["rows_per_second_mean"] == pytest.approx(0.5)
    assert outcome["rows_per_cpu_second"] == pytest.approx(2.0)
    assert outcome["peak_mb"] > 1


def test_a_tool_that_learns_other_ids_is_refused(tmp_path: Path) -> None:
    job(tmp_path).check([40, 30, 20, 10])
    with pytest.raises(RuntimeError, match="not the same ids"):
        job(tmp_path).check([40, 30, 20, 11])


def test_a_step_of_packs_holds_about_the_rows_of_a_step(tmp_path: Path) -> None:
    size, steps = packs_per_step(job(tmp_path), [[1, 2], [3], [4], [5]])
    assert size == 2
    assert steps == [[1, 2, 3], [4, 5]]


def figures(**rates: float) -> list[dict[str, Any]]:
    rest = {"heldout_loss": 2.0, "peak_mb": 100.0, "mfu": 0.3, "floor_ratio": 0.2, "first_step_s": 3.0}
    return [{"tool": name, "rows_per_second": rate, **rest} for name, rate in rates.items()]


def test_the_fastest_peer_is_the_one_compared_with() -> None:
    found = compare.against_best(figures(tuneloop=6.0, trl=2.0, litgpt=3.0))
    assert (found["best_peer"], found["ratio_to_best_peer"]) == ("litgpt", 2.0)
    assert compare.against_best(figures(tuneloop=6.0)) == {}


def test_the_adapter_of_litgpt_is_the_same_in_pefts_names(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    config = {"hidden_size": 16, "num_attention_heads": 4, "num_key_value_heads": 2}
    (tmp_path / "config.json").write_text(json.dumps(config))
    a, b = torch.randn(8, 16), torch.randn(16 + 8, 4)
    up = {"lora_A": torch.randn(4, 16), "lora_B": torch.randn(32, 4)}
    saved = {"transformer.h.1.attn.qkv.lora_A": a, "transformer.h.1.attn.qkv.lora_B": b}
    saved |= {f"transformer.h.1.mlp.fc_2.{name}": weight for name, weight in up.items()}
    torch.save({"model": saved}, tmp_path / "lit.pth")
    made = litgpt.to_peft(
        job(tmp_path, model=str(tmp_path), targets=["q_proj", "v_proj", "up_proj"]), tmp_path / "lit.pth"
    )
    named = load_file(made / "adapter_model.safetensors")
    stem = "base_model.model.model.layers.1"
    assert torch.equal(named[f"{stem}.self_attn.q_proj.lora_A.weight"], a[:4])
    assert torch.equal(named[f"{stem}.self_attn.v_proj.lora_A.weight"], a[4:])
    assert torch.equal(named[f"{stem}.self_attn.q_proj.lora_B.weight"], b[:16])
    assert torch.equal(named[f"{stem}.self_attn.v_proj.lora_B.weight"], b[16:])
    assert torch.equal(named[f"{stem}.mlp.up_proj.lora_B.weight"], up["lora_B"])


def test_the_gpu_benchmark_refuses_where_there_is_none(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(SystemExit, match="no CUDA GPU here"):
        gpu.main(["--rows", str(tmp_path / "rows.json")])


def test_the_table_of_faults_says_what_was_lost() -> None:
    counted = {"kills": 5, "unresumable": 2, "runs": 4, "not_identical": 0}
    assert [(row["times"], row["wrong"]) for row in faults.table(counted)] == [(5, 2), (4, 0)]
