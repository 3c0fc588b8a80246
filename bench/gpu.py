"""LoRA training on one GPU: ours beside TRL, Liger, Unsloth and the plain Trainer, where they can be imported.

    python -m bench.gpu --rows alpaca.json --shape 0.5B --batch 16 --json gpu.json
    python -m bench.gpu --rows alpaca.json --shape 0.5B --batch 256 --json gpu.json
    python -m bench.gpu --device cpu --shape tiny --rows alpaca.json    # the same code, on a processor

One shape a call, in at most ten minutes: first loss and gradient beside plain transformers and PEFT, then the speeds,
by turns, each tool in a fresh process of this very environment; nothing is installed or fetched. Random weights,
real rows, LoRA on all linear layers, bf16.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench import report
from bench.compare import TARGETS, Comparison
from bench.drivers.job import Job
from bench.material import Material, gather, read_rows, write_rows
from bench.shapes import matmul_rate
from bench.tools import OURS, TOOLS, Bench, Tool

COMPARED = (OURS, "dynamic", "trl-packed", "trl-liger", "unsloth-tuned")
NEEDED = ("tuneloop", "torch", "transformers", "peft", "pydantic", "msgspec", "pyarrow", "safetensors", "psutil")
EXACT_ROWS = 8
WORSE = 1.5
"""Our error may be this many times that of plain transformers in the same precision."""
COLUMNS = (
    "tool",
    "tokens_per_second",
    "supervised_tokens_per_second",
    "rows_per_second",
    "first_step_s",
    "peak_mb",
    "heldout_loss",
    "mfu",
    "floor_ratio",
    "rounds",
)
FP32 = 1e-5
"""Relative error that is always allowed: what fp32 itself costs."""


def exactness(job: Job, bench: Bench) -> dict[str, Any]:
    """Loss and gradient of a few rows beside plain transformers and PEFT.

    Returns:
        The relative errors of both against fp32, and ``exact``.

    Raises:
        SystemExit: They could not be compared.
    """
    found = bench.run(Tool("exact", "exact", "loss and gradient"), job, "1")
    if "failed" in found:
        raise SystemExit(f"loss and gradient could not be compared:\n{found['failed']}")
    found["exact"] = all(
        found[f"{what}_error_ours"] <= max(FP32, WORSE * found[f"{what}_error_plain"]) for what in ("loss", "gradient")
    )
    return found


def refuse(given: Any) -> None:
    """Stop where nothing could be measured.

    Raises:
        SystemExit: A package is not there, or no GPU.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise SystemExit(f"this environment has no {', '.join(missing)}: install them, or carry their wheels along")
    import torch

    if given.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit(
            "no CUDA GPU here, and figures come from real runs only; to try the code: --device cpu --shape tiny"
        )


def _command_line(arguments: list[str] | None) -> Any:
    parser = report.options("LoRA training on one GPU: ours beside its peers.")
    parser.add_argument("--rows", type=Path, required=True, help="JSON rows: instruction, input, output, or messages")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--shape", choices=["tiny", "0.5B", "1.5B", "7B"], default="0.5B")
    parser.add_argument("--tools", choices=COMPARED, nargs="+", default=list(COMPARED))
    parser.add_argument("--batch", type=int, default=16, help="rows per optimizer step")
    parser.add_argument("--micro", type=int, nargs="+", default=None, help="rows at once of tools that pad; the batch")
    parser.add_argument("--packs", type=int, nargs="+", default=[4], help="lengths of packs tried, in --length")
    parser.add_argument("--steps", type=int, default=30, help="optimizer steps, or as many as there are rows for")
    parser.add_argument("--length", type=int, default=1024, help="tokens of the longest row")
    parser.add_argument("--held-out", type=int, default=16, help="rows of the judge")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--r", type=int, default=16)
    parser.add_argument("--dtype", choices=["bf16", "fp32"], default="bf16")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=560.0, help="after that no further tool is begun")
    given = parser.parse_args(arguments)
    given.micro = given.micro or [min(given.batch, 32)]
    return given


def _material(given: Any) -> Material:
    """As many rows as the steps take, or as there are."""
    there = int(0.9 * len(read_rows(given.rows))) - given.held_out
    steps = min(given.steps, there // given.batch)
    if steps < 3:
        raise SystemExit(f"{given.rows} has rows for {steps} steps of {given.batch}; three are needed to time them")
    dtype = "float32" if given.device == "cpu" else "bfloat16"
    return gather(
        given.rows,
        given.shape,
        count=steps * given.batch,
        held_out=given.held_out,
        length=given.length,
        device=given.device,
        dtype=dtype,
    )


def main(arguments: list[str] | None = None) -> None:
    """Compare, measure, print, write; exit with 1 where the gradient is wrong."""
    given = _command_line(arguments)
    refuse(given)
    ends = time.monotonic() + given.seconds
    where = report.machine()
    material = _material(given)
    rate = matmul_rate({"bf16": "bfloat16", "fp32": "float32"}[given.dtype], device=given.device)
    folder = Path(tempfile.mkdtemp(prefix="bench-gpu-"))
    bench = Bench(folder, folder, threads=4, here=True, device=given.device, ends=ends)
    write_rows(folder / "few.jsonl", material.train[:EXACT_ROWS])
    few = Job(
        tool="exact",
        model=str(material.model),
        rows=str(folder / "few.jsonl"),
        out="",
        steps=1,
        batch=EXACT_ROWS,
        micro=EXACT_ROWS,
        length=given.length,
        learning_rate=given.learning_rate,
        r=given.r,
        targets=TARGETS["all"],
        dtype=given.dtype,
        lengths=material.lengths[:EXACT_ROWS],
    )
    exact = exactness(few, bench)
    report.show("loss and gradient, relative errors against plain fp32", [exact])
    result = Comparison(given, given.shape, "all", material=material, bench=bench, rate=rate).run()
    title = f"{given.shape}, LoRA r={given.r} on all linear layers, {given.dtype}, {given.batch} rows a step"
    report.show(title, [{name: row[name] for name in COLUMNS} for row in result["tools"]])
    left_out = [name for name in given.tools if bench.python(TOOLS[name]) is None]
    if left_out:
        report.said(f"not importable here, and left out: {', '.join(left_out)}")
    setting = {k: str(v) if isinstance(v, Path) else v for k, v in vars(given).items() if k != "json"}
    figures = {**result, **exact, "matmul_rate": rate, "peers_missing": left_out, "setting": setting}
    report.write(given.json, "gpu", figures, where)
    shutil.rmtree(folder)
    if not exact["exact"]:
        raise SystemExit(f"the gradient is wrong: {json.dumps(exact)}")


if __name__ == "__main__":
    main()
