"""From raw rows to splits: ours beside its peers, on the same rows and the same work.

    python -m bench.peers --only plain datatrove          # once: the peers' environments
    python -m bench.data --rows 10000 --json data.json
    python -m bench.data --scale --json data.json         # ours alone at 10,000, 100,000 and 1,000,000 rows

The work: read JSON lines, normalise Unicode, keep English, mask e-mail addresses, telephone numbers, cards and IP
addresses, take near duplicates out, split, write. Every tool runs in a process of its own with the same number of
processes, the tools take turns, and medians are compared. All must keep as many rows as were planted to be kept, but
for one in a hundred. Ours also compares the splits with each other and certifies them, which the others do not.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import peers, report, rows
from bench.drivers.rows import Work

ROOT = Path(__file__).parents[1]
SCALE = (10_000, 100_000, 1_000_000)
OURS = "tuneloop"
ASTRAY = 0.01
"""Share of the rows by which a tool may keep more or fewer than were planted to be kept."""


@dataclass(frozen=True)
class Tool:
    """One way to prepare rows: its driver with options, the environment it needs, and what it is."""

    driver: list[str]
    peer: str | None
    about: str


TOOLS = {
    OURS: Tool(["rows_ours", "--four"], None, "prepare, the same four kinds of personal data as the peers"),
    "tuneloop-all": Tool(["rows_ours"], None, "prepare with all kinds that redact knows"),
    "plain": Tool(["rows_plain"], "plain", "datasets, datasketch, py3langid"),
    "datatrove": Tool(["rows_datatrove"], "datatrove", "datatrove, its PII formatter and MinHash stages"),
}


def measure(tool: Tool, path: Path, processes: int, folder: Path) -> dict[str, Any]:
    """Run a tool once.

    Returns:
        Seconds on the clock and of the processors, the most memory that all its processes held together in MB (shared
        pages counted once for each), and rows kept; ``failed`` and the end of what it said where it failed.
    """
    python = peers.python_of(peers.default_folder(), tool.peer) if tool.peer else Path(sys.executable)
    if python is None:
        return {"failed": f"no environment: run python -m bench.peers --only {tool.peer}"}
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        place = Path(scratch)
        job = place / "job.json"
        Work(str(path), str(shards(path, processes)), scratch, processes).write(job)
        name, *flags = tool.driver
        argv = [str(python), "-m", f"bench.drivers.{name}", str(job), *flags]
        with (place / "said.txt").open("w+b") as said:
            began = time.perf_counter()
            process = subprocess.Popen(argv, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT, env=_environment(place))
            peak, cpu = _watched(process)
            seconds = time.perf_counter() - began
            said.seek(0)
            lines = said.read().decode("utf-8", "replace").splitlines()
    if process.returncode:
        return {"failed": "\n".join(lines[-20:])}
    return {"seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak / 2**20, **json.loads(lines[-1])}


def shards(path: Path, count: int) -> Path:
    """The same rows in as many files as there are processes, for tools that share work by files."""
    folder = path.with_suffix(f".{count}")
    if not folder.exists():
        fresh = Path(tempfile.mkdtemp(dir=path.parent))
        files = [(fresh / f"{i}.jsonl").open("wb") for i in range(count)]
        with path.open("rb") as lines:
            for number, line in enumerate(lines):
                files[number % count].write(line)
        for file in files:
            file.close()
        fresh.rename(folder)
    return folder


def _environment(place: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(place / "hf"),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }


def _watched(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Wait for a process; the most bytes that it and those below it held, and the seconds of processors they took."""
    import psutil

    peak = 0
    whole = psutil.Process(process.pid)
    spent: dict[int, float] = {}
    before = _waited_for()
    while process.poll() is None:
        held = 0
        try:
            for each in [whole, *whole.children(recursive=True)]:
                try:
                    held += each.memory_info().rss
                    times = each.cpu_times()
                    spent[each.pid] = times.user + times.system
                except psutil.Error:
                    continue
        except psutil.Error:
            pass
        peak = max(peak, held)
        time.sleep(0.05)
    return peak, max(sum(spent.values()), _waited_for() - before)


def _waited_for() -> float:
    """Seconds of processors that processes took which have ended, those between two looks too."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compare(tools: list[str], count: int, processes: int, rounds: int, folder: Path) -> list[dict[str, Any]]:
    """Measure tools in turns; one line for each."""
    path = report.cache() / "rows" / f"alpaca-{count}.jsonl"
    planted = rows.make(path, count)
    expected = planted["rows"] - planted.get("near", 0) - planted.get("again", 0) - planted.get("chinese", 0)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in tools}
    for turn in range(rounds):
        for name in tools:
            if any("failed" in run for run in runs[name]):
                continue
            report.said(f"{count} rows, round {turn + 1} of {rounds}: {name}")
            runs[name].append(measure(TOOLS[name], path, processes, folder))
    lines = []
    for name, done in runs.items():
        line: dict[str, Any] = {"tool": name, "rows": count}
        if any("failed" in run for run in done):
            report.said(f"{name} failed:\n{done[-1]['failed']}")
            lines.append({**line, "failed": done[-1]["failed"]})
            continue
        kept = done[-1]["kept"]
        if abs(kept - expected) > ASTRAY * count:
            lines.append({**line, "failed": f"kept {kept} rows, of which {expected} were planted to be kept"})
            continue
        middle = {key: report.median([run[key] for run in done]) for key in ("seconds", "cpu_seconds", "peak_mb")}
        lines.append(
            {
                **line,
                "rows_per_s": count / middle["seconds"],
                "rows_per_cpu_s": count / middle["cpu_seconds"],
                **middle,
                "kept": kept,
                "expected": expected,
                "about": TOOLS[name].about,
            }
        )
    return lines


def summary(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Our figures, and how many times as fast as the best peer ours is."""
    done = {line["tool"]: line for line in lines if "failed" not in line}
    head: dict[str, Any] = {}
    ours = done.get(OURS)
    if ours:
        head = {key: ours[key] for key in ("rows", "rows_per_s", "rows_per_cpu_s", "peak_mb", "kept", "expected")}
    others = {name: line for name, line in done.items() if TOOLS[name].peer}
    if ours and others:
        best = max(others, key=lambda name: float(others[name]["rows_per_s"]))
        head["best_peer"] = best
        head["ratio_to_best_peer"] = ours["rows_per_s"] / others[best]["rows_per_s"]
        head["cpu_ratio_to_best_peer"] = ours["rows_per_cpu_s"] / max(o["rows_per_cpu_s"] for o in others.values())
    return head


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write."""
    parser = report.options("From raw rows to splits: ours beside its peers.")
    parser.add_argument("--rows", type=int, default=None, help="how many; 10,000 with --quick, else 50,000")
    parser.add_argument("--tools", choices=list(TOOLS), nargs="+", default=list(TOOLS), help="only these")
    parser.add_argument("--rounds", type=int, default=None, help="1 with --quick or from 500,000 rows on, else 3")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)), help="for all tools alike")
    parser.add_argument("--scale", action="store_true", help="ours alone at growing numbers of rows")
    given = parser.parse_args(arguments)
    count = given.rows or (10_000 if given.quick else 50_000)
    rounds = given.rounds or (1 if given.quick or count >= 500_000 else 3)
    where = report.machine()
    folder = report.cache() / "runs" / f"data-{os.getpid()}"
    folder.mkdir(parents=True)
    try:
        if given.scale:
            lines = [line for size in SCALE for line in compare([OURS], size, given.processes, 1, folder)]
            figures: dict[str, Any] = {**summary(lines), "scale": lines}
        else:
            lines = compare(given.tools, count, given.processes, rounds, folder)
            figures = {**summary(lines), "tools": lines}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    shown = [{k: v for k, v in line.items() if k not in ("about", "failed")} for line in lines if "failed" not in line]
    report.show(f"read, normalise, English, redact, near duplicates, split, write; {given.processes} processes", shown)
    report.write(given.json, "data", {**figures, "processes": given.processes, "rounds": rounds}, where)


if __name__ == "__main__":
    main()
