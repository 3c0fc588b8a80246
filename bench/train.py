"""LoRA training: ours beside the Hugging Face Trainer and TRL, on the same rows, steps, batch, weights and dtype.

    python -m bench.peers                                  # once: environments of peers that are not installed here
    python -m bench.train --quick --json train.json        # one shape, one adapter setting
    python -m bench.train --json train.json                # both shapes, both adapter settings

Every tool runs in a process of its own, the tools take turns (A B A B), and medians are compared. One judge
computes the held-out loss of the adapters that the tools saved.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench import peers, report
from bench.drivers.job import Job
from bench.judge import held_out_losses
from bench.material import Material, default_rows, gather, write_rows
from bench.shapes import least_flops, linear_sizes, matmul_rate

OURS = "tuneloop"
ROOT = Path(__file__).parents[1]
TARGETS = {"qv": ["q_proj", "v_proj"], "all": list(linear_sizes("tiny"))}
HERE = {OURS: "ours", "padded": "trainer", "dynamic": "trainer"}
PEERS = {"trl": ("trl", "sft"), "trl-tuned": ("trl", "sft"), "trl-packed": ("trl", "sft")}
ABOUT = {
    OURS: "tuneloop, defaults",
    "padded": "Hugging Face Trainer, padded to --length, loss on all tokens",
    "dynamic": "Hugging Face Trainer, dynamic padding, loss on answers",
    "trl": "TRL SFTTrainer, defaults",
    "trl-tuned": "TRL, loss on answers, no checkpointing",
    "trl-packed": "TRL, the same and packed (bfd)",
}


def launch(job: Job, python: Path, driver: str, threads: int) -> dict[str, Any]:
    """Run one tool in a fresh process.

    Raises:
        RuntimeError: It failed; the end of what it said is in the message.
    """
    out = Path(job.out)
    out.mkdir(parents=True)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "passive",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    replace(job, began=time.time()).write(out / "job.json")
    argv = [str(python), "-m", f"bench.drivers.{driver}", str(out / "job.json")]
    done = subprocess.run(argv, env=environment, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{job.tool} failed:\n{done.stderr[-3000:]}")
    outcome: dict[str, Any] = json.loads((out / "outcome.json").read_text(encoding="utf-8"))
    return outcome


def ours_first(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Rows placed so that our shuffling learns them in the given order; the peers take theirs as they stand."""
    from tuneloop.training.batches import order

    placed: list[dict[str, str]] = [{}] * len(rows)
    for row, place in zip(rows, order(len(rows), seed=0, epoch=0).tolist(), strict=True):
        placed[place] = row
    return placed


def compare(given: Any, shape: str, adapter: str, folder: Path) -> dict[str, Any]:
    """Run all tools on one shape and adapter setting.

    Args:
        given: The command line.
        shape: A key of ``bench.shapes.SHAPES``.
        adapter: A key of ``TARGETS``.
        folder: Folder for everything the tools write.

    Returns:
        The figures of every tool, and the comparison with the best peer.
    """
    count = given.steps * given.batch
    material = gather(given.rows, shape, count=count, held_out=given.held_out, length=given.length)
    write_rows(folder / "rows.jsonl", material.train)
    write_rows(folder / "ours.jsonl", ours_first(material.train))
    outcomes = report.interleaved(_runs(given, material, adapter, folder), given.rounds)
    losses = held_out_losses(material, {tool: runs[0]["adapter"] for tool, runs in outcomes.items()})
    spent = {
        name: least_flops(
            shape,
            lengths=material.lengths,
            supervised=material.supervised,
            r=given.r,
            targets=TARGETS[adapter],
            full_head=name == "mfu",
        )
        / count
        for name in ("mfu", "floor")
    }
    figures = [_figures(tool, runs, material, losses[tool], spent, given.rate) for tool, runs in outcomes.items()]
    return {
        "shape": shape,
        "adapter": adapter,
        "rows": count,
        "tokens": sum(material.lengths),
        "supervised_tokens": material.supervised,
        "heldout_loss_base": losses["base"],
        **_against_best(figures),
        "tools": figures,
    }


def _runs(given: Any, material: Material, adapter: str, folder: Path) -> dict[str, Callable[[], dict[str, Any]]]:
    job = Job(
        tool="",
        model=str(material.model),
        rows=str(folder / "rows.jsonl"),
        out="",
        steps=given.steps,
        batch=given.batch,
        micro=given.micro,
        length=given.length,
        learning_rate=given.learning_rate,
        r=given.r,
        targets=TARGETS[adapter],
        dtype=given.dtype,
        lengths=material.lengths,
    )
    drivers = {tool: (Path(sys.executable), driver) for tool, driver in HERE.items()}
    for tool, (peer, driver) in PEERS.items():
        python = peers.python_of(given.peers, peer)
        if python is not None:
            drivers[tool] = (python, driver)
    turns = dict.fromkeys(drivers, 0)

    def run(tool: str) -> dict[str, Any]:
        python, driver = drivers[tool]
        turns[tool] += 1
        mine = replace(job, tool=tool, out=str(folder / f"{tool}-{turns[tool]}"))
        if tool == OURS:
            mine = replace(mine, rows=str(folder / "ours.jsonl"), micro=min(job.batch, 16))
        return launch(mine, python, driver, given.threads)

    return {tool: partial(run, tool) for tool in drivers if given.tools is None or tool in given.tools}


def _figures(
    tool: str,
    runs: list[dict[str, Any]],
    material: Material,
    loss: float,
    spent: dict[str, float],
    rate: float,
) -> dict[str, Any]:
    speed = report.median([run["rows_per_second"] for run in runs])
    return {
        "tool": tool,
        "rows_per_second": speed,
        "supervised_tokens_per_second": speed * material.supervised / len(material.train),
        "first_step_s": report.median([run["first_step_s"] for run in runs]),
        "peak_mb": max(run["peak_mb"] for run in runs),
        "heldout_loss": loss,
        "mfu": speed * spent["mfu"] / rate,
        "floor_ratio": speed * spent["floor"] / rate,
        "runs": runs,
    }


def _against_best(figures: list[dict[str, Any]]) -> dict[str, Any]:
    """Ours beside the fastest peer."""
    ours = next((row for row in figures if row["tool"] == OURS), None)
    others = [row for row in figures if row["tool"] != OURS]
    if ours is None or not others:
        return {}
    best = max(others, key=lambda row: float(row["rows_per_second"]))
    return {
        "ratio_to_best_peer": ours["rows_per_second"] / best["rows_per_second"],
        "best_peer": best["tool"],
        "heldout_loss_ours": ours["heldout_loss"],
        "heldout_loss_best_peer": best["heldout_loss"],
        "memory_ratio": ours["peak_mb"] / best["peak_mb"],
        "mfu": ours["mfu"],
        "floor_ratio": ours["floor_ratio"],
        "first_step_s": ours["first_step_s"],
    }


def _command_line(arguments: list[str] | None) -> Any:
    parser = report.options("LoRA training: ours beside its peers.")
    parser.add_argument("--shape", choices=["tiny", "135M", "0.5B"], nargs="+", default=None)
    parser.add_argument("--adapter", choices=list(TARGETS), nargs="+", default=None, help="q and v, or all linear")
    parser.add_argument("--tools", choices=list(ABOUT), nargs="+", default=None, help="only these")
    parser.add_argument("--rows", type=Path, default=None, help="JSON rows; real Alpaca rows where they are at hand")
    parser.add_argument("--steps", type=int, default=None, help="4 with --quick, else 8")
    parser.add_argument("--batch", type=int, default=8, help="rows per optimizer step")
    parser.add_argument("--micro", type=int, default=4, help="rows at once, for the peers; ours keeps its default")
    parser.add_argument("--length", type=int, default=512, help="tokens of the longest row")
    parser.add_argument("--held-out", type=int, default=32, help="rows of the judge")
    parser.add_argument("--learning-rate", type=float, default=5e-3)
    parser.add_argument("--r", type=int, default=8)
    parser.add_argument("--dtype", choices=["auto", "bf16", "fp32"], default="auto", help="the same for all tools")
    parser.add_argument("--rounds", type=int, default=None, help="2 with --quick, else 3")
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", "1")))
    parser.add_argument("--peers", type=Path, default=peers.default_folder(), metavar="DIR")
    given = parser.parse_args(arguments)
    given.shape = given.shape or (["135M"] if given.quick else ["135M", "0.5B"])
    given.adapter = given.adapter or (["qv"] if given.quick else ["qv", "all"])
    given.steps = given.steps or (4 if given.quick else 8)
    given.rounds = given.rounds or (2 if given.quick else 3)
    given.rows = given.rows or default_rows()
    if given.dtype == "auto":
        from tuneloop.training.precision import cpu_has_bf16

        given.dtype = "bf16" if cpu_has_bf16() else "fp32"
    return given


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write."""
    given = _command_line(arguments)
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(given.threads)
    where = report.machine()
    missing = sorted({peer for peer, _ in PEERS.values() if peers.python_of(given.peers, peer) is None})
    if missing:
        report.said(f"without {', '.join(missing)}: run python -m bench.peers once to have their environments made")
    given.rate = matmul_rate({"bf16": "bfloat16", "fp32": "float32"}[given.dtype])
    results = []
    for shape in given.shape:
        for adapter in given.adapter:
            with tempfile.TemporaryDirectory() as folder:
                result = compare(given, shape, adapter, Path(folder))
            results.append(result)
            title = f"{shape}, LoRA r={given.r} on {adapter}, {given.dtype}, {given.batch} rows a step"
            report.show(title, [{k: v for k, v in row.items() if k != "runs"} for row in result["tools"]])
    setting = {k: str(v) if isinstance(v, Path) else v for k, v in vars(given).items() if k != "json"}
    worst = min(results, key=lambda result: float(result.get("ratio_to_best_peer", 0.0)))
    head = {key: worst[key] for key in worst if key not in ("tools",)}
    report.write(given.json, "train", {**head, "peers_missing": missing, "setting": setting, "results": results}, where)


if __name__ == "__main__":
    main()
