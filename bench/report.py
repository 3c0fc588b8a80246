"""What every benchmark shares: facts of the machine, interleaved rounds, the table and the JSON file."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
PACKAGES = ("tuneloop", "torch", "transformers", "peft", "accelerate", "tokenizers", "safetensors")


def options(about: str) -> argparse.ArgumentParser:
    """A command line with what all benchmarks take: ``--json FILE`` and ``--quick``."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    return parser


def machine() -> dict[str, Any]:
    """Where and when figures were measured: processor, cores, memory, load, versions and date."""
    import psutil
    import torch

    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_1m": round(os.getloadavg()[0], 2),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def interleaved(what: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Run several things in turn, A B A B, so that a change of the machine's load meets all of them.

    Args:
        what: What is run, by name.
        rounds: How often each is run.

    Returns:
        The results of each, by name.
    """
    results: dict[str, list[T]] = {name: [] for name in what}
    for turn in range(rounds):
        for name, run in what.items():
            said(f"round {turn + 1} of {rounds}: {name}")
            results[name].append(run())
    return results


def median(values: Sequence[float]) -> float:
    """The middle value; of an even number of values the mean of the middle two."""
    return float(statistics.median(values))


def said(text: str) -> None:
    """Tell on standard error what is going on, away from the table."""
    print(text, file=sys.stderr, flush=True)


def show(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a table, one line per row; numbers stand on the right.

    Args:
        title: What it shows.
        rows: Cells by column name; the first row decides the columns.
    """
    columns = list(rows[0]) if rows else []
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[at]) for line in [columns, *cells]) for at in range(len(columns))]
    numeric = [all(isinstance(row.get(column), (int, float, type(None))) for row in rows) for column in columns]

    def line(texts: Sequence[str]) -> str:
        parts = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(texts, widths, numeric, strict=True)
        )
        return "  ".join(parts).rstrip()

    print(f"\n{title}\n{line(columns)}\n{'  '.join('-' * width for width in widths)}")
    for texts in cells:
        print(line(texts))


def write(path: Path | None, bench: str, figures: Mapping[str, Any], where: Mapping[str, Any]) -> None:
    """Write the figures of a benchmark as JSON, where a file is named.

    Args:
        path: The file; None writes nothing.
        bench: Name of the benchmark.
        figures: What was measured; keys of their own beside ``bench`` and ``machine``.
        where: What :func:`machine` said before the measurement began.
    """
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"bench": bench, "machine": where, **figures}, indent=2) + "\n", encoding="utf-8")
    said(f"written: {path}")


def cache() -> Path:
    """Where models, rows and peers' environments are kept between runs (``TUNELOOP_BENCH_CACHE``)."""
    named = os.environ.get("TUNELOOP_BENCH_CACHE")
    folder = Path(named) if named else Path.home() / ".cache" / "tuneloop-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 100 else f"{value:.0f}"
    return str(value)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    if file.exists():
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
