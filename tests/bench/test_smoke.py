"""Every benchmark runs in its smallest size and writes what it promises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bench.material import read_rows

from bench import generate, gpu, report, shapes, start, train

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNELOOP_BENCH_CACHE", str(tmp_path / "cache"))


def written(path: Path, bench: str) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads(path.read_text())
    assert figures["bench"] == bench
    assert {"date", "processor", "versions", "load_1m"} <= figures["machine"].keys()
    return figures


def test_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"tuneloop --help": start.COMMANDS["tuneloop --help"]}
    monkeypatch.setattr(start, "COMMANDS", kept)
    start.main(["--rounds", "1", "--json", str(tmp_path / "start.json")])
    rows = written(tmp_path / "start.json", "start")["rows"]
    assert [row["what"] for row in rows] == ["tuneloop --help", "first training step, embedded base"]
    assert all(row["median s"] > 0 for row in rows)


def test_generate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "generate.json"
    generate.main(["--size", "tiny", "--quick", "--tokens", "4", "--batches", "1", "3", "--json", str(file)])
    rows = written(file, "generate")["rows"]
    assert [(row["batch"], row["same answers"]) for row in rows] == [(1, 1), (3, 3)]
    assert "ratio" in capsys.readouterr().out


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.jsonl"
    pairs = [{"instruction": f"add {i}", "input": f"{i} and {i}", "output": f"{2 * i}"} for i in range(24)]
    file.write_text("".join(json.dumps(row) + "\n" for row in pairs))
    return file


def test_train_against_a_peer_of_this_environment(tmp_path: Path, rows: Path) -> None:
    pytest.importorskip("accelerate")
    file = tmp_path / "train.json"
    sizes = ["--steps", "2", "--batch", "4", "--micro", "2", "--length", "64", "--held-out", "2", "--rounds", "1"]
    tools = ["--tools", "tuneloop", "dynamic", "trl", "--dtype", "fp32", "--peers", str(tmp_path / "none")]
    learning = ["--learning-steps", "3"]
    given = ["--shape", "tiny", "--adapter", "qv", "--rows", str(rows), "--json", str(file)]
    train.main([*given, *sizes, *tools, *learning])
    figures = written(file, "train")
    assert figures["best_peer"] == "dynamic"
    assert figures["peers_missing"] == ["trl"]
    assert figures["ratio_to_best_peer"] > 0
    assert figures["rows"].keys() == {"tuneloop", "dynamic"}
    assert {"mfu", "floor_ratio", "matmul_rate", "memory_ratio", "first_step_s"} <= figures.keys()
    assert figures["heldout_loss_ours"] < figures["heldout_loss_base"]
    assert figures["heldout_loss_ours"] == pytest.approx(figures["heldout_loss_best_peer"], rel=1e-2)
    ours, theirs = figures["results"][0]["tools"]
    assert ours["runs"][0]["rows"] == theirs["runs"][0]["rows"] == 8
    learned = figures["learning"]
    assert learned["tuneloop"][0] < 0.9 * learned["base"]
    assert learned["tuneloop"] == pytest.approx(learned["dynamic"], rel=1e-3)
    assert list((tmp_path / "cache" / "runs").iterdir()) == []


def test_the_gpu_benchmark_runs_on_a_processor(tmp_path: Path, rows: Path) -> None:
    pytest.importorskip("accelerate")
    file = tmp_path / "gpu.json"
    sizes = ["--steps", "3", "--batch", "4", "--length", "64", "--held-out", "2", "--rounds", "1", "--dtype", "fp32"]
    tools = ["--device", "cpu", "--shape", "tiny", "--tools", "tuneloop", "dynamic"]
    gpu.main(["--rows", str(rows), "--json", str(file), *sizes, *tools])
    figures = written(file, "gpu")
    assert figures["exact"]
    assert figures["gradient_error_ours"] < 1e-5
    assert {"ratio_to_best_peer", "mfu", "floor_ratio", "rows", "peers_missing"} <= figures.keys()


def test_rows_are_alpaca_or_conversations(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    file.write_text(json.dumps([{"instruction": "a", "input": "b", "output": "c"}, {"instruction": "d", "output": ""}]))
    assert read_rows(file) == [{"prompt": "a\n\nb", "answer": "c"}]
    file.write_text('{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}\n')
    assert read_rows(file) == [{"prompt": "q", "answer": "a"}]
    file.write_text('{"text": "x"}\n')
    with pytest.raises(ValueError, match="need instruction and output"):
        read_rows(file)


def test_least_arithmetic_agrees_with_a_counter() -> None:
    """Forward and backward of the tiny shape, counted by torch, with the head on all tokens and no adapter."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    model = shapes.make("tiny").requires_grad_(False)
    model.set_attn_implementation("eager")
    embedded = model.get_input_embeddings()(torch.arange(10, 42)[None]).requires_grad_()
    with FlopCounterMode(display=False) as counter:
        torch.autograd.backward(model(inputs_embeds=embedded, use_cache=False).logits.sum())
    least = shapes.least_flops("tiny", lengths=[32], supervised=0, r=0, targets=[], full_head=True)
    causal_half = 2 * 3 * 2 * 64 * 32 * 32  # eager attention computes the upper triangle, too
    assert least + causal_half == pytest.approx(counter.get_total_flops(), rel=0.01)


def test_the_table_lines_up(capsys: pytest.CaptureFixture[str]) -> None:
    report.show("title", [{"a": "x", "b": 1.5}, {"a": "longer", "b": None}])
    assert capsys.readouterr().out.splitlines()[2:] == ["a         b", "------  ---", "x       1.5", "longer    -"]
