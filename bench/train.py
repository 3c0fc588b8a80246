"""LoRA training: ours beside its peers, on the same rows, steps, batch, weights and dtype.

    python -m bench.peers                                  # once: environments of peers that are not installed here
    python -m bench.train --quick --json train.json        # one shape, one adapter setting
    python -m bench.train --json train.json                # both shapes, both adapter settings

Every tool runs in a process of its own, the tools take turns (A B A B), and medians are compared. One judge
computes the held-out loss of the adapters that the tools saved. Outcomes are kept on disk until the end, so that a
benchmark that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from bench import peers, report
from bench.compare import TARGETS, Comparison
from bench.learning import learning
from bench.material import default_rows, gather
from bench.shapes import matmul_rate
from bench.tools import ROOT, TOOLS, Bench

AT_ONCE = (2, 4, 8)
"""Rows at once that are tried for a tuned tool."""
PACKS = (1, 2)
"""Lengths of packs that are tried for a tool that packs, in lengths of the longest row."""


def _command_line(arguments: list[str] | None) -> Any:
    parser = report.options("LoRA training: ours beside its peers.")
    parser.add_argument("--shape", choices=["tiny", "135M", "0.5B"], nargs="+", default=None)
    parser.add_argument("--adapter", choices=list(TARGETS), nargs="+", default=None, help="q and v, or all linear")
    parser.add_argument("--tools", "--only-tools", choices=list(TOOLS), nargs="+", default=None, help="only these")
    parser.add_argument("--rows", type=Path, default=None, help="JSON rows; real Alpaca rows where they are at hand")
    parser.add_argument("--steps", type=int, default=None, help="4 with --quick and for 0.5B, else 8")
    parser.add_argument("--batch", type=int, default=8, help="rows per optimizer step")
    parser.add_argument(
        "--micro", type=int, nargs="+", default=None, help="rows at once tried for tuned peers; 4 with --quick"
    )
    parser.add_argument(
        "--packs", type=int, nargs="+", default=None, help="lengths of packs tried, in --length; 1 with --quick"
    )
    parser.add_argument("--length", type=int, default=512, help="tokens of the longest row")
    parser.add_argument("--held-out", type=int, default=None, help="rows of the judge; 16 with --quick, else 32")
    parser.add_argument("--learning-rate", type=float, default=5e-3)
    parser.add_argument("--learning-steps", type=int, default=None, help="60 with --quick, else 200; 0 leaves it out")
    parser.add_argument("--r", type=int, default=8)
    parser.add_argument("--dtype", choices=["auto", "bf16", "fp32"], default="auto", help="the same for all tools")
    parser.add_argument("--rounds", type=int, default=None, help="2 with --quick, else 3")
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", "1")))
    parser.add_argument("--peers", type=Path, default=peers.default_folder(), metavar="DIR")
    parser.add_argument(
        "--folder", type=Path, default=None, metavar="DIR", help="keep everything that is written there"
    )
    given = parser.parse_args(arguments)
    quick = given.quick
    given.shape = given.shape or (["135M"] if quick else ["135M", "0.5B"])
    given.adapter = given.adapter or (["qv"] if quick else ["qv", "all"])
    given.tools = given.tools or [tool.name for tool in TOOLS.values() if not tool.gpu and (tool.quick or not quick)]
    given.micro = given.micro or ([4] if quick else list(AT_ONCE))
    given.packs = given.packs or ([1] if quick else list(PACKS))
    given.held_out = given.held_out or (16 if quick else 32)
    given.rounds = given.rounds or (2 if quick else 3)
    given.rows = given.rows or default_rows()
    if given.learning_steps is None:
        given.learning_steps = 60 if quick else 200
    if given.dtype == "auto":
        from tuneloop.training.precision import cpu_has_bf16

        given.dtype = "bf16" if cpu_has_bf16() else "fp32"
    return given


def _kept(given: Any) -> Path:
    """The folder of an unfinished benchmark with the same settings, of the same sources."""
    setting = {k: str(v) for k, v in sorted(vars(given).items()) if k not in ("json", "folder")}
    digest = hashlib.sha256(json.dumps(setting).encode())
    for path in sorted([*ROOT.glob("src/tuneloop/**/*.py"), *ROOT.glob("bench/**/*.py")]):
        digest.update(path.read_bytes())
    return report.cache() / "runs" / digest.hexdigest()[:16]


def _steps(given: Any, shape: str) -> int:
    return int(given.steps or (4 if given.quick or shape == "0.5B" else 8))


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write."""
    given = _command_line(arguments)
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(given.threads)
    where = report.machine()
    asked = sorted({tool.peer for tool in map(TOOLS.__getitem__, given.tools) if tool.peer})
    missing = [peer for peer in asked if peers.python_of(given.peers, peer) is None]
    if missing:
        report.said(f"without {', '.join(missing)}: run python -m bench.peers once to have their environments made")
    folder = given.folder or _kept(given)
    rate = matmul_rate({"bf16": "bfloat16", "fp32": "float32"}[given.dtype])
    results = []
    for shape in given.shape:
        chosen: dict[str, tuple[int, int]] = {}
        for adapter in given.adapter:
            count = _steps(given, shape) * given.batch
            material = gather(given.rows, shape, count=count, held_out=given.held_out, length=given.length)
            bench = Bench(folder / f"{shape}-{adapter}", given.peers, given.threads)
            result = Comparison(given, shape, adapter, material=material, bench=bench, rate=rate, chosen=chosen).run()
            results.append(result)
            title = f"{shape}, LoRA r={given.r} on {adapter}, {given.dtype}, {given.batch} rows a step"
            report.show(title, [{k: v for k, v in row.items() if k != "runs"} for row in result["tools"]])
    learned = learning(given, folder / "learning") if given.learning_steps else {}
    if learned:
        report.show("held-out loss after many steps of the embedded base", [learned])
    setting = {k: str(v) if isinstance(v, Path) else v for k, v in vars(given).items() if k != "json"}
    worst = min(results, key=lambda result: float(result.get("ratio_to_best_peer", 0.0)))
    head = {key: worst[key] for key in worst if key != "tools"}
    figures = {
        **head,
        "peers_missing": missing,
        "learning": learned,
        "matmul_rate": rate,
        "setting": setting,
        "results": results,
    }
    report.write(given.json, "train", figures, where)
    if given.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
